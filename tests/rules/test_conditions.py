"""Conditions: what each form means, what is refused, and laws that hold for every header."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from rules import Arrival, Attribute, Facts, Header
from rules.conditions import compile_condition
from rules.facts import Readable
from tests.support.rules import EXPLICIT_LITTLE_ENDIAN, arrival, data_set, encoded


def holds(when: dict[str, object], of: Readable | None = None, came: Arrival | None = None) -> bool:
    """Whether a condition holds, by default for the PET instance from the DSTE."""
    return compile_condition(when)(Facts(of or PET, came or arrival()))


def dose(amount: str) -> Dataset:
    """One item of the radiopharmaceutical sequence."""
    item = Dataset()
    item.RadionuclideTotalDose = amount
    return item


def pet() -> Header:
    """The header of a PET instance with a bit of everything."""
    made = data_set(
        Modality="PT",
        PatientID=" 1234567 ",
        PatientName="Yamada^Tarou^^=山田^太郎=やまだ^たろう",
        PatientBirthDate="19700131",
        PatientAge="017Y",
        PatientWeight="71.50",
        StudyDescription="whole body FDG TRIAL 7",
        StudyDate="20240229",
        StudyTime="093000.5",
        AcquisitionDateTime="20240229093000.25+0900",
        AccessionNumber="",
        ImageType=["ORIGINAL", "PRIMARY"],
        Rows=128,
        RadiopharmaceuticalInformationSequence=Sequence([dose("3.5e8"), dose("100")]),
    )
    made.private_block(0x0019, "GEMS_ACQU_01", create=True).add_new(0x0C, "LO", "GE private")
    return Header.scan(encoded(made), EXPLICIT_LITTLE_ENDIAN)


PET = pet()

TRUE: list[dict[str, object]] = [
    {"suv_computable": {"not": "true"}},
    {"same_frame_of_reference": "PT"},
    {"Modality": "PT"},
    {"Modality": " pt "},
    {"Modality": ["CT", "PT"]},
    {"Modality": {"not": "CT"}},
    {"Modality": "?T", "StudyDescription": "*fdg trial*"},
    {"StudyDescription": "whole*7"},
    {"StudyDescription": "whole*fdg*7"},
    {"StudyDescription": "*whole*7"},
    {"Modality": "PT*"},
    {"Modality": "P*T"},
    {"Modality": ["PT", "X*", "Y*"]},
    {"Modality": ["PT", "X*"]},
    {"Modality": ["X*", "P*"]},
    {"Modality": ["X", "P*", "Y*"]},
    {"StudyDescription": {"contains": "Body"}},
    {"StudyDescription": {"starts": "WHOLE"}},
    {"StudyDescription": {"ends": ["8", "7"]}},
    {"StudyDescription": {"matches": r"WHOLE.*\d"}},
    {"StudyDescription": {"exactly": "whole body FDG TRIAL 7"}},
    {"Modality": {"exactly": ["pt", "PT"]}},
    {"PatientID": "1234567"},
    {"PatientID": {"matches": r"\d{1,7}"}},
    {"PatientName": "yamada^tarou"},
    {"PatientName": "Yamada^Tarou^^"},
    {"PatientName": "山田^太郎"},
    {"PatientName": "山田*"},
    {"PatientName": "Yamada^Tarou^^=山田^太郎=やまだ^たろう"},
    {"PatientName": {"ends": "たろう"}},
    {"PatientName": {"exactly": "山田^太郎"}},
    {"PatientBirthDate": {"below": "1970-02-01"}},
    {"PatientAge": {"below": "18Y"}},
    {"PatientAge": {"above": "200M"}},
    {"PatientWeight": {"between": ["71.5", "72"]}},
    {"PatientWeight": {"above": "71.49"}},
    {"StudyDate": {"between": ["20240201", "20240301"]}},
    {"StudyTime": {"above": "09:30"}},
    {"StudyTime": {"below": "0931"}},
    {"AcquisitionDateTime": {"above": "202402290930"}},
    {"AccessionNumber": ""},
    {"AccessionNumber": {"present": "true"}},
    {"AccessionNumber": "*"},
    {"AccessionNumber": {"matches": ""}},
    {"ImageType": "primary"},
    {"ImageType": ["DERIVED", {"starts": "ORIG"}]},
    {"Rows": "128"},
    {"Rows": 128},
    {"Rows": {"between": ["128", "128"]}},
    {"Rows": {"above": "64"}},
    {"(0008,0060)": "PT"},
    {"(0019,xx0C GEMS_ACQU_01)": "ge*"},
    {"RadiopharmaceuticalInformationSequence[0].RadionuclideTotalDose": {"above": "1e8"}},
    {"RadiopharmaceuticalInformationSequence.RadionuclideTotalDose": "100"},
    {"RadiopharmaceuticalInformationSequence": {"present": "true"}},
    {"TransferSyntaxUID": EXPLICIT_LITTLE_ENDIAN},
    {"StudyID": {"present": "false"}},
    {"StudyID": {"not": {"present": "true"}}},
    {"StudyID": {"not": "1"}},
    {"not": {"StudyID": "1"}},
    {"any": [{"Modality": "CT"}, {"Modality": "PT"}]},
    {"all": [{"Modality": "PT"}, {"not": {"Modality": "CT"}}]},
    {"source": "DSTE", "calling_ae": "ge_*", "called_ae": ["MICROPACS"], "host": "10.1.1.*"},
    {"host": ["10.1.0.0/16", "scanner"]},
    {"source": {"present": "true"}},
    {"time": "11:00-13:00", "weekday": "mon"},
    {"time": {"not": ["18:00-07:00", "07:00-08:00"]}},
    {"weekday": ["sunday", "Monday"]},
]

FALSE: list[dict[str, object]] = [
    {"Modality": "P"},
    {"Modality": "PT", "StudyDescription": "whole"},
    {"Modality": "PT*PT"},
    {"all": [{"Modality": "PT"}, {"Modality": "CT"}]},
    {"StudyDescription": "body*fdg*"},
    {"StudyDescription": "*fdg*whole"},
    {"Modality": "P*T*T"},
    {"StudyDescription": "body*fdg*7"},
    {"StudyDescription": "whole*fdg*trial"},
    {"StudyDescription": "whole**nothing*7"},
    {"StudyDescription": {"between": ["0", "9"]}},
    {"PatientWeight": {"below": "71.5"}},
    {"Rows": {"between": ["1", "127"]}},
    {"Modality": {"not": ["CT", "PT"]}},
    {"Modality": {"exactly": "pt"}},
    {"Modality": {"exactly": "P?"}},
    {"PatientID": {"matches": r"\d{1,6}"}},
    {"PatientName": "Yamada"},
    {"PatientName": "田*"},
    {"PatientAge": {"above": "17Y"}},
    {"PatientWeight": {"above": "71.5"}},
    {"PatientWeight": "71.5"},
    {"StudyDescription": {"above": "0"}},
    {"StudyTime": {"above": "09:31"}},
    {"AccessionNumber": {"above": "0"}},
    {"ImageType": {"not": "primary"}},
    {"StudyID": ""},
    {"StudyID": "*"},
    {"StudyID": {"matches": ".*"}},
    {"StudyID": {"below": "5"}},
    {"StudyID": {"present": "true"}},
    {"(0019,xx0C OTHER)": "ge*"},
    {"(0019,xx0D GEMS_ACQU_01)": {"present": "true"}},
    {"RadiopharmaceuticalInformationSequence[2].RadionuclideTotalDose": {"present": "true"}},
    {"host": "10.2.0.0/16"},
    {"time": "18:00-07:00"},
    {"weekday": "tue"},
    {"PixelData": {"present": "true"}},
]


@pytest.mark.parametrize("when", TRUE, ids=str)
def test_holds(when: dict[str, object]) -> None:
    """The condition holds for the PET instance."""
    assert holds(when)


@pytest.mark.parametrize("when", FALSE, ids=str)
def test_does_not_hold(when: dict[str, object]) -> None:
    """The condition does not hold for the PET instance."""
    assert not holds(when)


@pytest.mark.parametrize("when", TRUE + FALSE, ids=str)
def test_negation(when: dict[str, object]) -> None:
    """`not:` is plain negation, whatever stands under it."""
    assert holds({"not": when}) is not holds(when)


def test_unknown_sender() -> None:
    """An unknown sender has no source: it equals no name, and only `present` sees it."""
    unknown = arrival(source=None)
    assert not holds({"source": "*"}, came=unknown)
    assert holds({"source": {"present": "false"}}, came=unknown)
    assert not holds({"host": "10.0.0.0/8"}, came=arrival(host="scanner.example.org"))


NAMES = "matches, contains, starts, ends, exactly, above, below, between, present, not"
REFUSED: list[tuple[object, tuple[object, ...], str, str | None]] = [
    ({"PatientIDD": "1"}, ("PatientIDD", "[key]"), "is not a DICOM keyword", "PatientID"),
    ({"sorce": "dste"}, ("sorce", "[key]"), "is not a DICOM keyword", "source"),
    ({"matches": "x"}, ("matches", "[key]"), "'matches' is an operator: it goes under a name", None),
    (
        {"PatientID": {"match": "x"}},
        ("PatientID", "match", "[key]"),
        f"'match' is not an operator; there are {NAMES}",
        "matches",
    ),
    ({"Modality:PT": None}, ("Modality:PT", "[key]"), "'Modality:PT' needs a space after its colon", None),
    ({"PatientID": {"matches": "("}}, ("PatientID", "matches"), "'(' is not a regular expression: missing ): (", None),
    ({"PatientID": {"matches": r"(a)\1"}}, ("PatientID", "matches"), "is not a regular expression", None),
    ({"PatientID": {"starts": "1", "ends": "2"}}, ("PatientID",), "one operator only", None),
    ({"PatientID": {}}, ("PatientID",), "an operator is missing", None),
    ({"PatientID": None}, ("PatientID",), "no value; write", None),
    ({"PatientID": []}, ("PatientID",), "the list is empty", None),
    ({"PatientID": ["1", None]}, ("PatientID", 1), "no value; write", None),
    ({"PatientID": ["1", ["2"]]}, ("PatientID", 1), "a text is expected here", None),
    ({"PatientID": {"contains": " "}}, ("PatientID", "contains"), "needs a text", None),
    ({"PatientID": {"present": "perhaps"}}, ("PatientID", "present"), "'perhaps' is neither true nor false", None),
    ({"PatientAge": {"above": "18"}}, ("PatientAge", "above"), "is compared with an age such as 018Y", None),
    ({"StudyDate": {"below": "yesterday"}}, ("StudyDate", "below"), "is compared with a date", None),
    ({"Rows": {"between": ["1"]}}, ("Rows", "between"), "between: takes two values", None),
    ({"Rows": {"between": ["1", None]}}, ("Rows", "between", 1), "no value; write", None),
    ({"Rows": {"between": "12"}}, ("Rows", "between"), "between: takes two values", None),
    ({"Modality": True}, ("Modality",), "a text is expected here", None),
    ({"PatientID": {"matches": "a" * 10_001}}, ("PatientID", "matches"), "longer than 10000 characters", None),
    ({"Rows": {"between": ["2", "1"]}}, ("Rows", "between"), "nothing lies between them", None),
    ({"ReferencedStudySequence": "1"}, ("ReferencedStudySequence",), "holds no text", None),
    ({"PixelData": {"contains": "1"}}, ("PixelData", "contains", "[key]"), "holds no text", None),
    ({"MediaStorageSOPClassUID": "1"}, ("MediaStorageSOPClassUID", "[key]"), "is not in the header", None),
    ({"time": "18-7"}, ("time",), "is not a window of time", None),
    ({"weekday": ["mon", "tusday"]}, ("weekday", 1), "is not a weekday such as mon or tuesday", "tuesday"),
    ({"time": {"above": "12:00"}}, ("time", "above", "[key]"), "time takes a value, a list, or not:", None),
    ({"host": "10.1.0.0/99"}, ("host",), "is not a network", None),
    ({"(0019": None}, ("(0019", "[key]"), "inside braces a tag stands in quotes", None),
    ({"(2001,xxZZ SPI-P:X)": None}, ("(2001,xxZZ SPI-P:X)", "[key]"), "is not a DICOM keyword, tag, path", None),
    ({"suv_computable": ["true", "false"]}, ("suv_computable",), "suv_computable takes true or false", None),
    ({"suv_computable": []}, ("suv_computable",), "suv_computable takes true or false", None),
    ({"suv_computable": {"above": "true"}}, ("suv_computable",), "suv_computable takes a value, or not:", None),
    ({"same_frame_of_reference": []}, ("same_frame_of_reference",), "takes modalities, such as [PT, CT]", None),
    ({"same_frame_of_reference": ["PT", " "]}, ("same_frame_of_reference",), "takes modalities", None),
    ({"all": {"Modality": "PT"}}, ("all",), "all: takes a list of conditions", None),
    ({"any": []}, ("any",), "any: takes a list of conditions", None),
    ({"any": [{"Modality": "PT"}, {"Modalty": "PT"}]}, ("any", 1, "Modalty", "[key]"), "is not a DICOM", "Modality"),
    ({"not": None}, ("not",), "the condition is empty", None),
    ({}, (), "the condition is empty; leave it out where every instance is meant", None),
    ("PT", (), "a condition is a mapping", None),
]


@pytest.mark.parametrize(("when", "loc", "message", "suggestion"), REFUSED, ids=lambda value: str(value)[:60])
def test_refused(when: object, loc: tuple[object, ...], message: str, suggestion: str | None) -> None:
    """A mistake is found at load, at its place, in plain words."""
    with pytest.raises(ValidationError) as refused:
        compile_condition(when)
    (error,) = refused.value.errors()
    assert error["loc"] == loc
    assert message in error["msg"]
    assert error["ctx"].get("suggestion") == suggestion


def test_the_longest_pattern() -> None:
    """A regular expression of ten thousand characters is still one."""
    assert holds({"StudyDescription": {"matches": "a" * 10_000}}, Given(("A" * 10_000,)))


def test_the_sources_it_asks_for() -> None:
    """A condition tells the names of sources it asks for, at any depth, each with its place, and no other text."""
    when = {"source": ["dste", "d*"], "Modality": "PT", "not": {"any": [{"source": "dls"}, {"calling_ae": "X"}]}}
    found = compile_condition(when).sources()
    assert found == ((("source", 0), "dste"), (("not", "any", 0, "source"), "dls"))


def test_every_mistake_is_told() -> None:
    """All mistakes of a condition are reported, not only the first."""
    with pytest.raises(ValidationError) as refused:
        compile_condition({"Modalty": "PT", "all": [{"StudyDate": {"above": "x"}}, {"weekday": "x"}]})
    assert len(refused.value.errors()) == 3


words = st.text(st.sampled_from("aAbß?*^= \n1İ山"), max_size=8)
patterns = st.text(st.sampled_from("aAbß1山?*"), max_size=6)


class Given:
    """A header that holds just one attribute."""

    def __init__(self, values: tuple[str, ...] | None) -> None:
        self.held = values

    def values(self, attribute: Attribute) -> tuple[str, ...] | None:
        """The same for every attribute but StudyID, which is absent."""
        return self.held if attribute.name != "StudyID" else None


def simple_fold(text: str) -> str:
    """Case folded character by character."""
    return "".join(each.casefold() if len(each.casefold()) == 1 else each for each in text.strip())


def oracle(pattern: str, text: str) -> bool:
    """Wildcards by the standard library's backtracking matcher."""
    expression = "".join({"*": ".*", "?": "."}.get(each) or re.escape(each) for each in simple_fold(pattern))
    return re.fullmatch(expression, simple_fold(text), re.DOTALL) is not None


