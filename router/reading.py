"""Reads the header at the start of a kept file, taking no more bytes than it needs. Decides nothing."""

import struct
from io import FileIO
from pathlib import Path

from router.errors import DataSetUnreadable
from rules import Header, HeaderIncompleteError

FIRST_READ_BYTES = 32 * 1024
GROWTH = 8
_ITEM_HEADER = struct.Struct("<HHL")
_ITEM, _SEQUENCE_END = (0xFFFE, 0xE000), (0xFFFE, 0xE0DD)


def read_header(path: Path, data_set_offset: int, transfer_syntax_uid: str, prefix: bytes = b"") -> Header:
    """The header of the Part 10 file at `path`, whose data set is `prefix` and what begins at byte `data_set_offset`.

    Raises `rules.HeaderError` if it cannot be read, OSError if the disk fails.
    """
    return read_start(path, data_set_offset, transfer_syntax_uid, prefix)[0]


def read_start(
    path: Path, data_set_offset: int, transfer_syntax_uid: str, prefix: bytes = b"", limit: int = FIRST_READ_BYTES
) -> tuple[Header, bytes]:
    """The header as `read_header` gives it, and the bytes it was read from; they may go on behind it.

    So many as `limit` says are read at first; where that is more than the data set has, all of it is at hand then.
    """
    with FileIO(path) as file:
        while True:
            file.seek(data_set_offset)
            data = _read(file, limit)
            complete = len(data) < limit
            data = prefix + data if prefix else data
            try:
                return Header.scan(data, transfer_syntax_uid, complete=complete), data
            except HeaderIncompleteError as incomplete:
                if complete:
                    raise
                limit = max(limit * GROWTH, incomplete.needed)


def _read(file: FileIO, size: int) -> bytes:
    """So many bytes, fewer at the end of the file; a raw file may give them in pieces."""
    data = file.read(size)
    while len(data) < size and (more := file.read(size - len(data))):
        data += more
    return data


def end_of_pixels(path: Path, data_set_offset: int, header: Header, size: int) -> int:
    """The byte of the data set, of `size` bytes, after its pixel data; `size` where it has none.

    DataSetUnreadable where encapsulated pixel data (PS3.5 A.4) has no end, OSError if the disk fails.
    """
    found = header.pixel_data()
    if found is None or header.deflated:
        return size
    position, length = found
    if length is not None:
        return min(position + length, size)
    with path.open("rb") as file:
        while position + _ITEM_HEADER.size <= size:
            file.seek(data_set_offset + position)
            group, number, length = _ITEM_HEADER.unpack(file.read(_ITEM_HEADER.size))
            position += _ITEM_HEADER.size
            if (group, number) == _SEQUENCE_END:
                return position
            if (group, number) != _ITEM:
                break
            position += length
    raise DataSetUnreadable("the encapsulated pixel data has no end")
