"""Reads an attribute along its path into sequences, in a header or in one with edits over it. It decodes no value."""

from collections.abc import Sequence
from itertools import chain
from typing import Protocol, Self

from rules.attribute import Attribute, Step


class Navigable(Protocol):
    """What `read` can walk: a level, or a level with edits over it."""

    def find(self, step: Step) -> int | None:
        """The tag a step means here; None for a private attribute whose creator is absent."""
        ...

    def text(self, tag: int) -> tuple[str, ...] | None:
        """The values of one element, None if it is absent."""
        ...

    def children(self, tag: int) -> Sequence[Self]:
        """The items of a sequence; none if it is absent or no sequence."""
        ...


def read(level: Navigable, attribute: Attribute, depth: int = 0) -> tuple[str, ...] | None:
    """The values of an attribute from `level` inwards; of all items where a path names none. None if it is absent."""
    step = attribute.steps[depth]
    tag = level.find(step)
    if tag is None:
        return None
    last = depth == len(attribute.steps) - 1
    if last and step.item is None:
        return level.text(tag)
    items = level.children(tag)
    if step.item is not None:
        items = items[step.item : step.item + 1]
    if last:
        return ("",) if items else None
    found = [values for values in (read(item, attribute, depth + 1) for item in items) if values is not None]
    return tuple(chain.from_iterable(found)) if found else None
