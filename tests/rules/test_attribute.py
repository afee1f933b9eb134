"""Names of attributes."""

import pytest

from rules.attribute import Attribute, Private, Step
from rules.errors import AttributeNameError


def test_keyword() -> None:
    """A DICOM keyword names its tag and has its VR."""
    attribute = Attribute.parse("PatientID")
    assert attribute.steps == (Step(0x00100020, None, None),)
    assert (attribute.name, attribute.vr, attribute.maximum_values) == ("PatientID", "LO", 1)


def test_tag() -> None:
    """A tag is written (gggg,eeee), in either case, private ones too."""
    assert Attribute.parse("(0019,100C)").steps == (Step(0x0019100C, None, None),)
    assert Attribute.parse("(0010,0020)").vr == "LO"


def test_private() -> None:
    """A private attribute is named by group, low byte and creator, whatever the creator is called."""
    attribute = Attribute.parse("(0019,xx0C GEMS_ACQU_01)")
    assert attribute.steps == (Step(None, Private(0x0019, 0x0C, "GEMS_ACQU_01"), None),)
    strange = Attribute.parse("(2001,xx03 Philips (imaging) 1.0)[2].PatientID")
    assert strange.steps[0] == Step(None, Private(0x2001, 0x03, "Philips (imaging) 1.0"), 2)
    assert Attribute.parse("(0029,xx10 SIEMENS CSA HEADER)").vr == "OB"


def test_path() -> None:
    """A path goes through sequences, with or without the number of an item."""
    attribute = Attribute.parse("RadiopharmaceuticalInformationSequence[0].RadionuclideTotalDose")
    assert [step.item for step in attribute.steps] == [0, None]
    assert attribute.vr == "DS"
    assert Attribute.parse("RequestAttributesSequence.RequestedProcedureID").steps[0].item is None


@pytest.mark.parametrize(
    ("name", "suggestion"),
    [
        ("PatientIDD", "PatientID"),
        ("patientid", "PatientID"),
        ("PatientNmae", "PatientName"),
        ("RequestAttributesSequence[0].RequestedProcedurID", "RequestAttributesSequence[0].RequestedProcedureID"),
        ("Xyzzy", None),
    ],
)
def test_suggestion(name: str, suggestion: str | None) -> None:
    """A mistyped keyword is refused with the one it is close to, in a path with the whole path."""
    with pytest.raises(AttributeNameError) as caught:
        Attribute.parse(name)
    assert caught.value.suggestion == suggestion


@pytest.mark.parametrize(
    "name",
    [
        "",
        " ",
        ".",
        "PatientID.",
        "PatientID[",
        "PatientID[a]",
        "PatientID PatientName",
        "(0010,00)",
        "(0010,xx01 EVEN)",
    ],
)
def test_malformed(name: str) -> None:
    """What is no name is refused."""
    with pytest.raises(AttributeNameError):
        Attribute.parse(name)


@pytest.mark.parametrize(
    "name", ["PixelData", "(0002,0010)", "(0008,0000)", "RequestAttributesSequence[0]", "(FFFA,FFFA)"]
)
def test_unwritable(name: str) -> None:
    """File meta, group lengths, whole items, pixel data and what follows cannot be edited."""
    assert Attribute.parse(name).unwritable_reason


def test_writable() -> None:
    """Everything else can."""
    assert Attribute.parse("PatientID").unwritable_reason is None
