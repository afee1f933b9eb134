"""Edits laid over one level of a data set and, where a path goes deeper, over its items. It encodes nothing."""

from dataclasses import dataclass, field

from rules.attribute import SPECIFIC_CHARACTER_SET, Attribute, Private, Step
from rules.charset import UTF_8, Charset, charset
from rules.errors import EditError
from rules.layout import IMPLICIT_LITTLE, Element, Item, Layout
from rules.level import Level
from rules.scanning import Scan


@dataclass(frozen=True, slots=True)
class Replacement:
    """New values: `written_vr` stands in the element's header, `vr` is how they are encoded (they differ for UN).

    `encoded` is their bytes in a character set, where they were encoded before; `raw` the bytes of what is no text.
    """

    written_vr: str
    vr: str
    values: tuple[str, ...]
    encoded: tuple[Charset, bytes] | None = field(default=None, compare=False)
    raw: bytes | None = None


class EditedSequence:
    """A sequence whose items may be edited: `element` as it lies in the data set, None if it is made anew."""

    def __init__(self, owner: "EditedLevel", element: Element | None) -> None:
        self.owner = owner
        self.element = element
        found = owner.level.items(element.tag) if element else []
        self.items: list[tuple[Item, EditedLevel]] = [(item, EditedLevel(level, owner)) for item, level in found]
        self.added: list[EditedLevel] = []

    @property
    def changed(self) -> bool:
        """Whether the sequence is new, has a new item or an edited one."""
        return self.element is None or bool(self.added) or any(level.changed for _, level in self.items)

    @property
    def levels(self) -> list["EditedLevel"]:
        """The levels of all items."""
        return [level for _, level in self.items] + self.added

    @property
    def layout(self) -> Layout:
        """The layout of a new item's elements: as the first item has it."""
        if self.items:
            return self.items[0][0].layout
        return IMPLICIT_LITTLE if self.element and self.element.vr == "UN" else self.owner.level.layout

    def add(self, content: bytes = b"") -> "EditedLevel":
        """Append an item with this encoded content (in `layout`)."""
        scan = Scan()
        scan.run(content, 0, len(content), self.layout, to_pixels=False)
        level = EditedLevel(Level(content, 0, scan, self.layout, self.owner.level), self.owner)
        self.added.append(level)
        return level


