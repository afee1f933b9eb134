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
    """A test expects a hold or a rejection where the rules end so; the key of a table is no secret to its own site."""
    assert written("dls")["expect"] == {"held": "yes"}
    assert written(StudyDate=None, Modality="CT", StudyDescription="")["expect"] == {"rejected": "yes"}
    translated = written("dls", PatientID="DLS1")
    assert translated["expect"] == {"to": ["pacs", "research"], "PatientID": "00000001"}


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
