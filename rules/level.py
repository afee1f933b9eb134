"""One level of a data set, the top or an item: its elements, values and items, read when asked. It changes nothing."""

import re

from pydicom.datadict import private_dictionary_VR

from rules.attribute import SPECIFIC_CHARACTER_SET, Private, Step, tag_vr
from rules.charset import ESCAPE, Charset, charset
from rules.decoding import SPLITS, decode
from rules.errors import HeaderError, HeaderIncompleteError
from rules.layout import (
    DEEPEST,
    EXPLICIT_LITTLE,
    IMPLICIT_LITTLE,
    ITEM_BIG,
    ITEM_LITTLE,
    SHORT_VRS,
    Element,
    Item,
    Layout,
    read_element,
    read_items,
)
from rules.scanning import Scan

_PIXEL_REPRESENTATION = 0x00280103
_LONGEST_UNKNOWN_TEXT = 1024  # bytes; what is longer is taken for bulk data
_EXPLICIT = EXPLICIT_LITTLE.explicit_header.unpack_from
_IMPLICIT = IMPLICIT_LITTLE.implicit_header.unpack_from
_PRINTABLE = re.compile(rb"[\x20-\x7e]+\0?")
_UNSIGNED_OR_SIGNED = frozenset({"US or SS"})


class Level:
    """The elements of `data[start:end]`, by tag. `parent` gives what an item inherits."""

    __slots__ = (
        "_blocks",
        "_charset",
        "_elements",
        "_items",
        "_vrs",
        "data",
        "depth",
        "end",
        "layout",
        "offsets",
        "parent",
        "repeated",
        "start",
    )

    def __init__(self, data: bytes, start: int, scan: Scan, layout: Layout, parent: "Level | None" = None) -> None:
        self.data = data
        self.start = start
        self.end = scan.end
        self.offsets = scan.offsets
        self.repeated = scan.repeated
        self.layout = layout
        self.parent = parent
        self.depth: int = parent.depth + 1 if parent else 0
        self._blocks: dict[tuple[int, str], int] | None = None
        self._charset: Charset | None = None
        self._elements: dict[int, Element] = {}
        self._items: dict[int, list[tuple[Item, Level]]] = {}
        self._vrs: dict[int, str] = {}

    @classmethod
    def of_item(cls, data: bytes, item: Item, parent: "Level") -> "Level":
        """Scan the content of one item. HeaderError if it does not hold whole elements."""
        scan = Scan()
        try:
            scan.run(data, item.value, item.value_end, item.layout, to_pixels=False)
        except HeaderIncompleteError:
            raise HeaderError("An item ends inside an element.") from None
        return cls(data, item.value, scan, item.layout, parent)

    @property
    def charset(self) -> Charset:
        """The character set in force: the level's own, else its parent's (PS3.5 7.5.3)."""
        if self._charset is None:
            if self.parent is None or SPECIFIC_CHARACTER_SET in self.offsets:
                self._charset = charset(self.raw(SPECIFIC_CHARACTER_SET) or b"")
            else:
                self._charset = self.parent.charset
        return self._charset

    def element(self, tag: int) -> Element | None:
        """Where an element lies, None if it is absent."""
        element = self._elements.get(tag)
        if element is None:
            offset = self.offsets.get(tag)
            if offset is None:
                return None
            element = self._elements[tag] = read_element(self.data, offset, self.end, self.layout)
        return element

    def extent(self, tag: int) -> tuple[int, int] | None:
        """Where an element begins and ends, None if it is absent."""
        offset = self.offsets.get(tag)
        if offset is None:
            return None
        if self.layout is EXPLICIT_LITTLE:
            _, _, written, length = _EXPLICIT(self.data, offset)
            if written in SHORT_VRS and offset + 8 + length <= self.end:
                return offset, offset + 8 + length
        element = read_element(self.data, offset, self.end, self.layout)
        return offset, element.end

    def place(self, tag: int) -> tuple[int, int]:
        """Where an element begins and ends; if it is absent, the empty range where it belongs."""
        extent = self.extent(tag)
        if extent is not None:
            return extent
        offset = next((offset for other, offset in self.offsets.items() if other > tag), self.end)
        return offset, offset

    def raw(self, tag: int) -> bytes | None:
        """The bytes of a value, padding and all; None if the element is absent."""
        element = self.element(tag)
        return None if element is None else self.data[element.value : element.value_end]

    def vr(self, element: Element) -> str:
        """What the value is: the VR as written or, where that says nothing, the dictionary's; "UN" if unknown."""
        return element.vr if element.vr and element.vr != "UN" else self._unwritten_vr(element.tag)

    def _unwritten_vr(self, tag: int) -> str:
        """The dictionary's VR of an element of this level, "UN" if it has none."""
        known = self._vrs.get(tag)
        if known is None:
            known = self._vrs[tag] = self.dictionary_vr(tag) or "UN"
        return known

    def dictionary_vr(self, tag: int) -> str | None:
        """The VR the dictionaries give a tag in this level; None if they know none or leave it open."""
        vr = tag_vr(tag)
        if vr is None and tag >> 16 & 1:
            creator = self.creator(tag)
            try:
                vr = private_dictionary_VR(tag, creator) if creator else None
            except KeyError:
                vr = None
        if vr in _UNSIGNED_OR_SIGNED:
            return "SS" if self._pixels_are_signed() else "US"
        return None if vr is None or " or " in vr else vr

    def _pixels_are_signed(self) -> bool:
        """Whether the Pixel Representation here or further out says that pixel values are signed."""
        level: Level | None = self
        while level is not None:
            if _PIXEL_REPRESENTATION in level.offsets:
                return level.text(_PIXEL_REPRESENTATION) == ("1",)
            level = level.parent
        return False

    def creator(self, tag: int) -> str | None:
        """The private creator that has reserved the block of a private tag (PS3.5 7.8.1)."""
        block = tag >> 8 & 0xFF
        values = self.text(tag & 0xFFFF0000 | block) if block >= 0x10 else None
        return values[0] if values else None

    def find(self, step: Step) -> int | None:
        """The tag a step means here; None for a private attribute whose creator is absent."""
        if step.private is None:
            return step.tag
        block = self.block(step.private)
        return None if block is None else step.private.group << 16 | block << 8 | step.private.element_low_byte

    def block(self, private: Private) -> int | None:
        """The block (0x10 to 0xFF) a private creator has reserved, None if it has none."""
        if self._blocks is None:
            tags = [tag for tag in self.offsets if tag >> 16 & 1 and 0x10 <= tag & 0xFFFF <= 0xFF]
            creators = [(tag, (self.text(tag) or ("",))[0].strip()) for tag in tags]
            self._blocks = {(tag >> 16, creator): tag & 0xFF for tag, creator in reversed(creators)}
        return self._blocks.get((private.group, private.creator))

    def text(self, tag: int, charset: Charset | None = None) -> tuple[str, ...] | None:
        """The values of one element (text in `charset` rather than the level's own), None if it is absent.

        A value of unknown VR is text where every byte is printable ASCII: private attributes often are.
        """
        offset = self.offsets.get(tag)
        if offset is None:
            return None
        if self.layout is EXPLICIT_LITTLE:  # most elements have a 16-bit length, and hold text in ASCII
            _, _, written, length = _EXPLICIT(self.data, offset)
            split = SPLITS.get(SHORT_VRS.get(written, ""))
        elif self.layout is IMPLICIT_LITTLE:
            _, _, length = _IMPLICIT(self.data, offset)
            split = SPLITS.get(self._unwritten_vr(tag))
        else:
            split = None
        if split is not None and offset + 8 + length <= self.end:
            raw = self.data[offset + 8 : offset + 8 + length]
            if raw.isascii() and ESCAPE not in raw:  # the same in every character set
                return split(raw.decode("ascii"))
        return self._any_text(offset, charset or self.charset)

    def _any_text(self, offset: int, charset: Charset) -> tuple[str, ...]:
        """The values of the element at an offset, whatever it is."""
        element = read_element(self.data, offset, self.end, self.layout)
        raw = self.data[element.value : element.value_end]
        if element.undefined:
            return ("",) if raw else ()
        vr = self.vr(element)
        if vr == "UN" and len(raw) <= _LONGEST_UNKNOWN_TEXT and _PRINTABLE.fullmatch(raw):
            vr = "LO"
        little = self.layout.little or element.vr == "UN"
        return decode(raw, vr, little=little, charset=charset)

    def is_sequence(self, element: Element) -> bool:
        """Whether an element holds items: by its VR or, where that is unknown, by how its value begins."""
        vr = self.vr(element)
        if vr != "UN":
            return vr == "SQ"
        marks = ITEM_LITTLE if self.layout.little or element.vr == "UN" else ITEM_BIG
        return element.value_end - element.value >= 8 and self.data.startswith(marks, element.value)

    def items(self, tag: int) -> list[tuple[Item, "Level"]]:
        """The items of a sequence with their levels; none if it is absent or no sequence. HeaderError."""
        if tag not in self._items:
            element = self.element(tag)
            found: list[tuple[Item, Level]] = []
            if element is not None and self.is_sequence(element):
                if self.depth >= DEEPEST:
                    raise HeaderError("Sequences are nested too deeply.")
                items = read_items(self.data, element, self.layout)
                found = [(item, Level.of_item(self.data, item, self)) for item in items]
            self._items[tag] = found
        return self._items[tag]

    def children(self, tag: int) -> list["Level"]:
        """The levels of a sequence's items."""
        return [level for _, level in self.items(tag)]