@given(patterns, st.lists(words, max_size=3))
def test_wildcards(pattern: str, values: list[str]) -> None:
    """`*` is any characters, `?` is one, in any value, as an independent matcher has it."""
    present = Given(tuple(values))
    expected = any(oracle(pattern, value) for value in values or [""])
    assert holds({"StudyDescription": pattern}, present) is expected


@given(st.lists(patterns, min_size=1, max_size=4), st.lists(words, max_size=3))
def test_a_list_is_any_of(texts: list[str], values: list[str]) -> None:
    """A list holds exactly when one of its entries alone does."""
    present = Given(tuple(values))
    alone = [holds({"StudyDescription": text}, present) for text in texts]
    assert holds({"StudyDescription": list(texts)}, present) is any(alone)
    assert holds({"any": [{"StudyDescription": text} for text in texts]}, present) is any(alone)
    assert holds({"all": [{"StudyDescription": text} for text in texts]}, present) is all(alone)
    assert holds({"StudyDescription": {"not": list(texts)}}, present) is not any(alone)


tests_of_a_value = st.one_of(
    words,
    st.builds(
        lambda name, text: {name: text or "x"}, st.sampled_from(["contains", "starts", "ends"]), st.sampled_from("a1?")
    ),
    st.builds(lambda text: {"exactly": text}, words),
    st.builds(lambda text: {"matches": re.escape(text)}, st.text("ab1", max_size=3)),
    st.builds(lambda number: {"above": str(number)}, st.integers(-5, 5)),
    st.just({"below": "1e400"}),
    st.just({"present": "true"}),
)
anything = st.text(st.characters(), max_size=12)