class EditedLevel:
    """One level with its edits: `changes` by tag (None: removed) and sequences that a path has gone into."""

    def __init__(self, level: Level, parent: "EditedLevel | None" = None) -> None:
        self.level = level
        self.parent = parent
        self.changes: dict[int, Replacement | None] = {}
        self.sequences: dict[int, EditedSequence] = {}
        self.converted = False  # to UTF-8, with every item that inherits the character set
        self._texts: dict[int, tuple[str, ...] | None] = {}  # what the data set has, as far as it was read

    @property
    def changed(self) -> bool:
        """Whether anything here or deeper differs from the data set."""
        return self.converted or bool(self.changes) or any(sequence.changed for sequence in self.sequences.values())

    @property
    def changed_tags(self) -> list[int]:
        """The tags of this level that differ, in order."""
        tags = {tag for tag, sequence in self.sequences.items() if sequence.changed} | self.changes.keys()
        return sorted(tags | ({SPECIFIC_CHARACTER_SET} if self.converted else set()))

    @property
    def tags(self) -> list[int]:
        """The tags of all elements of this level, in order."""
        tags = {*self.level.offsets, *self.changes, *self.sequences}
        return sorted(tag for tag in tags if self.changes.get(tag, True) is not None)

    def vr(self, tag: int) -> str:
        """What the value of an element is, "UN" if that is not known."""
        if tag in self.sequences:
            return "SQ"
        replacement = self.changes.get(tag)
        if replacement is not None:
            return replacement.vr
        element = self.level.element(tag)
        return "UN" if element is None else "SQ" if self.level.is_sequence(element) else self.level.vr(element)

    def put_vr(self, tag: int) -> str:
        """The VR that stands in the header of an element, or is to."""
        element = self.level.element(tag)
        return (element.vr if element else "") or self.vr(tag)

    def creator(self, tag: int) -> str | None:
        """The private creator that has reserved the block of a private tag here (PS3.5 7.8.1)."""
        values = self.text(tag & 0xFFFF0000 | tag >> 8 & 0xFF)
        return values[0].strip() if values else None

    @property
    def scope(self) -> "EditedLevel":
        """The level whose Specific Character Set is in force here."""
        own = self.changes.get(SPECIFIC_CHARACTER_SET, SPECIFIC_CHARACTER_SET in self.level.offsets)
        return self if own or self.parent is None else self.parent.scope

    @property
    def declared_charset(self) -> Charset:
        """What the data set's own text is read with: as declared, or as a rule has declared it."""
        scope = self if self.parent is None else self.scope
        if SPECIFIC_CHARACTER_SET not in scope.changes:
            return scope.level.charset
        replacement = scope.changes[SPECIFIC_CHARACTER_SET]
        return charset("\\".join(replacement.values if replacement else ()).encode("latin_1", "replace"))

    @property
    def charset(self) -> Charset:
        """What new text is written with."""
        return UTF_8 if self.scope.converted else self.declared_charset

    def find(self, step: Step) -> int | None:
        """The tag a step means here; None for a private attribute whose creator is absent."""
        if step.private is None:
            return step.tag
        block = self._block(step.private)
        return None if block is None else step.private.group << 16 | block << 8 | step.private.element_low_byte

    def _block(self, private: Private) -> int | None:
        """The block of a private creator, reserved by an edit or in the data set."""
        first = private.group << 16 | 0x10
        for tag, replacement in self.changes.items():
            if first <= tag <= first + 0xEF and replacement and replacement.values[:1] == (private.creator,):
                return tag & 0xFF
        block = self.level.block(private)
        return None if block is None or private.group << 16 | block in self.changes else block

    def text(self, tag: int) -> tuple[str, ...] | None:
        """The values of one element, None if it is absent."""
        if tag == SPECIFIC_CHARACTER_SET and self.converted:
            return UTF_8.terms
        if tag in self.changes:
            replacement = self.changes[tag]
            return None if replacement is None else replacement.values
        if tag in self.sequences:
            return ("",) if self.sequences[tag].levels else ()
        return self._original(tag)

    def _original(self, tag: int) -> tuple[str, ...] | None:
        """The values that the data set has; those of the outermost are read once."""
        if self.parent is not None:
            return self.level.text(tag, self.declared_charset)
        if tag not in self._texts:
            charset = self.declared_charset if SPECIFIC_CHARACTER_SET in self.changes else None
            self._texts[tag] = self.level.text(tag, charset)
        return self._texts[tag]

    def has(self, tag: int) -> bool:
        """Whether the element is there, with any values or none."""
        if tag == SPECIFIC_CHARACTER_SET and self.converted:
            return True
        if tag in self.changes:
            return self.changes[tag] is not None
        return tag in self.sequences or tag in self.level.offsets

    def children(self, tag: int) -> list["EditedLevel"]:
        """The items of a sequence; none if it is absent or no sequence."""
        if tag not in self.sequences and (tag in self.changes or tag not in self.level.offsets):
            return []
        if tag not in self.sequences and not self._is_sequence(tag):
            return []
        return self.sequence(tag).levels

    def _is_sequence(self, tag: int) -> bool:
        """Whether the data set has a sequence of this tag."""
        element = self.level.element(tag)
        return element is not None and self.level.is_sequence(element)

    def sequence(self, tag: int) -> EditedSequence:
        """The sequence of this tag to edit, made anew if it is absent. EditError if the tag is no sequence's."""
        if tag not in self.sequences:
            present = tag in self.level.offsets and tag not in self.changes
            if not (self._is_sequence(tag) if present else self.level.dictionary_vr(tag) == "SQ"):
                raise EditError("a path goes through an attribute that is not a sequence")
            self.changes.pop(tag, None)
            self.sequences[tag] = EditedSequence(self, self.level.element(tag) if present else None)
        return self.sequences[tag]

    def put(self, tag: int, replacement: Replacement | None) -> None:
        """Replace or (None) remove one element; back to what the data set has is no change at all.

        But for one that is there twice, of which only the last is ever read: no splice can be made of that.
        """
        self.sequences.pop(tag, None)
        self.changes.pop(tag, None)
        is_raw = replacement is not None and replacement.raw is not None
        if is_raw or tag in self.level.repeated or self._original(tag) != (replacement.values if replacement else None):
            self.changes[tag] = replacement
        if tag == SPECIFIC_CHARACTER_SET:
            self._texts = {}  # read with another one

    def written_vr(self, tag: int, attribute: Attribute) -> tuple[str, str]:
        """The VR an element of this tag has in its header, and the one its values have."""
        element = self.level.element(tag)
        if element is not None:
            vr = self.level.vr(element)
            known = "LO" if vr == "UN" else vr
            return element.vr or known, known
        vr = self.level.dictionary_vr(tag) or attribute.vr or ("LO" if tag >> 16 & 1 else "UN")
        return vr, vr

    def reserve(self, private: Private) -> int:
        """The tag of a private attribute, its block reserved in the first free place if it is not yet (PS3.5 7.8.1)."""
        tag = self.find(Step(None, private, None))
        if tag is not None:
            return tag
        for block in range(0x10, 0x100):
            creator = private.group << 16 | block
            if self.text(creator) is None:
                self.changes[creator] = Replacement("LO", "LO", (private.creator,))
                return private.group << 16 | block << 8 | private.element_low_byte
        raise EditError("all private blocks of the group are taken")
