"""Edits as splices, and their undoing."""

import io
import struct
import warnings
import zlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset

from rules.attribute import Attribute
from rules.draft import Draft, Splice, undo
from rules.errors import EditError, HeaderError, RulesError
from rules.header import Header
from tests.support.data import data_set, name_of, needs_data, sample
from tests.support.elements import DEFLATED, EXPLICIT, IMPLICIT, UNDEFINED, explicit, implicit, item, sequence
from tests.support.rules import arrival, ruleset

FILES = sample("series", "pet-ct-templates", "modalities", "transfer-syntaxes", "charsets", "malformed", series=1)
REQUEST = "RequestAttributesSequence[0].RequestedProcedureID"
PRIVATE = "(0099,xx01 MICROPACS)"
EDITED = {0x00100020, 0x00400275, 0x00081030, 0x00990010, 0x00991001, 0x00080005}
PIXELS = explicit(0x7FE00010, "OW", b"\x01\x02" * 8)


def edited(data: bytes, syntax: str = EXPLICIT, **texts: str | None) -> bytes:
    """A data set with attributes set (None: removed), after checking that undoing gives it back."""
    draft = Draft(Header.scan(data, syntax))
    for name, text in texts.items():
        if text is None:
            draft.remove(Attribute.parse(name))
        else:
            draft.set(Attribute.parse(name), (text,))
    return spliced(data, draft.splice())


def spliced(data: bytes, splice: Splice) -> bytes:
    """The new data set, after checking that undoing gives the original to the byte."""
    assert undo(splice.prefix, splice.restore) == data[: splice.resume]
    return splice.prefix + data[splice.resume :]


def read(data: bytes, syntax: str) -> tuple[Dataset, dict[int, object]]:
    """A data set as pydicom reads it, without pixels, and its values by tag: encoded, or the items of a sequence."""
    header = Header.scan(data, syntax)
    encoded = header.top.data
    layout = header.top.layout
    dataset = read_dataset(
        io.BytesIO(encoded), layout.implicit, layout.little, stop_when=lambda tag, _vr, _length: tag >= 0x7FE00008
    )
    return dataset, {int(tag): element.value for tag in dataset.keys() if (element := dataset.get_item(tag))}  # noqa: SIM118


@needs_data
@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_splice_and_undo(path: Path) -> None:
    """On every file: set, nested set, remove and a private attribute change what they name; undo is the identity."""
    data, syntax = data_set(path)
    try:
        header = Header.scan(data, syntax)
    except HeaderError:
        return
    draft = Draft(header)
    try:
        draft.set(Attribute.parse("PatientID"), ("00001234",))
        draft.set(Attribute.parse(REQUEST), ("RP1",))
        draft.remove(Attribute.parse("StudyDescription"))
        draft.set(Attribute.parse(PRIVATE), ("hello",))
    except EditError:
        assert not header.editable
        return
    splice = draft.splice()
    original = undo(splice.prefix, splice.restore)
    new = splice.prefix + data[splice.resume :]
    assert original == data[: splice.resume]
    if header.deflated is None:
        assert new[len(splice.prefix) :] == data[splice.resume :]
    again = Header.scan(new, syntax)
    for name in ("PatientID", REQUEST, "StudyDescription", PRIVATE):
        assert again.values(Attribute.parse(name)) == draft.values(Attribute.parse(name))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _, before = read(data, syntax)
        dataset, after = read(new, syntax)
    assert dataset.PatientID == "00001234"
    assert dataset.RequestAttributesSequence[0].RequestedProcedureID == "RP1"
    for tag in before.keys() | after.keys():
        if tag not in EDITED and tag & 0xFFFF:
            assert before[tag] == after[tag], tag


def test_nothing_changed() -> None:
    """A draft without edits, or with edits back to what stood there, is unchanged and its splice is the original."""
    data = explicit(0x00100020, "LO", b"12\0\0") + PIXELS
    draft = Draft(Header.scan(data, EXPLICIT))
    draft.set(Attribute.parse("PatientID"), ("34",))
    assert draft.changed
    draft.set(Attribute.parse("PatientID"), ("12",))
    draft.remove(Attribute.parse("StudyDescription"))
    draft.blank(Attribute.parse("StudyDescription"))
    assert not draft.changed
    assert spliced(data, draft.splice()) == data


