"""Texts that YAML cut at a # and that may have been meant whole, such as `name: room #1`. It changes no value.

A comment has a space after its #, as all do that are not a word for a thing with a number; only a digit is told of.
"""

import re
from collections.abc import Iterator

from rules import Node, Problem

_TEXTS = frozenset({"name", "description", "contact", "hold", "warn"})  # besides the values of attributes
_NUMBERED = re.compile(r"[ \t]+(#\d+)")


def cut_short(root: Node, text: str) -> Iterator[Problem]:
    """Unquoted texts of one file, read from this `text`, after which a comment such as `#1` stands on their line."""
    lines = text.splitlines()
    for key, node in _values(root, ""):
        if key not in _TEXTS and not key[:1].isupper():
            continue
        value, place = str(node.value), node.position
        line = lines[place.line - 1] if place.line <= len(lines) else ""
        start = place.column - 1
        found = _NUMBERED.match(line, start + len(value)) if line.startswith(value, start) else None
        if found:
            said = f"the text ends before {found[1]}, which begins a comment; in quotes it would belong to the text"
            yield Problem.at(place, said)


def _values(node: Node, key: str) -> Iterator[tuple[str, Node]]:
    """Every text with the key it stands under, directly or in a list."""
    if isinstance(node.value, str):
        yield key, node
    for item in node.items():
        yield from _values(item, key)
    for name, entry in node.entries().items():
        yield from _values(entry.node, name)
