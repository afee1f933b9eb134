"""Headers read from bytes."""

import struct
import warnings
import zlib
from contextlib import suppress
from pathlib import Path

import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue

from rules.attribute import PIXEL_TAGS, Attribute, Step
from rules.errors import HeaderError, HeaderIncompleteError
from rules.header import Header, identify
from tests.support.data import data_set, name_of, needs_data, sample
from tests.support.elements import (
    BIG_ENDIAN,
    DEFLATED,
    EXPLICIT,
    IMPLICIT,
    UNDEFINED,
    explicit,
    implicit,
    item,
    sequence,
)

FILES = sample("series", "pet-ct-templates", "modalities", "transfer-syntaxes", "charsets", "malformed", "media")
SMALL = (
    explicit(0x00080005, "CS", b"ISO_IR 100")
    + explicit(0x00080016, "UI", b"1.2.840.10008.5.1.4.1.1.2\0")
    + explicit(0x00080018, "UI", b"1.2.3\0")
    + sequence(0x00081140, item(explicit(0x00081155, "UI", b"1.2\0"), undefined=True), undefined=True)
    + explicit(0x00100010, "PN", b"M\xfcller^A ")
    + explicit(0x00100020, "LO", b"12 ")
    + sequence(0x00400275, item(explicit(0x00401001, "SH", b"RP")), item(explicit(0x00401001, "SH", b"RQ")))
)
PIXELS = explicit(0x7FE00010, "OW", b"\x01\x02" * 8)


def values(data: bytes, name: str, syntax: str = EXPLICIT) -> tuple[str, ...] | None:
    """One attribute of a data set."""
    return Header.scan(data, syntax).values(Attribute.parse(name))


def expected(element: DataElement) -> list[str] | None:
    """What pydicom says the values are, in our form; None where it is not text."""
    if element.VR in {"SQ", "OB", "OW", "OF", "OD", "OL", "OV", "UN", "OB or OW", "US or OW", "US or SS"}:
        return None
    if element.value is None:
        return []
    listed = list(element.value) if isinstance(element.value, MultiValue | list) else [element.value]
    if element.VR == "PN":
        listed = [str(name).rstrip("=") for name in listed]
    if element.VR == "AT":
        return [f"({int(value) >> 16:04X},{int(value) & 0xFFFF:04X})" for value in listed]
    texts = [str(value).strip("\0 ") for value in listed]
    return [] if texts in ([""], []) else texts


def compare(header: Header, dataset: Dataset, path: tuple[Step, ...] = ()) -> int:
    """Assert that every element of a pydicom data set has the same values in the header; how many were compared."""
    compared = 0
    for tag in list(dataset.keys()):
        if int(tag) in PIXEL_TAGS or not int(tag) & 0xFFFF:
            continue
        raw = dataset.get_item(tag)
        if raw.VR == "UN" and header.transfer_syntax_uid == BIG_ENDIAN:
            continue  # always little endian (PS3.5 6.2.2), which pydicom does not mind
        element = dataset[tag]
        steps = (*path, Step(int(tag), None, None))
        found = header.values(Attribute(str(steps), steps))
        assert found is not None, tag
        if element.VR == "SQ":
            for index, each in enumerate(element.value):
                compared += compare(header, each, (*path, Step(int(tag), None, index)))
            continue
        wanted = expected(element)
        if wanted is None:
            continue
        if element.VR in {"FL", "FD"}:
            assert [struct.pack("<f", float(value)) for value in found] == [
                struct.pack("<f", float(value)) for value in wanted
            ]
        else:
            assert found_values(found, element.VR) == found_values(tuple(wanted), element.VR), tag
        compared += 1
    return compared


def found_values(values: tuple[str, ...], vr: str) -> list[str]:
    """Our values as far as pydicom keeps them: no spaces around, no empty component groups at the end of a name."""
    return [value.strip().rstrip("=" if vr == "PN" else "") for value in values]


@needs_data
@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_agrees_with_pydicom(path: Path) -> None:
    """Every element of every readable file, at every depth, has pydicom's values; no file makes another error."""
    data, syntax = data_set(path)
    try:
        header = Header.scan(data, syntax)
    except HeaderError:
        assert "malformed" in path.parts or path.name == "README"
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dataset = pydicom.dcmread(path, force=True, stop_before_pixels=True)
        try:
            assert compare(header, dataset) > 0 or "malformed" in path.parts
        except HeaderError:
            assert path.name == "DICOMDIR-nooffset"  # whose sequence says it is shorter than its items
        assert identify(data, syntax) == (dataset.get("SOPClassUID", ""), dataset.get("SOPInstanceUID", ""))


@needs_data
@pytest.mark.parametrize("path", sample("series", "charsets", series=1), ids=name_of)
def test_prefix(path: Path) -> None:
    """A header is read from the first bytes of a data set; where they end too early it says that more are needed."""
    data, syntax = data_set(path)
    whole = Header.scan(data, syntax)
    if whole.pixel_tag is None:
        return
    part = Header.scan(data[: whole.end + 12], syntax, complete=False)
    assert part.end == whole.end
    for cut in range(0, whole.end, 97):
        with pytest.raises(HeaderIncompleteError) as caught:
            Header.scan(data[:cut], syntax, complete=False)
        assert caught.value.needed > cut


