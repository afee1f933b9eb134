"""The record of old values in the archived header."""

import io
from datetime import UTC, datetime, timedelta, timezone

from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset

from rules.attribute import Attribute
from rules.draft import Draft, undo
from rules.header import Header
from rules.original_attributes import record
from tests.support.elements import EXPLICIT, explicit, item, sequence

AT = datetime(2026, 3, 1, 12, 30, tzinfo=timezone(timedelta(hours=1)))
DATA = (
    explicit(0x00080005, "CS", b"ISO_IR 100")
    + explicit(0x00100010, "PN", b"M\xfcller")
    + explicit(0x00100020, "LO", b"12\0 ")
    + sequence(0x00400275, item(explicit(0x00401001, "SH", b"RP")), undefined=True)
)


def recorded(data: bytes, **texts: str) -> tuple[bytes, Dataset]:
    """The edited data set and pydicom's reading of it, after checking that undoing gives the original."""
    header = Header.scan(data, EXPLICIT)
    draft = Draft(header)
    for name, text in texts.items():
        draft.set(Attribute.parse(name), (text,))
    record(draft, header, AT, "MICROPACS")
    splice = draft.splice()
    assert undo(splice.prefix, splice.restore) == data
    return splice.prefix, read_dataset(io.BytesIO(splice.prefix), False, True)


def test_old_values() -> None:
    """One item tells the old values, when and by whom; what was absent is recorded as empty (PS3.3 C.12.1.1.9)."""
    _, dataset = recorded(DATA, PatientID="00000012", InstitutionName="NCC")
    (entry,) = dataset.OriginalAttributesSequence
    assert entry.AttributeModificationDateTime == "20260301123000.000000+0100"
    assert entry.ModifyingSystem == "MICROPACS"
    assert entry.ReasonForTheAttributeModification == "COERCE"
    assert entry["SourceOfPreviousValues"].is_empty
    (old,) = entry.ModifiedAttributesSequence
    assert old.PatientID == "12"
    assert old["InstitutionName"].is_empty
    assert set(old.keys()) == {0x00080080, 0x00100020}


def test_old_sequence() -> None:
    """Of an edit inside a sequence the whole old sequence is recorded, to the byte."""
    header = Header.scan(DATA, EXPLICIT)
    draft = Draft(header)
    draft.set(Attribute.parse("RequestAttributesSequence[0].RequestedProcedureID"), ("RQ",))
    record(draft, header, AT, "MICROPACS")
    assert sequence(0x00400275, item(explicit(0x00401001, "SH", b"RP")), undefined=True) in draft.splice().prefix[-300:]


def test_appended() -> None:
    """A second change is a second item; the first stays to the byte."""
    first, _ = recorded(DATA, PatientID="1")
    second, dataset = recorded(first, PatientID="2")
    assert [entry.ModifiedAttributesSequence[0].PatientID for entry in dataset.OriginalAttributesSequence] == [
        "12",
        "1",
    ]
    assert len(second) > len(first)


def test_repeatable() -> None:
    """The same input gives the same bytes."""
    assert recorded(DATA, PatientID="1")[0] == recorded(DATA, PatientID="1")[0]


def test_converted_character_set() -> None:
    """After a conversion to UTF-8 the old values keep their old character set, which their item names."""
    _, dataset = recorded(DATA, PatientName="山田", InstitutionName="NCC")
    assert dataset.SpecificCharacterSet == "ISO_IR 192"
    (old,) = dataset.OriginalAttributesSequence[0].ModifiedAttributesSequence
    assert old.SpecificCharacterSet == "ISO_IR 100"
    assert old.PatientName == "Müller"


def test_private() -> None:
    """A private attribute is recorded with its creator."""
    data = explicit(0x00990010, "LO", b"OURS") + explicit(0x00991001, "LO", b"old ")
    header = Header.scan(data, EXPLICIT)
    draft = Draft(header)
    draft.set(Attribute.parse("(0099,xx01 OURS)"), ("new",))
    draft.set(Attribute.parse("(0099,xx02 THEIRS)"), ("new",))
    record(draft, header, datetime(2026, 1, 1, tzinfo=UTC), "S")
    dataset = read_dataset(io.BytesIO(draft.splice().prefix), False, True)
    (old,) = dataset.OriginalAttributesSequence[0].ModifiedAttributesSequence
    assert old.private_block(0x99, "OURS")[0x01].value == "old"
    assert not old.private_block(0x99, "THEIRS")[0x02].value


def test_nothing() -> None:
    """Nothing changed, nothing recorded."""
    header = Header.scan(DATA, EXPLICIT)
    draft = Draft(header)
    record(draft, header, AT, "MICROPACS")
    assert not draft.changed