def test_padding_is_no_change() -> None:
    """Spaces at the end of new text are padding: they are not read again, so they change nothing."""
    data = explicit(0x00081030, "LO", b"PET ") + explicit(0x00180015, "CS", b"BRAIN ") + PIXELS
    draft = Draft(Header.scan(data, EXPLICIT))
    draft.set(Attribute.parse("StudyDescription"), ("PET   ",))
    draft.set(Attribute.parse("BodyPartExamined"), (" BRAIN",))
    draft.set(Attribute.parse("StudyID"), (" ",))
    draft.set(Attribute.parse("StationName"), (" CAM1 ",))
    assert draft.values(Attribute.parse("StationName")) == (" CAM1",)
    assert draft.values(Attribute.parse("StudyID")) == ()
    draft.remove(Attribute.parse("StationName"))
    draft.remove(Attribute.parse("StudyID"))
    assert not draft.changed


def test_only_named_bytes() -> None:
    """Odd paddings, odd lengths, private elements and what follows the pixels stay to the byte."""
    before = explicit(0x00080020, "DA", b"20240101  ") + explicit(0x00090010, "LO", b"ODD")
    after = explicit(0x00100030, "DA", b"\0\0") + PIXELS + explicit(0xFFFCFFFC, "OB", b"\0\0")
    data = before + explicit(0x00100020, "LO", b"1 ") + after
    assert edited(data, PatientID="123") == before + explicit(0x00100020, "LO", b"123 ") + after
    assert edited(data, PatientID=None) == before + after
    name = explicit(0x00100010, "PN", b"A^B ")
    assert edited(data, PatientName="A^B") == before + name + explicit(0x00100020, "LO", b"1 ") + after


def test_written_vr_is_kept() -> None:
    """An element keeps the VR it is written with, even UN."""
    data = explicit(0x00100020, "UN", b"1 ")
    assert edited(data, PatientID="23") == explicit(0x00100020, "UN", b"23")


@pytest.mark.parametrize("undefined", [False, True])
def test_nested_lengths(undefined: bool) -> None:
    """An edit deep inside puts right the lengths of all defined sequences and items around it."""

    def build(text: bytes) -> bytes:
        inner = sequence(0x0040A730, item(explicit(0x0040A160, "UT", text), undefined=undefined), undefined=undefined)
        outer = sequence(0x0040A730, item(inner, undefined=undefined), undefined=undefined)
        return explicit(0x00080020, "DA", b"20240101") + outer + PIXELS

    draft = Draft(Header.scan(build(b"a "), EXPLICIT))
    draft.set(Attribute.parse("ContentSequence[0].ContentSequence[0].TextValue"), ("longer",))
    assert spliced(build(b"a "), draft.splice()) == build(b"longer")


def test_insertions_at_one_place() -> None:
    """New elements at the end of an item, a new item, a new element after the sequence: each where it belongs."""
    data = sequence(0x00400275, item(explicit(0x00321060, "LO", b"x "))) + PIXELS
    draft = Draft(Header.scan(data, EXPLICIT))
    draft.set(Attribute.parse(REQUEST), ("RP",))
    draft.set(Attribute.parse("RequestAttributesSequence[0].ScheduledProcedureStepID"), ("S1",))
    draft.top.sequence(0x00400275).add(explicit(0x00401001, "SH", b"RQ"))
    draft.set(Attribute.parse("CommentsOnThePerformedProcedureStep"), ("c",))
    first = explicit(0x00321060, "LO", b"x ") + explicit(0x00400009, "SH", b"S1") + explicit(0x00401001, "SH", b"RP")
    wanted = sequence(0x00400275, item(first), item(explicit(0x00401001, "SH", b"RQ")))
    assert spliced(data, draft.splice()) == wanted + explicit(0x00400280, "ST", b"c ") + PIXELS


def test_new_sequence() -> None:
    """A path into an absent sequence makes it with one item; no edit makes a second one."""
    draft = Draft(Header.scan(PIXELS, EXPLICIT))
    draft.set(Attribute.parse("RequestAttributesSequence.RequestedProcedureID"), ("RP",))
    assert draft.values(Attribute.parse(REQUEST)) == ("RP",)
    assert spliced(PIXELS, draft.splice()) == sequence(0x00400275, item(explicit(0x00401001, "SH", b"RP"))) + PIXELS
    for number in (1, 2):
        with pytest.raises(EditError):
            draft.set(Attribute.parse(f"RequestAttributesSequence[{number}].RequestedProcedureID"), ("RP",))
    with pytest.raises(EditError):
        draft.set(Attribute.parse("PatientID.RequestedProcedureID"), ("RP",))


