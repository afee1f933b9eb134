"""What differs between two headers, element by element, for people who ask. It edits nothing.

It holds a patient's values: it is for the person who asks, never for a log.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest

from pydicom.datadict import keyword_for_tag

from rules.errors import RulesError
from rules.header import Header
from rules.level import Level

_OPAQUE = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "UN", "OB or OW"})
_LAST_CREATOR = 0x00FF  # PS3.5 7.8.1
_LONGEST_SHOWN = 200  # characters of a value in a line


@dataclass(frozen=True, slots=True)
class Difference:
    """One element that is not the same, by tag and name, after the path of the item it stands in; None for absent."""

    element: str
    old: str | None
    new: str | None

    def lines(self) -> Iterator[str]:
        """As a diff: what was after a minus, what is after a plus."""
        for sign, text in (("-", self.old), ("+", self.new)):
            if text is not None:
                yield f"{sign} {self.element}: {text[:_LONGEST_SHOWN]}{'…' if len(text) > _LONGEST_SHOWN else ''}"


def differences(before: Header, after: Header) -> tuple[Difference, ...]:
    """The elements up to the pixel data whose values differ, in order of their tags, those inside of items as well."""
    return tuple(_between(before.top, after.top, ""))


def _between(before: Level | None, after: Level | None, path: str) -> Iterator[Difference]:
    tags = {*(before.offsets if before else ()), *(after.offsets if after else ())}
    for tag in sorted(tag for tag in tags if tag & 0xFFFF):  # group lengths follow from the rest
        if before and after and before.raw(tag) == after.raw(tag) is not None and before.charset is after.charset:
            continue
        name = f"{path}({tag >> 16:04X},{tag & 0xFFFF:04X}) {_name(before, after, tag)}"
        old_items, new_items = _items(before, tag), _items(after, tag)
        if old_items or new_items:
            for number, (old, new) in enumerate(zip_longest(old_items, new_items)):
                yield from _between(old, new, f"{name}[{number}] > ")
            continue
        difference = Difference(name, _text(before, tag), _text(after, tag))
        if difference.old != difference.new:
            yield difference


def _name(before: Level | None, after: Level | None, tag: int) -> str:
    """The keyword, or the creator of what is private."""
    if tag >> 16 & 1 and tag & 0xFFFF <= _LAST_CREATOR:
        return "PrivateCreator"
    for level in filter(None, (before, after)):
        if tag >> 16 & 1 and (creator := level.creator(tag)):
            return creator
    return keyword_for_tag(tag) or "unknown"


def _items(level: Level | None, tag: int) -> list[Level]:
    try:
        return level.children(tag) if level else []
    except RulesError:  # what cannot be read is shown by its length
        return []


def _text(level: Level | None, tag: int) -> str | None:
    element = level.element(tag) if level else None
    if level is None or element is None:
        return None
    if level.vr(element) in _OPAQUE or level.is_sequence(element):
        return f"<{element.value_end - element.value} bytes>"
    return "\\".join(level.text(tag) or ())
