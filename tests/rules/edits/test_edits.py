"""What each edit does to a header."""

from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import TypeAdapter

from rules.attribute import Attribute
from rules.draft import Draft
from rules.edits import AnyEdit, Edit, EditContext, Table
from rules.errors import EditError, EditHeldError, EditRejectedError
from rules.facts import Arrival
from rules.header import Header
from tests.support.elements import EXPLICIT, explicit, item, sequence

EDIT: TypeAdapter[Edit] = TypeAdapter(AnyEdit)
DATA = (
    explicit(0x00080008, "CS", b"ORIGINAL\\PRIMARY")
    + explicit(0x00080020, "DA", b"20240131")
    + explicit(0x00080080, "LO", b"NCC ")
    + explicit(0x00081030, "LO", b" pet ct ")
    + explicit(0x00081070, "PN", b"Op^A\\Op^B ")
    + explicit(0x00100020, "LO", b"1234")
    + explicit(0x00104000, "LT", b"")
    + sequence(0x00400275, *[item(explicit(0x00401001, "SH", text)) for text in (b"r1", b"r2")])
)
TABLE = Table.from_csv("old-ids", "old,new,site\n1234,00001234,A\n99,,B\n")


def draft() -> Draft:
    """A fresh draft of the data set."""
    return Draft(Header.scan(DATA, EXPLICIT))


def apply(*edits: dict[str, Any]) -> Draft:
    """A draft after these edits."""
    made = draft()
    arrival = Arrival("dste", "GE_DSTE", "MICROPACS", "10.1.1.11", datetime(2026, 1, 1, tzinfo=UTC))
    for edit in edits:
        EDIT.validate_python(edit).apply(made, EditContext(arrival, {"old-ids": TABLE}))
    return made


def after(name: str, *edits: dict[str, Any]) -> tuple[str, ...] | None:
    """One attribute after these edits."""
    return apply(*edits).values(Attribute.parse(name))


def test_set() -> None:
    """`set` gives a text, parts it at backslashes, and makes what is absent."""
    assert after("PatientID", {"set": {"PatientID": "X1"}}) == ("X1",)
    assert after("ImageType", {"set": {"ImageType": "DERIVED\\SECONDARY"}}) == ("DERIVED", "SECONDARY")
    assert after("PatientComments", {"set": {"PatientComments": "a\\b"}}) == ("a\\b",)
    assert after("ImageType", {"set": {"ImageType": ["DERIVED", "{PatientID}"]}}) == ("DERIVED", "1234")
    assert after("AccessionNumber", {"set": {"AccessionNumber": "7"}}) == ("7",)
    assert after("PatientID", {"set": {"PatientID": ""}}) == ()


def test_set_with_values() -> None:
    """Text in `set` takes present values, also those of the edit's own earlier lines; doubled braces are braces."""
    edit = {"set": {"StudyID": "{PatientID}", "StudyDescription": "{InstitutionName} {StudyDate} {{{StudyID}}}"}}
    assert after("StudyDescription", edit) == ("NCC 20240131 {1234}",)


@pytest.mark.parametrize("name", ["AccessionNumber", "PatientComments"])
def test_set_with_missing_value(name: str) -> None:
    """A value that is absent or empty holds the instance."""
    with pytest.raises(EditHeldError):
        apply({"set": {"StudyDescription": f"{{{name}}}"}})


def test_blank_and_remove() -> None:
    """`blank` empties and `remove` takes away what is present; what is absent stays so."""
    assert after("PatientID", {"blank": "PatientID"}) == ()
    assert after("PatientID", {"remove": ["StudyDate", "PatientID"]}) is None
    assert after("RequestAttributesSequence", {"remove": "RequestAttributesSequence"}) is None
    assert not apply({"blank": "AccessionNumber"}, {"remove": "AccessionNumber"}).changed


def test_letters() -> None:
    """`upper`, `lower` and `strip` work on every value, in every item."""
    assert after("StudyDescription", {"upper": "StudyDescription"}) == (" PET CT",)
    assert after("OperatorsName", {"lower": ["OperatorsName"]}) == ("op^a", "op^b")
    assert after("StudyDescription", {"strip": "StudyDescription"}) == ("pet ct",)
    path = "RequestAttributesSequence.RequestedProcedureID"
    assert after(path, {"upper": path}) == ("R1", "R2")


def test_copy() -> None:
    """`copy` takes all values; where the source is absent the target is removed."""
    assert after("AccessionNumber", {"copy": {"from": "PatientID", "to": "AccessionNumber"}}) == ("1234",)
    assert after("PatientID", {"copy": {"from": "AccessionNumber", "to": "PatientID"}}) is None
    assert after("PatientComments", {"copy": {"from": "OperatorsName", "to": "PatientComments"}}) == ("Op^A\\Op^B",)


