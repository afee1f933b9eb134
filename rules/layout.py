"""How elements lie in bytes: implicit or explicit VR, byte order, delimiters (PS3.5 7). It decodes no values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from struct import Struct
from typing import NamedTuple

from rules.errors import HeaderError, HeaderIncompleteError

UNDEFINED = 0xFFFFFFFF
ITEM = 0xFFFEE000
ITEM_END = 0xFFFEE00D
ITEM_LITTLE, ITEM_BIG = b"\xfe\xff\x00\xe0", b"\xff\xfe\xe0\x00"
SEQUENCE_END = 0xFFFEE0DD
DEEPEST = 64  # sequences inside each other; more is no header but an attack

_SHORT = "AE AS AT CS DA DS DT FD FL IS LO LT PN SH SL SS ST TM UI UL US"
SHORT_VRS: Mapping[bytes, str] = {vr.encode("ascii"): vr for vr in _SHORT.split()}  # as written, and its name
LONG_VRS = frozenset(b"OB OD OF OL OV OW SQ SV UC UN UR UT UV".split())

DEFLATED = "1.2.840.10008.1.2.1.99"
EXPLICIT_LITTLE_UID = "1.2.840.10008.1.2.1"
IMPLICIT_LITTLE_UID = "1.2.840.10008.1.2"
BIG_ENDIAN_UID = "1.2.840.10008.1.2.2"
_IMPLICIT_UIDS = frozenset({IMPLICIT_LITTLE_UID, "1.2.840.113619.5.2"})


@dataclass(frozen=True, eq=False)
class Layout:
    """One of the three encodings a data set or an item may have."""

    implicit: bool
    little: bool
    explicit_header: Struct = field(init=False)  # group, element, VR, 16-bit length
    implicit_header: Struct = field(init=False)  # group, element, 32-bit length
    long: Struct = field(init=False)  # a 32-bit length

    def __post_init__(self) -> None:
        """Compile the headers once."""
        order = "<" if self.little else ">"
        object.__setattr__(self, "explicit_header", Struct(order + "HH2sH"))
        object.__setattr__(self, "implicit_header", Struct(order + "HHL"))
        object.__setattr__(self, "long", Struct(order + "L"))


IMPLICIT_LITTLE = Layout(implicit=True, little=True)
EXPLICIT_LITTLE = Layout(implicit=False, little=True)
EXPLICIT_BIG = Layout(implicit=False, little=False)


class Element(NamedTuple):
    """Where one element lies: header at `start`, value from `value` to `value_end`, next element at `end` (offsets)."""

    tag: int
    vr: str  # as it is written; "" in implicit VR
    start: int
    value: int
    value_end: int
    end: int
    undefined: bool


class Item(NamedTuple):
    """Where one item of a sequence lies: header at `start`, content from `value` to `value_end`, next item at `end`."""

    start: int
    value: int
    value_end: int
    end: int
    undefined: bool
    layout: Layout


def layout_of(data: bytes, transfer_syntax_uid: str) -> Layout:
    """The layout of a data set (inflated, if deflated): what its first element shows, else what the syntax says."""
    if transfer_syntax_uid == BIG_ENDIAN_UID:
        return EXPLICIT_BIG
    if len(data) >= 6:
        # Some modalities declare one and write the other. An implicit element's length never looks like a VR.
        return EXPLICIT_LITTLE if _is_vr(data, 4) else IMPLICIT_LITTLE
    return IMPLICIT_LITTLE if transfer_syntax_uid in _IMPLICIT_UIDS else EXPLICIT_LITTLE


def item_layout(data: bytes, position: int, limit: int, layout: Layout, vr: str) -> Layout:
    """The layout of an item's elements at `position`, in a sequence written with `vr` in `layout` (CP-246 for UN)."""
    if layout.implicit or (not layout.little and vr != "UN") or position + 6 > limit:
        return layout
    return EXPLICIT_LITTLE if _is_vr(data, position + 4) else IMPLICIT_LITTLE


def _is_vr(data: bytes, position: int) -> bool:
    """Whether two capital letters stand here."""
    return 0x40 < data[position] < 0x5B and 0x40 < data[position + 1] < 0x5B


