"""Edits as they stand in the configuration: every mistake has one error at its place."""

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from rules.edits import AnyEdit, Edit

EDITS: TypeAdapter[tuple[Edit, ...]] = TypeAdapter(tuple[AnyEdit, ...])

MISTAKES: list[tuple[Any, tuple[int | str, ...], str]] = [
    ({"sett": {}}, ("sett",), "unknown edit 'sett', did you mean 'set'?"),
    ({"set": {"InstittionName": "x"}}, ("set", "InstittionName"), "'InstittionName' is not a DICOM keyword"),
    ({"set": {"PatientID": "a{b"}}, ("set", "PatientID"), "a lone {"),
    ({"set": {"PatientID": "{PatintName}"}}, ("set", "PatientID"), "'PatintName' is not a DICOM keyword"),
    ({"set": {"PatientID": None}}, ("set", "PatientID"), "no text"),
    ({"set": {"PatientID": ["a"]}}, ("set", "PatientID"), "one text is expected"),
    ({"set": {"Modality": "ct"}}, ("set", "Modality"), "capitals"),
    ({"set": {"PatientID": "a\\b"}}, ("set", "PatientID"), "1 value(s) only"),
    ({"set": {"SOPInstanceUID": "1.2"}}, ("set", "SOPInstanceUID"), "SOPInstanceUID is changed only by new_uids"),
    ({"set": {"SOPClassUID": "1.2"}}, ("set", "SOPClassUID"), "SOPClassUID cannot be changed"),
    ({"set": {"RequestAttributesSequence": "x"}}, ("set", "RequestAttributesSequence"), "holds no text"),
    ({"set": "x"}, ("set",), "a mapping of attributes"),
    ({"set": {}}, ("set",), "a mapping of attributes"),
    ({"blank": "PatientNme"}, ("blank",), "'PatientNme' is not a DICOM keyword"),
    ({"remove": ["PatientName", "StudyInstanceUID"]}, ("remove", 1), "would belong nowhere"),
    ({"remove": "PixelData"}, ("remove",), "PixelData cannot be edited"),
    ({"remove": {"a": "b"}}, ("remove",), "a list of names"),
    ({"remove": {"keyword": "PatientNme"}}, ("remove", "keyword"), "'PatientNme' is not a DICOM keyword"),
    ({"set": {"ImageType": []}}, ("set", "ImageType"), "one text is expected"),
    ({"pad": {"keyword": "PatientID", "width": "x"}}, ("pad", "width"), "integer"),
    ({"pad": {"keyword": "PatientID", "width": "8", "with": "00"}}, ("pad", "with"), "at most 1"),
    ({"pad": {"keyword": "PatientID", "width": "8", "fill": "0"}}, ("pad", "fill"), "Extra inputs"),
    ({"truncate": {"PatientID": "x"}}, ("truncate", "PatientID"), "not a number of characters"),
    ({"prefix": {"keyword": "PatientID", "text": "x"}}, ("prefix",), "expected {keyword: …, with: …}"),
    ({"copy": {"from": "PatientID"}}, ("copy", "to"), "Field required"),
    ({"replace": {"keyword": "PatientID", "pattern": "(", "with": ""}}, ("replace", "pattern"), "regular expression"),
    ({"replace": {"keyword": "PatientID", "pattern": "a", "with": r"\1"}}, ("replace",), "names no group"),
    ({"lookup": {"keyword": "PatientID", "table": "t", "missing": "h"}}, ("lookup", "missing"), "'hold', 'keep'"),
    ({"set": {"PatientID": "1"}, "blank": "PatientName"}, (), "exactly one key"),
    ("set", (), "exactly one key"),
    ("new_uids", (), "'new_uids' needs a colon after it: 'new_uids:'"),
    ({"shift_dates": "-30d"}, ("shift_dates", "days"), "'-30d' is not a number of days"),
    (None, (), "exactly one key"),
]


@pytest.mark.parametrize(("edit", "loc", "message"), MISTAKES)
def test_mistake(edit: object, loc: tuple[int | str, ...], message: str) -> None:
    """One wrong word gives exactly one error, at its place, in words that help."""
    with pytest.raises(ValidationError) as caught:
        EDITS.validate_python([{"blank": "StudyID"}, edit])
    (error,) = caught.value.errors()
    assert tuple(step for step in error["loc"] if step != "[key]") == (1, *loc)
    assert message in error["msg"]


def test_every_mistake() -> None:
    """Several mistakes in one edit are all told."""
    with pytest.raises(ValidationError) as caught:
        EDITS.validate_python([{"set": {"Foo": "1", "PatientID": None, "StudyID": "ok"}}])
    assert [error["loc"][:3] for error in caught.value.errors()] == [(0, "set", "Foo"), (0, "set", "PatientID")]


def test_suggestion() -> None:
    """A mistyped keyword comes with the one that was probably meant."""
    with pytest.raises(ValidationError) as caught:
        EDITS.validate_python([{"upper": ["PatientNme"]}])
    assert caught.value.errors()[0]["ctx"]["suggestion"] == "PatientName"


@pytest.mark.parametrize(
    ("short", "long"),
    [
        ({"shift_dates": "-30"}, {"shift_dates": {"days": "-30"}}),
        ({"shift_dates": None}, {"shift_dates": {}}),
        ({"shift_dates": "true"}, {"shift_dates": {}}),
        ({"new_uids": None}, {"new_uids": {}}),
        ({"anonymise": None}, {"anonymise": {"profile": "basic"}}),
        ({"anonymise": "basic"}, {"anonymise": {"profile": "basic"}}),
    ],
)
def test_options_that_go_without_saying(short: object, long: object) -> None:
    """An edit without options may stand alone, and the number of days without its name."""
    assert EDITS.validate_python([short]) == EDITS.validate_python([long])


def test_json_schema() -> None:
    """The JSON Schema offers every edit with its own words, exactly one at a time."""
    form = EDITS.json_schema()["$defs"]["EditForm"]
    assert form["maxProperties"] == 1
    assert {"set", "pad", "lookup"} <= form["properties"].keys()
    assert form["properties"]["set"]["description"]
    assert {"blank_pixels", "transcode"} <= form["properties"].keys()
