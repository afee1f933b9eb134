"""A real instance as a test of the configuration: it passes, it fails when the rules change, and it names nobody."""

import pytest
import yaml

from rules import Header, RulesError, Ruleset, example, run_tests
from tests.support.rules import EXPLICIT_LITTLE_ENDIAN, arrival, data_set, encoded, header, ruleset

RULES = """
normalise:
  - name: pad
    when: {PatientID: {matches: '\\d{1,7}'}}
    edit: [{pad: {keyword: PatientID, width: 8, with: "0"}}, {blank: OperatorsName}]
  - name: old
    when: {source: dls}
    edit: [{lookup: {keyword: PatientID, table: ids}}]
routes:
  - {name: tests, when: {PatientName: "*TEST*"}, to: [], stop: yes}
  - {name: PET, when: {Modality: PT, StudyDate: {above: 20200101}, time: "06:00-20:00"}, to: [pacs]}
  - {name: trial, when: {StudyDescription: "*FDG*"}, edit: [{anonymise: basic}], to: [research]}
otherwise: reject
"""
TABLES = {"ids": "old,new\nDLS1,00000001\n"}
REAL = {
    "Modality": "PT",
    "PatientID": "4711008",
    "PatientName": "HONG^GILDONG",
    "OperatorsName": "KIM^OPERATOR",
    "StudyDate": "20260302",
    "StudyDescription": "WB FDG OF MRS HONG",
    "AccessionNumber": "A-99812",
}


def written(source: str | None = "dste", rules: str = RULES, **attributes: object) -> dict[str, object]:
    """The test of an instance, as it is written; it passes beside the rules."""
    made = example(ruleset(rules, TABLES), header(**{**REAL, **attributes}), arrival(source), "as it came").as_dict()
    assert failures(made, rules) == []
    return made


def failures(made: dict[str, object], rules: str) -> list[str]:
    """What a pasted test finds wrong with some rules."""
    with_test: Ruleset = ruleset(rules + yaml.safe_dump({"tests": [made]}), TABLES)
    (result,) = run_tests(with_test)
    return result.failures


def test_what_it_says() -> None:
    """Given is what the rules look at, expected what they decide; who it is is made up where they decide the same."""
    assert written() == {
        "name": "as it came",
        "given": {
            "source": "dste",
            "time": "12:00:00",
            "PatientID": "1234005",
            "PatientName": "MADE^UP",
            "OperatorsName": "MADE^UP",
            "StudyDate": "20260102",
            "StudyDescription": "AB FDG CD EFG HIJK",
            "Modality": "PT",
        },
        "expect": {"to": ["pacs", "research"], "PatientID": "01234005", "OperatorsName": None},
    }


@pytest.mark.parametrize(
    ("attributes", "given"),
    [
        ({"PatientID": "90081234"}, {"PatientID": "10023456"}),
        ({"PatientID": "AB-90017"}, {"PatientID": "AB-10023"}),
        ({"PatientName": "HONG^TEST"}, {"PatientName": "ABCD^TEST"}),
        ({"StudyDate": "20190302"}, {"StudyDate": "20000102"}),
        ({"OperatorsName": ""}, {"OperatorsName": ""}),
        ({"StudyDescription": ["XY", "Z FDG"]}, {"StudyDescription": ["AB", "A FDG"]}),
    ],
)
def test_what_stands_for_a_real_value(attributes: dict[str, object], given: dict[str, object]) -> None:
    """A made-up value has the form of the real one, and keeps what a condition looks for and nothing else."""
    made = written(**attributes)["given"]
    assert isinstance(made, dict)
    assert {name: made[name] for name in given} == given


def test_what_is_held_or_rejected() -> None:
    """A test expects a hold or a rejection where the rules end so."""
    assert written("dls")["expect"] == {"held": "yes"}
    assert written(StudyDate=None, Modality="CT", StudyDescription="")["expect"] == {"rejected": "yes"}


def test_the_key_of_a_table_is_not_shown() -> None:
    """Found in a table or not it is made up, and no key either; where the rules then do something else it says so."""
    for key, lines, given, other in (
        ("DLS1", "", "ABC1", ("PatientID",)),
        ("DLS1", "ABC1,00000002\n", "ZYX9", ("PatientID",)),
        ("DLS7", "", "ABC1", ()),
    ):
        rules = ruleset(RULES, {"ids": TABLES["ids"] + lines})
        made = example(rules, header(**{**REAL, "PatientID": key}), arrival("dls"), "as it came")
        assert (made.given["PatientID"], made.expect, made.other) == (given, {"held": "yes"}, other)
        assert failures(made.as_dict(), RULES) == []


@pytest.mark.parametrize(
    ("condition", "edit", "value"),
    [
        ("{PatientID: {matches: '[0-9]{7}'}}", "prefix: {keyword: PatientID, with: X}", "1234567"),
        ("{PatientID: {between: [4711007, 4711009]}}", "suffix: {keyword: PatientID, with: X}", "4711008"),
        ("{PatientID: {matches: '47.*8'}}", "suffix: {keyword: PatientID, with: X}", "4711008"),
        ("{PatientID: {present: yes}}", "replace: {keyword: PatientID, pattern: '^47', with: '48'}", "4711008"),
        ("{PatientID: {present: yes}}", "lookup: {keyword: PatientID, table: ids, missing: keep}", "DLS1"),
        ("{PatientID: {present: yes}}", "copy: {from: PatientID, to: OtherPatientIDs}", "4711008"),
    ],
)
def test_no_real_value_is_left(condition: str, edit: str, value: str) -> None:
    """Whatever a rule looks for and does, nothing of what identifies stands in the test, which passes."""
    rules = f"normalise: [{{name: a, when: {condition}, edit: [{edit}]}}]\n"
    real = {**REAL, "PatientID": value}
    made = example(ruleset(rules, TABLES), header(**real), arrival("dste"), "as it came").as_dict()
    text = yaml.safe_dump(made)
    assert value not in text
    assert "00000001" not in text
    assert failures(made, rules) == []


@pytest.mark.parametrize(
    ("before", "after"),
    [("width: 8", "width: 9"), ("to: [pacs]", "to: [research]"), ("{above: 20200101}", "{above: 20270101}")],
)
def test_a_written_test_notices_other_rules(before: str, after: str) -> None:
    """The test fails once the rules do something else with such an instance."""
    assert failures(written(), RULES.replace(before, after)) != []


def test_what_a_test_cannot_give_is_refused() -> None:
    """An instance by whose pixel data a rule decides cannot be shown, and no test is written that says otherwise."""
    rules = "routes: [{name: a, when: {RequestAttributesSequence: {present: yes}}, to: [x]}]\n"
    assert written(rules=rules)["expect"] == {"to": []}
    real = data_set(**REAL)
    real.RequestAttributesSequence = [data_set(StudyID="1")]
    with_sequence = Header.scan(encoded(real), EXPLICIT_LITTLE_ENDIAN)
    with pytest.raises(RulesError, match="no test can show this instance"):
        example(ruleset(rules), with_sequence, arrival(), "as it came")
