"""Tells whether a received data set has all the pixel data it announces. Looks at lengths only and decodes nothing."""

import struct

from archive import Entry
from rules import Header, HeaderIncompleteError

_ITEM = struct.Struct("<HHI")
_ITEM_TAG, _DELIMITER_TAG = (0xFFFE, 0xE000), (0xFFFE, 0xE0DD)
_END = _ITEM.pack(*_DELIMITER_TAG, 0)


def is_cut_short(entry: Entry, header: Header) -> bool:
    """Whether the data set ends before its pixel data does (PS3.5 A.4 for encapsulated ones). Raises OSError."""
    try:
        pixel_data = header.pixel_data()
    except HeaderIncompleteError:
        return True
    if pixel_data is None:
        return False
    offset, length = pixel_data
    if length is not None:
        return offset + length > (len(header.top.data) if header.deflated else entry.size)
    if header.deflated:
        return False  # pixel data in fragments is not deflated once more
    return not _ends_in_order(entry, offset)


def _ends_in_order(entry: Entry, position: int) -> bool:
    """Whether the fragments from `position` end with a sequence delimiter; mostly the last bytes tell."""
    if entry.data_set(max(position, entry.size - len(_END)), len(_END)) == _END:
        return True
    while position + _ITEM.size <= entry.size:
        group, number, length = _ITEM.unpack(entry.data_set(position, _ITEM.size))
        if (group, number) == _DELIMITER_TAG:
            return True
        if (group, number) != _ITEM_TAG:
            return False
        position += _ITEM.size + length
    return False
