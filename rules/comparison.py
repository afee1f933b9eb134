"""Two headers of one instance side by side: the elements in which they differ. It decides and edits nothing.

It holds a patient's values: it is for the person who asks, never for a log.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import zip_longest

from pydicom.datadict import keyword_for_tag

from rules.decoding import TEXT_VRS
from rules.errors import RulesError
from rules.header import Header
from rules.layout import Element
from rules.level import Level
from rules.splicing import Splice, edited

_ORIGINAL_ATTRIBUTES = 0x04000561
_OPAQUE = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "UN", "OB or OW"})
_LAST_CREATOR = 0x00FF  # PS3.5 7.8.1
_LONGEST_SHOWN = 200  # characters of a value in a line

_Side = Level | None


@dataclass(frozen=True, slots=True)
class Difference:
    """One element that is not the same, by its path, with its values in each of the headers; None for absent."""

    element: str
    old: str | None
    new: str | None

    def lines(self) -> Iterator[str]:
        """As a diff: what was after a minus, what is after a plus."""
        for sign, text in (("-", self.old), ("+", self.new)):
            if text is not None:
                yield f"{sign} {self.element}: {text[:_LONGEST_SHOWN]}{'…' if len(text) > _LONGEST_SHOWN else ''}"


def spliced(header: Header, splice: Splice | None) -> Header:
    """The header that a splice makes of this one, itself where there is none. HeaderError if it cannot be read."""
    return header if splice is None else edited(header, splice)


def differences(old: Header, new: Header) -> list[Difference]:
    """As rules name them, at every depth where sequences are as long as each other, in the order of their tags.

    The record of old values (0400,0561) follows from the others, so it is told only where it differs alone.
    """
    before, after = _elements(old.top), _elements(new.top)
    tags = [tag for tag in _tags(old.top, new.top) if before.get(tag) != after.get(tag)]
    others = [tag for tag in tags if tag != _ORIGINAL_ATTRIBUTES]
    return list(_between(old.top, new.top, _AS_NAMED, others)) or list(_between(old.top, new.top, _AS_NAMED, tags))


def differing_elements(old: Header, new: Header) -> tuple[Difference, ...]:
    """By tag and name, every element up to the pixel data, also those of items that only one of the headers has."""
    return tuple(_between(old.top, new.top, _AS_ENCODED, _unlike(old.top, new.top)))


@dataclass(frozen=True, slots=True)
class _Manner:
    """How differences are told: which elements of an item are looked at, what they are called, what they say.

    `items` are those to go into, side by side; without any the element is told as a whole.
    """

    tags: Callable[[_Side, _Side], Iterable[int]]
    name: Callable[[_Side, _Side, int], str]
    items: Callable[[_Side, _Side, int], Iterable[tuple[_Side, _Side]]]
    text: Callable[[Level, Element], str]
    joint: str


def _between(old: _Side, new: _Side, manner: _Manner, tags: Iterable[int], path: str = "") -> Iterator[Difference]:
    """What differs in elements of these tags."""
    for tag in tags:
        name = path + manner.name(old, new, tag)
        items = list(manner.items(old, new, tag))
        for number, (item, other) in enumerate(items):
            inside = manner.tags(item, other)
            yield from _between(item, other, manner, inside, f"{name}[{number}]{manner.joint}")
        if not items:
            before, after = (_text(level, tag, manner) for level in (old, new))
            if before != after:
                yield Difference(name, before, after)


def _text(level: _Side, tag: int, manner: _Manner) -> str | None:
    element = level.element(tag) if level else None
    return manner.text(level, element) if level and element else None


def _elements(level: Level) -> dict[int, bytes]:
    """The bytes of each element by tag; one lies behind the other."""
    starts = [*level.offsets.values()]
    ends = [*starts[1:], level.end]
    return {tag: level.data[start:end] for tag, start, end in zip(level.offsets, starts, ends, strict=True)}


def _tags(old: _Side, new: _Side) -> list[int]:
    """All but group lengths, which follow from the rest."""
    tags = {*(old.offsets if old else ()), *(new.offsets if new else ())}
    return sorted(tag for tag in tags if tag & 0xFFFF)


def _unlike(old: _Side, new: _Side) -> list[int]:
    """Those whose bytes, or what text is read with, are not the same."""
    tags = _tags(old, new)
    if not old or not new or old.charset is not new.charset:
        return tags
    return [tag for tag in tags if tag not in old.offsets or old.raw(tag) != new.raw(tag)]


def _as_in_rules(old: _Side, new: _Side, tag: int) -> str:
    if keyword := keyword_for_tag(tag):
        return keyword
    level = old if old and tag in old.offsets else new
    creator = level.creator(tag) if level and tag >> 16 & 1 else None
    if creator and tag & 0xFFFF > _LAST_CREATOR:
        return f"({tag >> 16:04X},xx{tag & 0xFF:02X} {creator})"
    return f"({tag >> 16:04X},{tag & 0xFFFF:04X})"


def _with_tag(old: _Side, new: _Side, tag: int) -> str:
    """The tag, and the keyword or the creator of what is private."""
    creators = [level.creator(tag) for level in (old, new) if level and tag >> 16 & 1]
    word = next(filter(None, creators), None) or keyword_for_tag(tag) or "unknown"
    if creators and tag & 0xFFFF <= _LAST_CREATOR:
        word = "PrivateCreator"
    return f"({tag >> 16:04X},{tag & 0xFFFF:04X}) {word}"


def _as_many(old: _Side, new: _Side, tag: int) -> Iterable[tuple[_Side, _Side]]:
    """The items of two sequences that are as long as each other."""
    items, others = (level.children(tag) if level else [] for level in (old, new))
    return zip(items, others, strict=True) if len(items) == len(others) else ()


def _any(old: _Side, new: _Side, tag: int) -> Iterable[tuple[_Side, _Side]]:
    """All items of both; none of what cannot be read."""
    return zip_longest(_readable(old, tag), _readable(new, tag))


def _readable(level: _Side, tag: int) -> list[Level]:
    try:
        return level.children(tag) if level else []
    except RulesError:
        return []


def _counted(level: Level, element: Element) -> str:
    """The values; of a sequence how many items it has, of bytes that are no text how many they are."""
    if level.is_sequence(element):
        count = len(level.children(element.tag))
        return f"{count} item{'' if count == 1 else 's'}"
    values = level.text(element.tag) or ()
    if values == ("",) and level.vr(element) not in TEXT_VRS:
        return f"{element.value_end - element.value} bytes"
    return "\\".join(values)


def _measured(level: Level, element: Element) -> str:
    """The values; of a sequence and of what is not to be read how many bytes they are."""
    if level.vr(element) in _OPAQUE or level.is_sequence(element):
        return f"<{element.value_end - element.value} bytes>"
    return "\\".join(level.text(element.tag) or ())


_AS_NAMED = _Manner(_tags, _as_in_rules, _as_many, _counted, ".")
_AS_ENCODED = _Manner(_unlike, _with_tag, _any, _measured, " > ")