def test_replace() -> None:
    """`replace` changes every match, with groups, minding case."""
    edit = {"keyword": "PatientID", "pattern": r"(\d)(\d)", "with": r"\2\1"}
    assert after("PatientID", {"replace": edit}) == ("2143",)
    assert after("PatientID", {"replace": {"keyword": "PatientID", "pattern": "X", "with": "y"}}) == ("1234",)
    assert after("InstitutionName", {"replace": {"keyword": "InstitutionName", "pattern": "C", "with": ""}}) == ("N",)
    assert after("PatientComments", {"replace": {"keyword": "PatientComments", "pattern": "^", "with": "x"}}) == ()


def test_pad() -> None:
    """`pad` fills up on the left, and leaves what is long enough, empty or absent."""
    assert after("PatientID", {"pad": {"keyword": "PatientID", "width": "8", "with": "0"}}) == ("00001234",)
    assert after("PatientID", {"pad": {"keyword": "PatientID", "width": "8"}}) == ("00001234",)
    assert after("PatientID", {"pad": {"keyword": "PatientID", "width": "3"}}) == ("1234",)
    assert after("PatientComments", {"pad": {"keyword": "PatientComments", "width": "3"}}) == ()
    assert after("AccessionNumber", {"pad": {"keyword": "AccessionNumber", "width": "3"}}) is None


def test_prefix_suffix_truncate() -> None:
    """`prefix`, `suffix` and `truncate` in the long form and the short one, on every value."""
    assert after("PatientID", {"prefix": {"keyword": "PatientID", "with": "NCC-"}}) == ("NCC-1234",)
    assert after("PatientID", {"suffix": {"PatientID": " b"}}) == ("1234 b",)
    assert after("OperatorsName", {"prefix": {"OperatorsName": "x"}}) == ("xOp^A", "xOp^B")
    for edit in ({"PatientID": "2"}, {"keyword": "PatientID", "width": "2"}, {"keyword": "PatientID", "length": "2"}):
        assert after("PatientID", {"truncate": edit}) == ("12",)
    assert not apply({"prefix": {"AccessionNumber": "x"}}).changed


def test_lookup() -> None:
    """`lookup` translates by the table's first column after the key, or the one named."""
    assert after("PatientID", {"lookup": {"keyword": "PatientID", "table": "old-ids"}}) == ("00001234",)
    assert after("PatientID", {"lookup": {"keyword": "PatientID", "table": "old-ids", "column": "site"}}) == ("A",)


@pytest.mark.parametrize("value", ["5", "99", ""])
def test_lookup_missing(value: str) -> None:
    """A value the table lacks, or has no text for, or that is not there: hold (if not said), reject, keep or blank."""

    def looked_up(**more: str) -> tuple[str, ...] | None:
        edit = {"lookup": {"keyword": "PatientID", "table": "old-ids", **more}}
        return after("PatientID", {"set": {"PatientID": value}}, edit)

    with pytest.raises(EditHeldError) as caught:
        looked_up()
    assert not value or value not in str(caught.value)
    with pytest.raises(EditRejectedError):
        looked_up(missing="reject")
    assert looked_up(missing="keep") == ((value,) if value else ())
    assert looked_up(missing="blank") == ()


def test_lookup_without_table() -> None:
    """A table or a column that does not exist is an EditError."""
    with pytest.raises(EditError):
        apply({"lookup": {"keyword": "PatientID", "table": "none"}})
    with pytest.raises(EditError):
        apply({"lookup": {"keyword": "PatientID", "table": "old-ids", "column": "none"}})


def test_too_long() -> None:
    """A result the VR cannot hold is an EditError without the value in it."""
    with pytest.raises(EditError) as caught:
        apply({"pad": {"keyword": "PatientID", "width": "65"}})
    assert "1234" not in str(caught.value)


def test_writes() -> None:
    """Every edit tells which attributes it may change."""
    edit = EDIT.validate_python({"set": {"PatientID": "1", "StudyID": "2"}})
    assert [attribute.name for attribute in edit.writes()] == ["PatientID", "StudyID"]
    assert EDIT.validate_python({"lookup": {"keyword": "PatientID", "table": "t"}}).table_names() == ("t",)


def test_a_name_after_keyword() -> None:
    """Edits that take names only also take them after `keyword`, in the manner of the other edits."""
    assert after("StudyDescription", {"upper": {"keyword": "StudyDescription"}}) == (" PET CT",)
    assert after("StudyDescription", {"strip": {"keyword": ["PatientID", "StudyDescription"]}}) == ("pet ct",)
    assert after("StudyDescription", {"remove": {"keyword": "StudyDescription"}}) is None