def test_removed_from_every_item() -> None:
    """Removing and blanking on a path without an item number works on every item, with a number on that one."""
    both = sequence(0x00400275, *[item(explicit(0x00401001, "SH", text)) for text in (b"R1", b"R2")])
    draft = Draft(Header.scan(both, EXPLICIT))
    draft.blank(Attribute.parse("RequestAttributesSequence[1].RequestedProcedureID"))
    assert draft.values(Attribute.parse("RequestAttributesSequence.RequestedProcedureID")) == ("R1",)
    draft.remove(Attribute.parse("RequestAttributesSequence.RequestedProcedureID"))
    assert draft.values(Attribute.parse("RequestAttributesSequence.RequestedProcedureID")) is None
    assert spliced(both, draft.splice()) == sequence(0x00400275, item(b""), item(b""))


def test_group_length() -> None:
    """A group length is computed anew when its group changes, and left alone when it does not."""

    def build(text: bytes, length: int) -> bytes:
        other = explicit(0x00080000, "UL", struct.pack("<L", 999)) + explicit(0x00080020, "DA", b"20240101")
        return other + explicit(0x00100000, "UL", struct.pack("<L", length)) + explicit(0x00100020, "LO", text)

    assert edited(build(b"1 ", 77), PatientID="1234") == build(b"1234", 12)


def test_private_reservation() -> None:
    """A private attribute of an absent creator gets the first free block of its group."""
    taken = explicit(0x00990010, "LO", b"OTHER ")
    draft = Draft(Header.scan(taken, EXPLICIT))
    draft.set(Attribute.parse(PRIVATE), ("x",))
    assert spliced(taken, draft.splice()) == taken + explicit(0x00990011, "LO", b"MICROPACS ") + explicit(
        0x00991101, "LO", b"x "
    )


def test_own_character_set() -> None:
    """New text is written in the data set's own character set while that can hold it."""
    data = explicit(0x00080005, "CS", b"ISO_IR 144") + explicit(0x00100020, "LO", b"1 ")
    new = edited(data, PatientName="Люкceмбypг")
    assert new.endswith(
        explicit(0x00100010, "PN", "Люкceмбypг".encode("iso8859_5")) + explicit(0x00100020, "LO", b"1 ")
    )


def test_conversion() -> None:
    """Where the character set cannot hold new text, all text that it governs becomes UTF-8, at every level."""
    inner = explicit(0x00080005, "CS", b"ISO_IR 144") + explicit(0x00321060, "LO", "Люкс".encode("iso8859_5"))
    item_texts = (b"M\xfcll", "Müll ".encode())
    data, wanted = (
        explicit(0x00080005, "CS", charset)
        + explicit(0x00100010, "PN", name)
        + explicit(0x00104000, "LT", b"plain ")
        + sequence(0x00400275, item(explicit(0x00321060, "LO", text)), item(inner))
        for charset, name, text in (
            (b"ISO_IR 100", b"M\xfcller", item_texts[0]),
            (b"ISO_IR 192", "Müller ".encode(), item_texts[1] + b" " * (len(item_texts[1]) & 1)),
        )
    )
    request = explicit(0x00400280, "ST", "東京".encode())
    assert edited(data, CommentsOnThePerformedProcedureStep="東京") == wanted + request


def test_unconvertible() -> None:
    """Text that is not in its declared character set cannot be converted: the edit fails and nothing is changed."""
    data = explicit(0x00100010, "PN", b"M\xfcller") + explicit(0x00100020, "LO", b"1 ")
    draft = Draft(Header.scan(data, EXPLICIT))
    with pytest.raises(EditError):
        draft.set(Attribute.parse("InstitutionName"), ("東京",))
    assert not draft.changed


def test_declaring_a_character_set() -> None:
    """Setting the Specific Character Set changes how the text is read, not its bytes."""
    data = explicit(0x00100010, "PN", b"M\xfcller")
    draft = Draft(Header.scan(data, EXPLICIT))
    draft.set(Attribute.parse("SpecificCharacterSet"), ("ISO_IR 101",))
    assert draft.values(Attribute.parse("PatientName")) == ("Müller",)
    draft.set(Attribute.parse("InstitutionName"), ("Łódź",))
    new = spliced(data, draft.splice())
    assert (
        new == explicit(0x00080005, "CS", b"ISO_IR 101") + explicit(0x00080080, "LO", "Łódź".encode("iso8859_2")) + data
    )


