"""The darkest colour of a palette (PS3.3 C.7.6.3.1.5). It changes nothing."""

from array import array

from rules import Attribute, Header

_DESCRIPTOR = Attribute.parse("RedPaletteColorLookupTableDescriptor")
_TABLES = (0x00281201, 0x00281202, 0x00281203)  # red, green, blue
_ALL = 65_536  # entries, written as 0


def darkest(header: Header) -> int:
    """The pixel value of the colour with the least light; 0 where the palette is not written out."""
    try:
        count, first = (int(each) for each in (header.values(_DESCRIPTOR) or ())[:2])
    except ValueError:
        return 0
    count = count or _ALL
    channels = [_entries(header.top.raw(tag) or b"", count, little=header.top.layout.little) for tag in _TABLES]
    light = [sum(entries) for entries in zip(*channels, strict=True)] if len(set(map(len, channels))) == 1 else []
    return first + light.index(min(light)) if light else 0


def _entries(table: bytes, count: int, *, little: bool) -> list[int]:
    """The numbers of one colour's table: 16 bits each, or 8 where the table is half as long; none if it is shorter."""
    if len(table) < count:
        return []
    words = array("H", table[: len(table) // 2 * 2])
    if not little:
        words.byteswap()
    return list(words[:count]) if len(words) >= count else list(words.tobytes()[:count])