def element_header(data: bytes, position: int, limit: int, layout: Layout) -> tuple[int, str, int, int]:
    """Tag, VR, offset of the value and length of the element at `position`. HeaderIncompleteError, HeaderError."""
    if position + 8 > limit:
        raise HeaderIncompleteError(position + 8)
    if layout.implicit:
        group, number, length = layout.implicit_header.unpack_from(data, position)
        return group << 16 | number, "", position + 8, length
    group, number, vr, length = layout.explicit_header.unpack_from(data, position)
    if vr in SHORT_VRS:
        return group << 16 | number, vr.decode("ascii"), position + 8, length
    if vr in LONG_VRS:
        if position + 12 > limit:
            raise HeaderIncompleteError(position + 12)
        return group << 16 | number, vr.decode("ascii"), position + 12, layout.long.unpack_from(data, position + 8)[0]
    if group == 0xFFFE:
        return group << 16 | number, "", position + 8, layout.long.unpack_from(data, position + 4)[0]
    raise HeaderError("An element has a VR that does not exist.")


def read_element(data: bytes, position: int, limit: int, layout: Layout) -> Element:
    """The element at `position`, which must end at or before `limit`."""
    tag, vr, value, length = element_header(data, position, limit, layout)
    if length == UNDEFINED:
        end = end_of_undefined(data, value, limit, layout, vr)
        return Element(tag, vr, position, value, end - 8, end, True)
    end = value + length
    if end > limit:
        raise HeaderIncompleteError(end)
    return Element(tag, vr, position, value, end, end, False)


def end_of_undefined(data: bytes, position: int, limit: int, layout: Layout, vr: str) -> int:
    """The offset after the delimiter of the undefined-length value that begins at `position`.

    Walks without recursion; what has a defined length is skipped unseen.
    """
    open_layouts = [_order_of_items(layout, vr)]  # of the open sequences and undefined-length items, in turns
    vrs = [vr]
    in_item = False
    while True:
        layout = open_layouts[-1]
        if in_item:
            tag, vr, value, length = element_header(data, position, limit, layout)
            position = value
            if tag == ITEM_END:
                open_layouts.pop()
                in_item = False
            elif length == UNDEFINED:
                open_layouts.append(_order_of_items(layout, vr))
                vrs.append(vr)
                in_item = False
                if len(vrs) > DEEPEST:
                    raise HeaderError("Sequences are nested too deeply.")
            else:
                position += length
            continue
        if position + 8 > limit:
            raise HeaderIncompleteError(position + 8)
        group, number, length = layout.implicit_header.unpack_from(data, position)
        position += 8
        tag = group << 16 | number
        if tag == SEQUENCE_END:
            open_layouts.pop()
            vrs.pop()
            if not open_layouts:
                return position
            in_item = True
        elif tag != ITEM:
            raise HeaderError("A sequence holds something that is not an item.")
        elif length == UNDEFINED:
            open_layouts.append(item_layout(data, position, limit, layout, vrs[-1]))
            in_item = True
        else:
            position += length


def _order_of_items(layout: Layout, vr: str) -> Layout:
    """The layout that item headers have: a UN value is little endian wherever it stands (PS3.5 6.2.2)."""
    return EXPLICIT_LITTLE if vr == "UN" and not layout.little else layout


def read_items(data: bytes, element: Element, layout: Layout) -> list[Item]:
    """The items of a sequence, not looked into. HeaderError if they do not fill the value exactly."""
    layout = _order_of_items(layout, element.vr)
    position, limit = element.value, element.value_end
    items: list[Item] = []
    while position < limit:
        if position + 8 > limit:
            raise HeaderError("A sequence ends inside an item.")
        group, number, length = layout.implicit_header.unpack_from(data, position)
        tag = group << 16 | number
        if tag == SEQUENCE_END and not element.undefined:
            break  # some writers delimit sequences of defined length as well
        if tag != ITEM:
            raise HeaderError("A sequence holds something that is not an item.")
        value = position + 8
        inner = item_layout(data, value, limit, layout, element.vr)
        if length == UNDEFINED:
            value_end = _end_of_item(data, value, limit, inner)
            end = value_end + 8
        else:
            value_end = end = value + length
        if end > limit:
            raise HeaderError("An item is longer than its sequence.")
        items.append(Item(position, value, value_end, end, length == UNDEFINED, inner))
        position = end
    return items


def _end_of_item(data: bytes, position: int, limit: int, layout: Layout) -> int:
    """The offset of the delimiter of the undefined-length item whose content begins at `position`."""
    while True:
        tag, vr, value, length = element_header(data, position, limit, layout)
        if tag == ITEM_END:
            return position
        position = end_of_undefined(data, value, limit, layout, vr) if length == UNDEFINED else value + length
