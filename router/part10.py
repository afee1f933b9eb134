"""Finds out what anybody's DICOM file (PS3.10 7.1) is and where its data set starts. Reads no data set."""

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from archive import Identity
from router.errors import RouterError

PREFIX = b"DICM"
HEAD_BYTES = 132
LONG_VRS = frozenset({b"OB", b"OW", b"UN", b"SQ", b"UT", b"UC", b"UR", b"OD", b"OF", b"OL", b"OV"})
LARGEST_GROUP = 1 << 20  # bytes; real ones have a few hundred
IDENTITY = (0x0002, 0x0003, 0x0010)


class NotPartTenError(RouterError):
    """This is not a DICOM Part 10 file."""


@dataclass(frozen=True, slots=True)
class PartTen:
    """A DICOM file: what it holds and where in it (`data_set_offset` and `bytes` of the data set)."""

    path: Path
    identity: Identity
    data_set_offset: int
    bytes: int


def part_ten(path: Path) -> PartTen:
    """What the file at `path` is; raises `NotPartTenError`, or OSError if it cannot be read."""
    with path.open("rb") as file:
        data = file.read(LARGEST_GROUP)
    if data[128:HEAD_BYTES] != PREFIX:
        raise NotPartTenError("not a DICOM file: the letters DICM are missing at byte 128")
    values: dict[int, str] = {}
    end = HEAD_BYTES
    try:
        for element, value, after in _group_two(data):
            end = after
            if element in IDENTITY:
                values[element] = value.rstrip(b"\0 ").decode("ascii", "replace")
    except struct.error as error:
        raise NotPartTenError("the file meta information is cut short") from error
    if len(values) < len(IDENTITY):
        raise NotPartTenError("the file meta information does not say what the file holds (0002,0002/0003/0010)")
    return PartTen(path, Identity(*(values[element] for element in IDENTITY)), end, path.stat().st_size - end)


def find_files(paths: Sequence[Path]) -> Iterator[Path]:
    """Every file named by `paths`, folders gone through in order of name; DICOMDIRs are left out."""
    for path in paths:
        if path.is_dir():
            yield from (file for file in sorted(path.rglob("*")) if file.is_file() and file.name != "DICOMDIR")
        else:
            yield path


def _group_two(data: bytes) -> Iterator[tuple[int, bytes, int]]:
    position = HEAD_BYTES
    while data[position : position + 2] == b"\x02\x00":
        element, vr, length = struct.unpack_from("<2xH2sH", data, position)
        position += 8
        if vr in LONG_VRS:
            (length,) = struct.unpack_from("<I", data, position)
            position += 4
        if position + length > len(data):
            raise struct.error("group 0002 is cut short")
        yield element, data[position : position + length], position + length
        position += length