@given(
    st.sampled_from(["StudyDescription", "PatientName", "PatientWeight", "StudyID", "(0019,xx0C GEMS_ACQU_01)"]),
    tests_of_a_value,
    st.none() | st.lists(anything | st.sampled_from(["NaN", "1e999999999", "∞", "١", "\ud800", "-"]), max_size=3),
)
def test_no_header_breaks_a_condition(name: str, test: object, values: list[str] | None) -> None:
    """Whatever the values, a condition holds or does not, and its negation is the contrary; absent never holds."""
    read = Given(None if values is None else tuple(values))
    answer = holds({name: test}, read)
    assert answer is not holds({name: {"not": test}}, read)
    if values is None:
        assert not answer


@given(st.sampled_from(["StudyDate", "StudyTime", "AcquisitionDateTime", "PatientAge"]), st.lists(anything, max_size=2))
def test_no_header_breaks_a_comparison(name: str, values: list[str]) -> None:
    """Dates, times and ages that are none are neither above nor below, and nothing breaks."""
    bound = {"StudyDate": "20240101", "StudyTime": "12", "AcquisitionDateTime": "2024", "PatientAge": "1D"}[name]
    below, above = (holds({name: {operator: bound}}, Given(tuple(values))) for operator in ("below", "above"))
    assert len(values) > 1 or not (below and above)


@given(st.integers(0, 7 * 24 * 60 - 1))
def test_time_and_weekday(minute: int) -> None:
    """A night over midnight and the working day part every moment; every moment has one weekday."""
    came = arrival(at=datetime(2026, 3, 2, tzinfo=UTC) + timedelta(minutes=minute))
    assert holds({"time": "18:00-07:00"}, came=came) is not holds({"time": "07:00-18:00"}, came=came)
    days = [holds({"weekday": day}, came=came) for day in ("mon", "tue", "wed", "thu", "fri", "sat", "sunday")]
    assert days.count(True) == 1
    assert days.index(True) == minute // (24 * 60)


def test_linear_time() -> None:
    """A pattern that makes other engines explode is answered at once."""
    assert not holds({"StudyDescription": {"matches": "(a*)*b"}}, Given(("a" * 10_000,)))
    assert not holds({"StudyDescription": "*a" * 20 + "b"}, Given(("a" * 10_000,)))
