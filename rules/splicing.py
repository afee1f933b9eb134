"""Edits into byte ranges of the original, and back: which bytes are replaced by which. It decides no value."""

import struct
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from rules.attribute import SPECIFIC_CHARACTER_SET
from rules.charset import ESCAPE, UTF_8, UnencodableError
from rules.decoding import TEXT_VRS
from rules.encoding import encode_element, encode_item, encode_values
from rules.errors import EditError, RulesError
from rules.header import Header
from rules.overlay import EditedLevel, EditedSequence, Replacement

_PLAIN, _DEFLATED, _WHOLE = b"\x01", b"\x02", b"\x03"  # what is deflated was restored by hunks once
_HUNK = struct.Struct("<QQQ")
_PIXEL_HEADER_BYTES = 12  # at the most (PS3.5 7.1)


class Hunk(NamedTuple):
    """The bytes `start` to `end` of the original give way to `new`.

    Several may insert at one place: the innermost level's first (the smaller `rank`), in one level by tag.
    """

    start: int
    end: int
    rank: int
    tag: int
    new: bytes

    @property
    def growth(self) -> int:
        """By how many bytes the data set gets longer."""
        return len(self.new) - (self.end - self.start)


@dataclass(frozen=True, slots=True)
class Splice:
    """The edited data set is `prefix + original[resume:]`.

    `restore` has what `undo` needs: for each hunk where its new bytes lie, how many they are, and the old ones; of a
    deflated data set all of it as it came, since nobody can tell how it was deflated.
    """

    prefix: bytes
    resume: int
    restore: bytes


def hunks_of(edited: EditedLevel) -> list[Hunk]:
    """All hunks of a level and its items, not sorted. EditError if an edit cannot be made in these bytes."""
    level = edited.level
    if level.repeated and (edited.changed or edited.scope.converted):
        raise EditError("the header has an element twice")
    by_group: dict[int, int] = {}
    hunks: list[Hunk] = []
    for tag, replacement in _replacements(edited).items():
        new = b"" if replacement is None else _encode(edited, tag, replacement)
        hunk = Hunk(*level.place(tag), _rank(edited), tag, new)
        hunks.append(hunk)
        by_group[tag >> 16] = by_group.get(tag >> 16, 0) + hunk.growth
    if edited.scope.converted:
        hunks += _converted_text(edited, by_group)
    for tag, sequence in edited.sequences.items():
        inner = _sequence_hunks(edited, tag, sequence)
        hunks += inner
        by_group[tag >> 16] = by_group.get(tag >> 16, 0) + sum(hunk.growth for hunk in inner)
    return hunks + _group_lengths(edited, by_group)


def _replacements(edited: EditedLevel) -> dict[int, Replacement | None]:
    """The changes, with the Specific Character Set of a level that is converted."""
    if not edited.converted:
        return edited.changes
    return edited.changes | {SPECIFIC_CHARACTER_SET: Replacement("CS", "CS", UTF_8.terms)}


def _rank(edited: EditedLevel) -> int:
    """The rank of what is inserted at this level; one less is for a new item of one of its sequences."""
    return -2 * edited.level.depth


def _encode(edited: EditedLevel, tag: int, replacement: Replacement) -> bytes:
    """The bytes of a replaced element."""
    layout, charset = edited.level.layout, edited.charset
    if replacement.raw is not None:
        return encode_element(tag, replacement.written_vr, replacement.raw, layout)
    if replacement.encoded and replacement.encoded[0] is charset:
        return encode_element(tag, replacement.written_vr, replacement.encoded[1], layout)
    little = layout.little or replacement.written_vr == "UN"
    try:
        raw = encode_values(replacement.values, replacement.vr, little=little, charset=charset)
    except UnencodableError:
        raise EditError("the data set's character set cannot hold the new text") from None
    return encode_element(tag, replacement.written_vr, raw, layout)


def _converted_text(edited: EditedLevel, by_group: dict[int, int]) -> list[Hunk]:
    """The level's untouched text in UTF-8; sequences with text that may differ are opened to be converted too."""
    level, hunks = edited.level, []
    for tag in level.offsets:
        element = level.element(tag)
        if tag in edited.changes or element is None:
            continue
        raw = level.data[element.value : element.value_end]
        if raw.isascii() and ESCAPE not in raw:
            continue
        vr = level.vr(element)
        if vr in TEXT_VRS:
            try:
                text = edited.declared_charset.decode(raw, strict=True, name=vr == "PN")
            except UnicodeError:
                raise EditError("the header has text outside its character set, it cannot be converted") from None
            new = text.encode("utf-8")
            new += b" " * (len(new) & 1)
            hunk = Hunk(element.start, element.end, 0, tag, encode_element(tag, element.vr or vr, new, level.layout))
            hunks.append(hunk)
            by_group[tag >> 16] = by_group.get(tag >> 16, 0) + hunk.growth
        elif level.is_sequence(element):
            edited.sequence(tag)
    return hunks