def test_small_header() -> None:
    """Values are decoded by VR and character set; the header ends where the pixel data begins."""
    header = Header.scan(SMALL + PIXELS, EXPLICIT)
    assert header.end == len(SMALL)
    assert header.values(Attribute.parse("PatientName")) == ("Müller^A",)
    assert header.values(Attribute.parse("ReferencedImageSequence.ReferencedSOPInstanceUID")) == ("1.2",)
    assert header.values(Attribute.parse("PixelData")) == ("",)
    assert header.values(Attribute.parse("TransferSyntaxUID")) == (EXPLICIT,)


def test_path_without_item() -> None:
    """A path without the number of an item means the values of all items, one with a number those of that item."""
    assert values(SMALL, "RequestAttributesSequence.RequestedProcedureID") == ("RP", "RQ")
    assert values(SMALL, "RequestAttributesSequence[1].RequestedProcedureID") == ("RQ",)
    assert values(SMALL, "RequestAttributesSequence[2].RequestedProcedureID") is None
    assert values(SMALL, "RequestAttributesSequence[1]") == ("",)
    assert values(SMALL, "RequestAttributesSequence[2]") is None


def test_absent_and_empty() -> None:
    """An absent attribute is None, an empty one (), and one of padding alone is empty."""
    assert values(SMALL, "StudyDescription") is None
    assert values(explicit(0x00081030, "LO", b""), "StudyDescription") == ()
    assert values(explicit(0x00081030, "LO", b"  "), "StudyDescription") == ()
    assert values(explicit(0x00081140, "SQ", b""), "ReferencedImageSequence") == ()


@pytest.mark.parametrize(
    ("tag", "vr", "raw", "wanted"),
    [
        (0x00280010, "US", struct.pack("<2H", 1, 65535), ("1", "65535")),
        (0x00280106, "SS", struct.pack("<h", -5), ("-5",)),
        (0x00181063, "FD", struct.pack("<d", 0.1), ("0.1",)),
        (0x00189461, "FL", struct.pack("<f", 0.1), ("0.1",)),
        (0x00189461, "FL", b"\xff\xff\x7f\x7f", ("3.4028235e+38",)),
        (0x00280009, "AT", struct.pack("<4H", 0x18, 0x1063, 0x18, 0x1065), ("(0018,1063)", "(0018,1065)")),
        (0x00080008, "CS", b"ORIGINAL \\ PRIMARY\\", ("ORIGINAL", "PRIMARY", "")),
        (0x00204000, "LT", b" a\\b  ", (" a\\b",)),
        (0x00186000, "OB", b"\x01\x02", ("",)),
    ],
)
def test_values(tag: int, vr: str, raw: bytes, wanted: tuple[str, ...]) -> None:
    """Each VR has its text: numbers in decimal, tags as (gggg,eeee), bulk data as one empty text."""
    header = Header.scan(explicit(tag, vr, raw), EXPLICIT)
    assert header.values(Attribute("x", (Step(tag, None, None),))) == wanted


def test_big_endian() -> None:
    """Explicit VR big endian is read as such."""
    data = explicit(0x00280010, "US", b"\x00\x05", order=">") + explicit(0x7FE00010, "OW", b"\0\0", order=">")
    assert values(data, "Rows", BIG_ENDIAN) == ("5",)


def test_implicit_signedness() -> None:
    """Where implicit VR leaves open whether a value is signed, the Pixel Representation decides."""
    smallest = implicit(0x00280106, b"\xff\xff")
    assert values(implicit(0x00280103, b"\1\0") + smallest, "SmallestImagePixelValue", IMPLICIT) == ("-1",)
    assert values(implicit(0x00280103, b"\0\0") + smallest, "SmallestImagePixelValue", IMPLICIT) == ("65535",)


def test_declared_and_written_differ() -> None:
    """A data set that is explicit although it is declared implicit, or the other way, is read as it is written."""
    assert values(SMALL, "PatientID", IMPLICIT) == ("12",)
    assert values(implicit(0x00100020, b"12"), "PatientID", EXPLICIT) == ("12",)


def test_private_block() -> None:
    """A private attribute is found by its creator in whatever block that has reserved, and by nothing else."""
    data = (
        explicit(0x00190010, "LO", b"OTHER ")
        + explicit(0x00190011, "LO", b"GEMS_ACQU_01")
        + explicit(0x0019100C, "DS", b"1 ")
        + explicit(0x0019110C, "DS", b"2 ")
    )
    assert values(data, "(0019,xx0C GEMS_ACQU_01)") == ("2",)
    assert values(data, "(0019,xx0C OTHER)") == ("1",)
    assert values(data, "(0019,xx0C NOBODY)") is None


