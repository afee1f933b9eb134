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
from rules.reencoding import implicit_prefix
from tests.support.data import data_set, name_of, needs_data, sample
from tests.support.elements import EXPLICIT, IMPLICIT, UNDEFINED, explicit, implicit, item, sequence

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
