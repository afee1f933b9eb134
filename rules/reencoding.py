"""Headers re-encoded in another layout: implicit or explicit VR little endian. Values stay as they are.

For a peer that takes nothing but implicit VR, and for copies that leave in another transfer syntax. No pixel byte is
touched here.
"""

from array import array

from rules.attribute import tag_vr
from rules.encoding import encode_element
from rules.errors import EditError
from rules.header import Header
from rules.layout import (
    EXPLICIT_LITTLE,
    EXPLICIT_LITTLE_UID,
    IMPLICIT_LITTLE,
    IMPLICIT_LITTLE_UID,
    LONG_VRS,
    UNDEFINED,
    Element,
    Layout,
    element_header,
)
from rules.level import Level
from rules.splicing import Splice

_ITEM_END = IMPLICIT_LITTLE.implicit_header.pack(0xFFFE, 0xE00D, 0)
_SEQUENCE_END = IMPLICIT_LITTLE.implicit_header.pack(0xFFFE, 0xE0DD, 0)
_LONGEST_SHORT = 0xFFFE  # bytes of a value whose length has 16 bits
_WORDS = {"US": "H", "SS": "H", "OW": "H", "AT": "H"} | dict.fromkeys(("UL", "SL", "FL", "OF", "OL"), "I")
_WORDS |= dict.fromkeys(("FD", "OD", "SV", "UV", "OV"), "Q")  # VR, and the machine words its values are made of


def implicit_prefix(header: Header, data_set_length: int | None = None) -> Splice:
    """The splice that makes an uncompressed explicit VR little endian data set an implicit one (PS3.5 A.1).

    The pixel element's header is re-encoded as well, so that pixel bytes follow unchanged from `resume`. With
    `data_set_length` (bytes) it is checked that nothing explicit follows them. `restore` is empty: nothing is undone.
    EditError if this data set cannot be re-encoded so.
    """
    top = header.top
    if header.transfer_syntax_uid != EXPLICIT_LITTLE_UID or top.layout is not EXPLICIT_LITTLE or not header.editable:
        raise EditError("only an explicit VR little endian data set can be re-encoded as implicit")
    pieces = _elements(top, IMPLICIT_LITTLE)
    resume = top.end
    if header.pixel_tag is not None:
        if len(top.data) < top.end + 12:
            raise EditError("the header's bytes end before the pixel data begins")
        tag, _, resume, length = element_header(top.data, top.end, len(top.data), top.layout)
        if length == UNDEFINED or (data_set_length is not None and resume + length != data_set_length):
            raise EditError("something follows the pixel data, the data set cannot be re-encoded")
        pieces.append(IMPLICIT_LITTLE.implicit_header.pack(tag >> 16, tag & 0xFFFF, length))
    return Splice(b"".join(pieces), resume, b"")


def recast(header: Header, transfer_syntax_uid: str) -> bytes:
    """The elements before the pixel data as a little endian transfer syntax has them. EditError if they cannot be."""
    top = header.top
    if not header.editable:
        raise EditError("the header is too irregular to be re-encoded")
    layout = _little_layout(transfer_syntax_uid)
    return top.data[: top.end] if top.layout is layout else b"".join(_elements(top, layout))


def pixel_element(tag: int, vr: str, length: int | None, transfer_syntax_uid: str) -> bytes:
    """The header of a pixel data element of so many bytes (None: undefined) in a little endian transfer syntax."""
    return _long_header(tag, vr, UNDEFINED if length is None else length, _little_layout(transfer_syntax_uid))


def _little_layout(transfer_syntax_uid: str) -> Layout:
    return IMPLICIT_LITTLE if transfer_syntax_uid == IMPLICIT_LITTLE_UID else EXPLICIT_LITTLE


def implicit_element(level: Level, element: Element) -> bytes:
    """One element in implicit VR; sequences of explicit items are gone into, all other values kept."""
    return _element(level, element, IMPLICIT_LITTLE)


def _elements(level: Level, layout: Layout) -> list[bytes]:
    """The elements of a level in a little endian layout, group lengths put right."""
    if level.repeated:
        raise EditError("the header has an element twice")
    encoded = [(tag, _element(level, element, layout)) for tag in level.offsets if (element := level.element(tag))]
    sizes: dict[int, int] = {}
    for tag, piece in encoded:
        if tag & 0xFFFF:
            sizes[tag >> 16] = sizes.get(tag >> 16, 0) + len(piece)
    return [
        encode_element(tag, "UL", sizes.get(tag >> 16, 0).to_bytes(4, "little"), layout) if tag & 0xFFFF == 0 else piece
        for tag, piece in encoded
    ]


def _element(level: Level, element: Element, layout: Layout) -> bytes:
    """One element in a little endian layout; sequences of items in another one are gone into, other values kept."""
    if level.layout is layout:
        return level.data[element.start : element.end]
    vr = "" if layout.implicit else _written_vr(level, element)
    value = level.data[element.value : element.value_end]
    if level.is_sequence(element) and vr != "UN":
        items = level.items(element.tag)
        value = b"".join(_item(b"".join(_elements(inner, layout)), undefined=item.undefined) for item, inner in items)
    elif not level.layout.little and element.vr != "UN":
        value = _swapped(value, element.vr)
    if not element.undefined:
        too_long = vr and vr.encode("ascii") not in LONG_VRS and len(value) > _LONGEST_SHORT
        return encode_element(element.tag, "UN" if too_long else vr, value, layout)
    return _long_header(element.tag, vr, UNDEFINED, layout) + value + _SEQUENCE_END


def _long_header(tag: int, vr: str, length: int, layout: Layout) -> bytes:
    """The header of an element whose length has 32 bits."""
    group, number = tag >> 16, tag & 0xFFFF
    if layout.implicit:
        return layout.implicit_header.pack(group, number, length)
    return layout.explicit_header.pack(group, number, vr.encode("ascii"), 0) + layout.long.pack(length)


def _written_vr(level: Level, element: Element) -> str:
    """The VR to write for an element: what is written already, else the dictionary's, of several the opaque one."""
    if element.vr:
        return element.vr
    vr = level.vr(element)
    alternatives = tag_vr(element.tag) if vr == "UN" else None
    return "OW" if alternatives and " or OW" in alternatives else vr


def _swapped(value: bytes, vr: str) -> bytes:
    """A big endian value in little endian order, or the other way round."""
    word = _WORDS.get(vr)
    if word is None:
        return value
    words = array(word)
    if len(value) % words.itemsize:
        raise EditError("a value is not a whole number of words, the header cannot be re-encoded")
    words.frombytes(value)
    words.byteswap()
    return words.tobytes()


def _item(content: bytes, *, undefined: bool) -> bytes:
    """An item around encoded elements, delimited as it was."""
    pack = IMPLICIT_LITTLE.implicit_header.pack
    if undefined:
        return pack(0xFFFE, 0xE000, UNDEFINED) + content + _ITEM_END
    return pack(0xFFFE, 0xE000, len(content)) + content