def test_declaring_another_character_set_later() -> None:
    """What was read or set before a character set is declared is read and written with that as well."""
    data = explicit(0x00080005, "CS", b"ISO_IR 100") + explicit(0x00100010, "PN", b"M\xa3ller")
    draft = Draft(Header.scan(data, EXPLICIT))
    assert draft.values(Attribute.parse("PatientName")) == ("M£ller",)
    draft.set(Attribute.parse("InstitutionName"), ("Müller",))
    draft.set(Attribute.parse("SpecificCharacterSet"), ("ISO_IR 101",))
    assert draft.values(Attribute.parse("PatientName")) == ("MŁller",)
    draft.set(Attribute.parse("SpecificCharacterSet"), ("ISO_IR 192",))
    assert explicit(0x00080080, "LO", "Müller ".encode()) in spliced(data, draft.splice())


def test_deflated() -> None:
    """A deflated data set is spliced whole; undone it is the original, however that was deflated."""
    inflated = explicit(0x00100020, "LO", b"1 ") + PIXELS
    deflater = zlib.compressobj(0, wbits=-15)
    data = deflater.compress(inflated) + deflater.flush()
    draft = Draft(Header.scan(data, DEFLATED))
    draft.set(Attribute.parse("PatientID"), ("22",))
    splice = draft.splice()
    assert splice.resume == len(data)
    assert zlib.decompress(splice.prefix, -15) == explicit(0x00100020, "LO", b"22") + PIXELS
    assert undo(splice.prefix, splice.restore) == data


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("PatientID", ("x" * 65,)),
        ("PatientID", ("a", "b")),
        ("Modality", ("ct",)),
        ("StudyDate", ("20240231",)),
        ("Rows", ("65536",)),
        ("Rows", ("many",)),
        ("InstitutionName", ("a\nb",)),
        ("PixelData", ("1",)),
        ("RequestAttributesSequence", ("1",)),
        ("TransferSyntaxUID", ("1.2",)),
        ("PatientName", ("A=B=C=D",)),
        ("PatientAge", ("٠٤٥Y",)),
    ],
)
def test_refused_values(name: str, values: tuple[str, ...]) -> None:
    """What the VR or the multiplicity does not allow, and what is no element of the header, is an EditError."""
    draft = Draft(Header.scan(explicit(0x00280010, "US", b"\1\0") + PIXELS, EXPLICIT))
    with pytest.raises(EditError) as caught:
        draft.set(Attribute.parse(name), values)
    assert name in str(caught.value)
    assert values[0] not in str(caught.value) or len(values[0]) < 2


@pytest.mark.parametrize("order", [("name", "id", "name"), ("id", "name", "id"), ("id", "id", "name")])
def test_repeated_element(order: tuple[str, ...]) -> None:
    """A header that has an element twice, in whatever order, is not edited: the other one would stay."""
    elements = {"name": explicit(0x00100010, "PN", b"A^B "), "id": explicit(0x00100020, "LO", b"1 ")}
    draft = Draft(Header.scan(b"".join(elements[each] for each in order), EXPLICIT))
    draft.remove(Attribute.parse("PatientName"))
    with pytest.raises(EditError):
        draft.splice()


@pytest.mark.parametrize("edit", ["blank: PatientName", "set: {PatientName: ''}", "upper: PatientName"])
def test_repeated_element_that_seems_to_be_as_wished(edit: str) -> None:
    """Where the last of two is as an edit wants it, the other one is not: the copy is held, not sent as it is."""
    names = explicit(0x00100010, "PN", b"Hong^Gildong") + explicit(0x00100010, "PN", b"")
    rules = ruleset(f"routes: [{{name: out, edit: [{{{edit}}}], to: [x]}}]")
    with pytest.raises(EditError, match="twice"):
        rules.prepare("out", Header.scan(names, EXPLICIT), arrival())
    held = ruleset(f"normalise: [{{name: n, edit: [{{{edit}}}]}}]").decide(Header.scan(names, EXPLICIT), arrival()).held
    assert held is not None
    assert "twice" in held.reason


