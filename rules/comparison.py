"""Two headers of one instance side by side: the attributes in which they differ. It decides and edits nothing."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from pydicom.datadict import keyword_for_tag

from rules.decoding import TEXT_VRS
from rules.header import Header
from rules.layout import Element
from rules.level import Level
from rules.splicing import Splice, edited

_ORIGINAL_ATTRIBUTES = 0x04000561


@dataclass(frozen=True, slots=True)
class Difference:
    """One attribute, by its path, with its values in each of the headers; None stands for absent."""

    attribute: str
    old: str | None
    new: str | None


def spliced(header: Header, splice: Splice | None) -> Header:
    """The header that a splice makes of this one, itself where there is none. HeaderError if it cannot be read."""
    return header if splice is None else edited(header, splice)


def differences(old: Header, new: Header) -> list[Difference]:
    """Every attribute whose values differ, at every depth, in the order of their tags.

    The record of old values (0400,0561) follows from the others, so it is told only where it differs alone.
    """
    before, after = _elements(old.top), _elements(new.top)
    tags = [tag for tag in sorted({*before, *after}) if before.get(tag) != after.get(tag)]
    others = [tag for tag in tags if tag != _ORIGINAL_ATTRIBUTES]
    return list(_between(old.top, new.top, others, "")) or list(_between(old.top, new.top, tags, ""))


def _elements(level: Level) -> dict[int, bytes]:
    """The bytes of each element by tag; one lies behind the other."""
    starts = [*level.offsets.values()]
    ends = [*starts[1:], level.end]
    return {tag: level.data[start:end] for tag, start, end in zip(level.offsets, starts, ends, strict=True)}


def _between(old: Level, new: Level, tags: Iterable[int], path: str) -> Iterator[Difference]:
    """What differs in elements of these tags, whose bytes do."""
    for tag in tags:
        if not tag & 0xFFFF:
            continue  # a group length follows from the others
        before, after = old.element(tag), new.element(tag)
        name = path + _name(old if before else new, tag)
        if before and after and old.is_sequence(before) and new.is_sequence(after):
            items, others = old.children(tag), new.children(tag)
            if len(items) == len(others):
                for number, (item, other) in enumerate(zip(items, others, strict=True)):
                    yield from _between(item, other, sorted({*item.offsets, *other.offsets}), f"{name}[{number}].")
                continue
        difference = Difference(name, _text(old, before), _text(new, after))
        if difference.old != difference.new:
            yield difference


def _text(level: Level, element: Element | None) -> str | None:
    """The values as people read them; of a sequence how many items it has, of other bytes how many they are."""
    if element is None:
        return None
    if level.is_sequence(element):
        count = len(level.children(element.tag))
        return f"{count} item{'' if count == 1 else 's'}"
    values = level.text(element.tag) or ()
    if values == ("",) and level.vr(element) not in TEXT_VRS:
        return f"{element.value_end - element.value} bytes"
    return "\\".join(values)


def _name(level: Level, tag: int) -> str:
    keyword = keyword_for_tag(tag)
    if keyword:
        return keyword
    creator = level.creator(tag) if tag >> 16 & 1 else None
    if creator and tag & 0xFFFF > 0xFF:
        return f"({tag >> 16:04X},xx{tag & 0xFF:02X} {creator})"
    return f"({tag >> 16:04X},{tag & 0xFFFF:04X})"
