"""A header re-encoded as implicit VR little endian, for a peer that takes nothing else. Values stay as they are."""

from rules.errors import EditError
from rules.header import Header
from rules.layout import EXPLICIT_LITTLE, EXPLICIT_LITTLE_UID, IMPLICIT_LITTLE, UNDEFINED, Element, element_header
from rules.level import Level
from rules.splicing import Splice

_ITEM_END = IMPLICIT_LITTLE.implicit_header.pack(0xFFFE, 0xE00D, 0)
_SEQUENCE_END = IMPLICIT_LITTLE.implicit_header.pack(0xFFFE, 0xE0DD, 0)


def implicit_prefix(header: Header, data_set_length: int | None = None) -> Splice:
    """The splice that makes an uncompressed explicit VR little endian data set an implicit one (PS3.5 A.1).

    The pixel element's header is re-encoded as well, so that pixel bytes follow unchanged from `resume`. With
    `data_set_length` (bytes) it is checked that nothing explicit follows them. `restore` is empty: nothing is undone.
    EditError if this data set cannot be re-encoded so.
    """
    top = header.top
    if header.transfer_syntax_uid != EXPLICIT_LITTLE_UID or top.layout is not EXPLICIT_LITTLE or not header.editable:
        raise EditError("only an explicit VR little endian data set can be re-encoded as implicit")
    pieces = _elements(top)
    resume = top.end
    if header.pixel_tag is not None:
        if len(top.data) < top.end + 12:
            raise EditError("the header's bytes end before the pixel data begins")
        tag, _, resume, length = element_header(top.data, top.end, len(top.data), top.layout)
        if length == UNDEFINED or (data_set_length is not None and resume + length != data_set_length):
            raise EditError("something follows the pixel data, the data set cannot be re-encoded")
        pieces.append(IMPLICIT_LITTLE.implicit_header.pack(tag >> 16, tag & 0xFFFF, length))
    return Splice(b"".join(pieces), resume, b"")


def _elements(level: Level) -> list[bytes]:
    """The elements of a level in implicit VR, group lengths put right."""
    if level.repeated:
        raise EditError("the header has an element twice")
    encoded = [(tag, implicit_element(level, element)) for tag in level.offsets if (element := level.element(tag))]
    sizes: dict[int, int] = {}
    for tag, piece in encoded:
        if tag & 0xFFFF:
            sizes[tag >> 16] = sizes.get(tag >> 16, 0) + len(piece)
    pack = IMPLICIT_LITTLE.implicit_header.pack
    return [
        pack(tag >> 16, 0, 4) + sizes.get(tag >> 16, 0).to_bytes(4, "little") if tag & 0xFFFF == 0 else piece
        for tag, piece in encoded
    ]


def implicit_element(level: Level, element: Element) -> bytes:
    """One element in implicit VR; sequences of explicit items are gone into, all other values kept."""
    group, number = element.tag >> 16, element.tag & 0xFFFF
    pack = IMPLICIT_LITTLE.implicit_header.pack
    value = level.data[element.value : element.value_end]
    if level.layout.implicit:
        return level.data[element.start : element.end]
    if level.is_sequence(element):
        value = b"".join(
            _item(b"".join(_elements(inner)), undefined=item.undefined) for item, inner in level.items(element.tag)
        )
    if element.undefined:
        return pack(group, number, UNDEFINED) + value + _SEQUENCE_END
    return pack(group, number, len(value)) + value


def _item(content: bytes, *, undefined: bool) -> bytes:
    """An item around encoded elements, delimited as it was."""
    pack = IMPLICIT_LITTLE.implicit_header.pack
    if undefined:
        return pack(0xFFFE, 0xE000, UNDEFINED) + content + _ITEM_END
    return pack(0xFFFE, 0xE000, len(content)) + content