def test_reread_header() -> None:
    """A header that only pydicom understands is read but not edited."""
    data = (
        explicit(0x00080020, "DA", b"20240101") + b"\x10\x00\x10\x00ZZ\x04\x00A^B " + explicit(0x00100020, "LO", b"1 ")
    )
    header = Header.scan(data, EXPLICIT)
    assert header.values(Attribute.parse("PatientID")) == ("1",)
    draft = Draft(header)
    draft.set(Attribute.parse("PatientID"), ("1",))
    with pytest.raises(EditError):
        draft.set(Attribute.parse("PatientID"), ("2",))
    with pytest.raises(EditError):
        draft.remove(Attribute.parse("PatientID"))


@pytest.mark.parametrize("restore", [b"", b"\x07", b"\x01abc", b"\x01" + struct.pack("<QQQ", 5, 1, 2**40)])
def test_damaged_restore(restore: bytes) -> None:
    """A damaged record of a change is a RulesError, never wrong bytes."""
    with pytest.raises(RulesError):
        undo(b"prefix", restore)


@settings(max_examples=200, deadline=None)
@given(
    edits=st.lists(
        st.tuples(
            st.sampled_from(
                ["PatientID", REQUEST, "StudyDescription", PRIVATE, "PatientComments", "ContentSequence[0].TextValue"]
            ),
            st.one_of(st.none(), st.text("aä한 東", max_size=12)),
        ),
        max_size=8,
    ),
    syntax=st.sampled_from([EXPLICIT, IMPLICIT]),
    undefined=st.booleans(),
)
def test_any_edits(edits: list[tuple[str, str | None]], syntax: str, undefined: bool) -> None:
    """Any edits in any order: the spliced data set reads as the draft did, and undoing gives the original."""
    data = (
        explicit(0x00080005, "CS", b"ISO_IR 100")
        + explicit(0x00081030, "LO", b"M\xfcll")
        + sequence(0x00400275, item(explicit(0x00401001, "SH", b"\xe4 "), undefined=undefined), undefined=undefined)
        + PIXELS
    )
    if syntax == IMPLICIT:
        nested = item(implicit(0x00401001, b"\xe4 "), undefined=undefined)
        nested += implicit(0xFFFEE0DD, b"") if undefined else b""
        data = (
            implicit(0x00080005, b"ISO_IR 100")
            + implicit(0x00081030, b"M\xfcll")
            + implicit(0x00400275, nested, UNDEFINED if undefined else None)
            + implicit(0x7FE00010, b"\1\2")
        )
    draft = Draft(Header.scan(data, syntax))
    for name, text in edits:
        if text is None:
            draft.remove(Attribute.parse(name))
        else:
            draft.set(Attribute.parse(name), (text,))
    again = Header.scan(spliced(data, draft.splice()), syntax)
    for name in ("PatientID", REQUEST, "StudyDescription", "PatientComments", "ContentSequence[0].TextValue"):
        assert again.values(Attribute.parse(name)) == draft.values(Attribute.parse(name))


def test_a_removed_private_attribute_is_not_seen_again() -> None:
    """What was removed is absent for the next edit and condition, also where it was named by its creator."""
    data = explicit(0x00990010, "LO", b"MICROPACS ") + explicit(0x00991001, "LO", b"5 ") + PIXELS
    for name in (PRIVATE, "(0099,1001)"):
        draft = Draft(Header.scan(data, EXPLICIT))
        draft.remove(Attribute.parse(name))
        assert draft.values(Attribute.parse(PRIVATE)) is None
        assert draft.values(Attribute.parse("(0099,1001)")) is None


def test_a_text_as_wrong_as_scanners_send_it() -> None:
    """Not checked, small letters in a code and too long a text are written, under the VR they should have."""
    draft = Draft(Header.scan(explicit(0x00080060, "CS", b"PT") + PIXELS, EXPLICIT))
    for name, text in (("Modality", "pt"), ("StationName", "a name of more than 16")):
        with pytest.raises(EditError):
            draft.set(Attribute.parse(name), (text,))
        draft.set(Attribute.parse(name), (text,), checked=False)
    prefix = draft.splice().prefix
    assert prefix.startswith(explicit(0x00080060, "CS", b"pt"))
    assert explicit(0x00081010, "SH", b"a name of more than 16") in prefix
