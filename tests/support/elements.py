"""Data sets built by hand, element by element, for tests that need every byte to be known."""

import struct

UNDEFINED = 0xFFFFFFFF
EXPLICIT = "1.2.840.10008.1.2.1"
IMPLICIT = "1.2.840.10008.1.2"
BIG_ENDIAN = "1.2.840.10008.1.2.2"
DEFLATED = "1.2.840.10008.1.2.1.99"
_LONG = {"OB", "OW", "SQ", "UN", "UT", "UC", "UR", "OF", "OD"}


def explicit(tag: int, vr: str, value: bytes, length: int | None = None, order: str = "<") -> bytes:
    """One element in explicit VR; `length` where it shall not be the value's."""
    size = len(value) if length is None else length
    head = struct.pack(order + "HH", tag >> 16, tag & 0xFFFF) + vr.encode()
    return head + (struct.pack(order + "HL", 0, size) if vr in _LONG else struct.pack(order + "H", size)) + value


def implicit(tag: int, value: bytes, length: int | None = None) -> bytes:
    """One element in implicit VR little endian, or an item (tags FFFE,xxxx) in any little endian."""
    return struct.pack("<HHL", tag >> 16, tag & 0xFFFF, len(value) if length is None else length) + value


def item(content: bytes, *, undefined: bool = False) -> bytes:
    """One item of a sequence, little endian."""
    if undefined:
        return implicit(0xFFFEE000, content, UNDEFINED) + implicit(0xFFFEE00D, b"")
    return implicit(0xFFFEE000, content)


def sequence(tag: int, *items: bytes, undefined: bool = False) -> bytes:
    """A sequence in explicit VR little endian."""
    content = b"".join(items)
    if undefined:
        return explicit(tag, "SQ", content + implicit(0xFFFEE0DD, b""), UNDEFINED)
    return explicit(tag, "SQ", content)