def _sequence_hunks(edited: EditedLevel, tag: int, sequence: EditedSequence) -> list[Hunk]:
    """The hunks inside a sequence, with the lengths of the items and of the sequence itself put right."""
    element = sequence.element
    added = b"".join(_whole_item(level) for level in sequence.added)
    if element is None:
        new = encode_element(tag, "SQ", added, edited.level.layout)
        return [Hunk(*edited.level.place(tag), _rank(edited), tag, new)]
    hunks: list[Hunk] = []
    end = element.value
    for item, level in sequence.items:
        inner = hunks_of(level)
        growth = sum(hunk.growth for hunk in inner)
        hunks += inner
        if growth and not item.undefined:
            length = item.layout.long.pack(item.value_end - item.value + growth)
            hunks.append(Hunk(item.start + 4, item.start + 8, 0, 0, length))
        end = item.end
    if added:
        hunks.append(Hunk(end, end, _rank(edited) - 1, 0, added))
    growth = sum(hunk.growth for hunk in hunks)
    if growth and not element.undefined:
        length = edited.level.layout.long.pack(element.value_end - element.value + growth)
        hunks.append(Hunk(element.value - 4, element.value, 0, 0, length))
    return hunks


def _whole_item(level: EditedLevel) -> bytes:
    """A new item with its edits."""
    return encode_item(replace(level.level.data, hunks_of(level)), level.level.layout)


def _group_lengths(edited: EditedLevel, by_group: dict[int, int]) -> list[Hunk]:
    """The group lengths (gggg,0000) of the groups whose size changed, computed anew."""
    level, hunks = edited.level, []
    for group, growth in by_group.items():
        own = level.element(group << 16)
        if own is None or group << 16 in edited.changes or own.value_end - own.value != 4 or not growth:
            continue
        elements = [level.element(tag) for tag in level.offsets if tag >> 16 == group and tag & 0xFFFF]
        size = sum(element.end - element.start for element in elements if element) + growth
        hunks.append(Hunk(own.value, own.value_end, 0, 0, level.layout.long.pack(size)))
    return hunks


def splice_of(header: Header, hunks: Iterable[tuple[int, int, int, int, bytes]]) -> Splice:
    """The splice that makes the hunks in the data set of a header."""
    data, end = header.top.data, header.top.end
    pieces: list[bytes] = []
    restore = [_PLAIN]
    position = shift = 0
    for start, stop, _, _, new in sorted(hunks):
        pieces += data[position:start], new
        restore += _HUNK.pack(start + shift, len(new), stop - start), data[start:stop]
        position = stop
        shift += len(new) - (stop - start)
    pieces.append(data[position:end])
    prefix = b"".join(pieces)
    if header.deflated is not None:
        return Splice(deflate(prefix + data[end:]), header.end, b"".join((_WHOLE, header.deflated)))
    return Splice(prefix, header.end, b"".join(restore))


def edited(header: Header, splice: Splice) -> Header:
    """The header that a splice makes of this one, read anew from its bytes. HeaderError if it cannot be read."""
    rest = b"" if header.deflated else header.top.data[header.end : header.end + _PIXEL_HEADER_BYTES]
    return Header.scan(splice.prefix + rest, header.transfer_syntax_uid)


def replace(data: bytes, hunks: Sequence[Hunk]) -> bytes:
    """The bytes with the hunks put in."""
    pieces: list[bytes] = []
    position = 0
    for hunk in sorted(hunks):
        pieces += data[position : hunk.start], hunk.new
        position = hunk.end
    pieces.append(data[position:])
    return b"".join(pieces)


def undo(prefix: bytes, restore: bytes) -> bytes:
    """The original bytes [0:resume] again, from a splice's prefix and its `restore`.

    Of a deflated data set that an older version changed only the inflated bytes are the original's. RulesError if the
    two do not belong together.
    """
    kind = restore[:1]
    if kind == _WHOLE:
        return restore[1:]
    hunks: list[Hunk] = []
    try:
        data = inflate(prefix) if kind == _DEFLATED else prefix
        position = 1
        while position < len(restore):
            start, length, old = _HUNK.unpack_from(restore, position)
            position += _HUNK.size + old
            hunks.append(Hunk(start, start + length, len(hunks), 0, restore[position - old : position]))
    except (struct.error, zlib.error):
        raise RulesError("A change cannot be undone: its record is damaged.") from None
    if kind not in (_PLAIN, _DEFLATED) or position != len(restore) or (hunks and hunks[-1].end > len(data)):
        raise RulesError("A change cannot be undone: its record is damaged.")
    original = replace(data, hunks)
    return deflate(original) if kind == _DEFLATED else original


def inflate(data: bytes) -> bytes:
    """The bytes of a deflated data set that this appliance has deflated itself."""
    return zlib.decompressobj(-zlib.MAX_WBITS).decompress(data)


def deflate(data: bytes) -> bytes:
    """The bytes of a data set deflated (PS3.5 A.5), padded to an even number."""
    deflater = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    deflated = deflater.compress(data) + deflater.flush()
    return deflated + b"\0" * (len(deflated) & 1)
