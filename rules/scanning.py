"""The tight loop over one level of elements: which tag begins where. It looks into no value and no sequence."""

import struct
from collections.abc import Mapping
from types import MappingProxyType

from rules.attribute import PIXEL_TAGS
from rules.errors import HeaderError, HeaderIncompleteError
from rules.layout import LONG_VRS, SHORT_VRS, UNDEFINED, Layout, end_of_undefined

_FIRST_PIXEL_TAG = min(PIXEL_TAGS)
_NOWHERE: Mapping[int, int] = MappingProxyType({})


class Scan:
    """What the loop found: `offsets` by tag in file order, `end` of the last element, tags that occur twice."""

    __slots__ = ("end", "offsets", "repeated", "stopped")

    def __init__(self, offsets: Mapping[int, int] = _NOWHERE, end: int = 0, stopped: int | None = None) -> None:
        self.offsets = offsets
        self.end = end
        self.stopped = stopped  # the pixel tag the loop stopped at
        self.repeated: set[int] = set()

    def run(self, data: bytes, start: int, limit: int, layout: Layout, *, to_pixels: bool) -> None:
        """Fill in from `data[start:limit]`; what was found stays when HeaderIncompleteError or HeaderError is raised.

        With `to_pixels` the pixel data ends the loop, as on the top level.
        """
        self.end = start
        loop = self._implicit if layout.implicit else self._explicit
        try:
            loop(data, start, limit, layout, to_pixels)
        except struct.error:
            raise HeaderIncompleteError(self.end + 12) from None
        if self.end > limit:
            raise HeaderIncompleteError(self.end)

    def _explicit(self, data: bytes, position: int, limit: int, layout: Layout, to_pixels: bool) -> None:
        """Explicit VR: two layouts of header, told apart by the VR."""
        unpack, unpack_long = layout.explicit_header.unpack_from, layout.long.unpack_from
        offsets: dict[int, int] = {}
        self.offsets, short_vrs = offsets, SHORT_VRS
        last = limit - 8
        try:
            while position <= last:
                group, number, vr, length = unpack(data, position)
                tag = group << 16 | number
                if tag in offsets:
                    self.repeated.add(tag)
                if vr in short_vrs:
                    offsets[tag] = position
                    position += 8 + length
                elif vr in LONG_VRS:
                    if to_pixels and tag >= _FIRST_PIXEL_TAG and tag in PIXEL_TAGS:
                        self.stopped = tag
                        return
                    (length,) = unpack_long(data, position + 8)
                    if length == UNDEFINED:
                        end = end_of_undefined(data, position + 12, limit, layout, vr.decode("ascii"))
                    else:
                        end = position + 12 + length
                    offsets[tag] = position
                    position = end
                else:
                    raise HeaderError("An element has a VR that does not exist.")
        finally:
            self.end = position

    def _implicit(self, data: bytes, position: int, limit: int, layout: Layout, to_pixels: bool) -> None:
        """Implicit VR: one layout of header, the VR is the dictionary's matter."""
        unpack = layout.implicit_header.unpack_from
        self.offsets = offsets = dict[int, int]()
        last = limit - 8
        try:
            while position <= last:
                group, number, length = unpack(data, position)
                tag = group << 16 | number
                if tag in offsets:
                    self.repeated.add(tag)
                if to_pixels and tag >= _FIRST_PIXEL_TAG and tag in PIXEL_TAGS:
                    self.stopped = tag
                    return
                if group == 0xFFFE:
                    raise HeaderError("A delimiter stands outside a sequence.")
                end = position + 8 + length
                if length == UNDEFINED:
                    end = end_of_undefined(data, position + 8, limit, layout, "")
                offsets[tag] = position
                position = end
        finally:
            self.end = position
