"""Explicit data sets re-encoded as implicit ones."""

import io
import struct
import warnings
from pathlib import Path

import pytest
from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset

from rules.attribute import tag_vr
from rules.errors import EditError, HeaderError
from rules.header import Header
from rules.reencoding import implicit_prefix, recast
from tests.support.data import data_set, name_of, needs_data, sample
from tests.support.elements import BIG_ENDIAN, EXPLICIT, IMPLICIT, UNDEFINED, explicit, implicit, item, sequence

FILES = [
    path
    for path in sample("series", "pet-ct-templates", "modalities", "transfer-syntaxes", series=1)
    if data_set(path)[1] == EXPLICIT
]


def assert_same(before: Dataset, after: Dataset) -> None:
    """Assert equal values at every level, except where implicit VR leaves open how to read them."""
    assert before.keys() == after.keys()
    for tag in before.keys():  # noqa: SIM118
        vr = tag_vr(int(tag))
        if not int(tag) & 0xFFFF or vr is None or " or " in vr:
            continue
        if vr == "SQ":
            for one, other in zip(before[tag].value, after[tag].value, strict=True):
                assert_same(one, other)
        else:
            assert before[tag].value == after[tag].value, tag


@needs_data
@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_files(path: Path) -> None:
    """On every uncompressed explicit file pydicom reads the same data set, pixels and all, from the implicit bytes."""
    data, _ = data_set(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        before = read_dataset(io.BytesIO(data), False, True)
        try:
            splice = implicit_prefix(Header.scan(data, EXPLICIT), len(data))
        except EditError:
            assert max(before.keys()) > 0x7FE00010  # something follows the pixel data
            return
        new = splice.prefix + data[splice.resume :]
        assert_same(before, read_dataset(io.BytesIO(new), True, True))
    assert Header.scan(new, IMPLICIT).end <= splice.resume


def test_every_byte() -> None:
    """Sequences keep their kind of length, group lengths are put right, the pixel element gets its implicit header."""
    inner = explicit(0x00401001, "SH", b"RP")
    data = (
        explicit(0x00080000, "UL", struct.pack("<L", 99))
        + explicit(0x00080090, "PN", b"A^B ")
        + sequence(0x00400275, item(inner), item(inner, undefined=True))
        + sequence(0x00400340, item(inner), undefined=True)
        + explicit(0x7FE00010, "OW", b"\1\2\3\4")
    )
    flat = implicit(0x00401001, b"RP")
    wanted = (
        implicit(0x00080000, struct.pack("<L", 12))
        + implicit(0x00080090, b"A^B ")
        + implicit(0x00400275, item(flat) + item(flat, undefined=True))
        + implicit(0x00400340, item(flat) + implicit(0xFFFEE0DD, b""), UNDEFINED)
        + implicit(0x7FE00010, b"\1\2\3\4")
    )
    splice = implicit_prefix(Header.scan(data, EXPLICIT), len(data))
    assert splice.prefix + data[splice.resume :] == wanted


def test_refused() -> None:
    """What is not uncompressed explicit little endian, or has elements after the pixel data, is refused."""
    pixels = explicit(0x7FE00010, "OW", b"\1\2")
    with pytest.raises(EditError):
        implicit_prefix(Header.scan(implicit(0x00100020, b"1 "), IMPLICIT))
    with pytest.raises(EditError):
        implicit_prefix(Header.scan(pixels, "1.2.840.10008.1.2.4.70"))
    trailing = pixels + explicit(0xFFFCFFFC, "OB", b"\0\0")
    with pytest.raises((EditError, HeaderError)):
        implicit_prefix(Header.scan(trailing, EXPLICIT), len(trailing))


OTHERS = [
    path for path in sample("modalities", "transfer-syntaxes", series=1) if data_set(path)[1] in {IMPLICIT, BIG_ENDIAN}
]


@needs_data
@pytest.mark.parametrize("path", OTHERS, ids=name_of)
def test_recast_files(path: Path) -> None:
    """On every implicit or big endian file pydicom reads the same attributes from the explicit little endian bytes."""
    data, syntax = data_set(path)
    header = Header.scan(data, syntax)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        before = read_dataset(io.BytesIO(data[: header.end]), syntax == IMPLICIT, syntax != BIG_ENDIAN)
        after = read_dataset(io.BytesIO(recast(header, EXPLICIT)), False, True)
        assert_same(before, after)


def test_recast_every_kind_of_element() -> None:
    """Words are turned round by their VR, sequences gone into, lengths put right, unknown values left alone."""
    inner = explicit(0x00280010, "US", b"\x02\x00", order=">") + explicit(0x00091001, "UN", b"\x01\x02", order=">")
    items = struct.pack(">HHL", 0xFFFE, 0xE000, len(inner)) + inner
    content = explicit(0x00091002, "FD", bytes(range(8)), order=">") + explicit(
        0x00091003, "OW", b"\x01\x02\x03\x04", order=">"
    )
    content += explicit(0x00091004, "SQ", items, order=">")
    data = explicit(0x00090000, "UL", struct.pack(">L", len(content)), order=">") + content
    header = Header.scan(data, BIG_ENDIAN)
    expected_inner = explicit(0x00280010, "US", b"\x00\x02") + explicit(0x00091001, "UN", b"\x01\x02")
    expected = explicit(0x00091002, "FD", bytes(reversed(range(8)))) + explicit(0x00091003, "OW", b"\x02\x01\x04\x03")
    expected += sequence(0x00091004, item(expected_inner))
    assert recast(header, EXPLICIT) == explicit(0x00090000, "UL", struct.pack("<L", len(expected))) + expected


def test_recast_what_an_explicit_header_cannot_say() -> None:
    """A text longer than 64 kB has VR UN, a table that may be words or bytes is written as words."""
    long = implicit(0x00102000, b"x" * 70_000)
    table = implicit(0x60003000, b"\x01\x02")
    header = Header.scan(long + table, IMPLICIT)
    assert recast(header, EXPLICIT) == explicit(0x00102000, "UN", b"x" * 70_000) + explicit(
        0x60003000, "OW", b"\x01\x02"
    )