def test_unknown_vr_sequence() -> None:
    """A sequence in UN of undefined length holds implicit items (CP-246) and is read through."""
    content = item(implicit(0x00401001, b"RP"), undefined=True) + implicit(0xFFFEE0DD, b"")
    data = explicit(0x00400275, "UN", content, UNDEFINED) + explicit(0x00400280, "ST", b"end ")
    assert values(data, "RequestAttributesSequence[0].RequestedProcedureID") == ("RP",)
    assert values(data, "CommentsOnThePerformedProcedureStep") == ("end",)


def test_deflated() -> None:
    """A deflated data set is inflated; its `end` is its whole length."""
    deflater = zlib.compressobj(wbits=-15)
    data = deflater.compress(SMALL + PIXELS) + deflater.flush()
    header = Header.scan(data, DEFLATED)
    assert header.values(Attribute.parse("PatientID")) == ("12",)
    assert header.end == len(data)
    assert identify(data, DEFLATED) == ("1.2.840.10008.5.1.4.1.1.2", "1.2.3")
    with pytest.raises(HeaderIncompleteError):
        Header.scan(data[:-4], DEFLATED, complete=False)
    with pytest.raises(HeaderError):
        Header.scan(data[:-4], DEFLATED)


def test_deflate_bomb(monkeypatch: pytest.MonkeyPatch) -> None:
    """A data set that inflates beyond the limit is refused when the limit is reached, not afterwards."""
    monkeypatch.setattr("rules.header.INFLATED_LIMIT", 1_000_000)
    deflater = zlib.compressobj(wbits=-15)
    bomb = deflater.compress(SMALL + bytes(20_000_000)) + deflater.flush()
    with pytest.raises(HeaderError):
        Header.scan(bomb, DEFLATED)


@pytest.mark.parametrize("depth", [300, 50_000])
@pytest.mark.parametrize("undefined", [False, True])
@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT])
def test_deep_nesting(depth: int, undefined: bool, syntax: str) -> None:
    """Sequences nested 300 or 50,000 deep are a HeaderError or a readable header, on any path into them."""
    if undefined:
        head = (
            explicit(0x00400275, "SQ", b"", UNDEFINED) if syntax == EXPLICIT else implicit(0x00400275, b"", UNDEFINED)
        )
        tail = implicit(0xFFFEE00D, b"") + implicit(0xFFFEE0DD, b"")
        nested = (head + implicit(0xFFFEE000, b"", UNDEFINED)) * depth + tail * depth
    else:
        size, heads = 0, []
        for _ in range(depth):
            inner = implicit(0xFFFEE000, b"", size)
            outer = size + 8
            head = explicit(0x00400275, "SQ", b"", outer) if syntax == EXPLICIT else implicit(0x00400275, b"", outer)
            heads.append(head + inner)
            size = outer + len(head)
        nested = b"".join(reversed(heads))
    data = nested + (explicit(0x00400280, "ST", b"end ") if syntax == EXPLICIT else implicit(0x00400280, b"end "))
    path = Attribute.parse(".".join(["RequestAttributesSequence"] * 200 + ["RequestedProcedureID"]))
    with suppress(HeaderError):
        header = Header.scan(data, syntax)
        assert header.values(Attribute.parse("CommentsOnThePerformedProcedureStep")) == ("end",)
        header.values(path)


@settings(max_examples=400, deadline=None)
@given(
    changes=st.lists(st.tuples(st.integers(0, len(SMALL) - 1), st.integers(0, 255)), max_size=12),
    cut=st.integers(0, len(SMALL)),
    syntax=st.sampled_from([EXPLICIT, IMPLICIT, BIG_ENDIAN, DEFLATED]),
    complete=st.booleans(),
)
def test_any_bytes(changes: list[tuple[int, int]], cut: int, syntax: str, complete: bool) -> None:
    """Whatever bytes a header has, scanning, identifying and reading raise HeaderError at the most."""
    mutated = bytearray(SMALL + PIXELS)
    for position, byte in changes:
        mutated[position] = byte
    data = bytes(mutated[: cut or None])
    with suppress(HeaderError):
        identify(data, syntax)
    with suppress(HeaderError):
        header = Header.scan(data, syntax, complete=complete)
        for name in ("PatientName", "RequestAttributesSequence.RequestedProcedureID", "ReferencedImageSequence[0]"):
            header.values(Attribute.parse(name))


def test_identity_prefix() -> None:
    """The SOP UIDs are found in the first 2 kB however long the data set is, "" where absent, and later if need be."""
    long_header = SMALL + explicit(0x00204000, "LT", b"x" * 9000)
    assert identify(long_header[:2048], EXPLICIT) == ("1.2.840.10008.5.1.4.1.1.2", "1.2.3")
    assert identify(explicit(0x00100020, "LO", b"1 ") + PIXELS, EXPLICIT) == ("", "")
    late = explicit(0x00080001, "UN", bytes(4000)) + SMALL
    with pytest.raises(HeaderIncompleteError):
        identify(late[:2048], EXPLICIT)
    assert identify(late, EXPLICIT)[1] == "1.2.3"
