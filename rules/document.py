"""A YAML text as a tree that remembers where every word stood. Holds and finds; reads no text and checks no meaning."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import NamedTuple

from rules.errors import RulesError

Loc = tuple[int | str, ...]
SHORTEST_UNMISTAKABLE = 6  # characters; a shorter secret may be part of a word by chance


class Position(NamedTuple):
    """A place in a file; line and column count from 1."""

    file: str
    line: int
    column: int

    def seen_from(self, other: "Position") -> str:
        """Where this is, in words, for a reader who is at `other`."""
        return f"on line {self.line}" if self.file == other.file else f"in {self.file} on line {self.line}"


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing that is wrong (or, as a warning, odd) in a file, and where."""

    file: str
    line: int
    column: int
    message: str
    suggestion: str | None = None

    def __str__(self) -> str:
        """The problem in one line, as editors and terminals recognise it."""
        hint = f", did you mean {self.suggestion!r}?" if self.suggestion else ""
        return f"{self.file}:{self.line}:{self.column}: {self.message}{hint}"

    def as_dict(self) -> dict[str, str | int | None]:
        """The problem for programs: file, line, column, message, suggestion."""
        return asdict(self)

    @classmethod
    def at(cls, position: Position, message: str, suggestion: str | None = None) -> "Problem":
        """A problem at a position."""
        return cls(position.file, position.line, position.column, message, suggestion)


class LoadError(RulesError):
    """The text is not a configuration."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in sorted(problems, key=_by_place)))
        self.problems = tuple(sorted(problems, key=_by_place))


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """One value: text, None for an empty one, a list of nodes, or a mapping of entries."""

    position: Position
    value: "str | list[Node] | dict[str, Entry] | None"

    def plain(self) -> object:
        """The value without positions: dict, list, str and None only."""
        if isinstance(self.value, dict):
            return {key: entry.node.plain() for key, entry in self.value.items()}
        if isinstance(self.value, list):
            return [item.plain() for item in self.value]
        return self.value

    def entries(self) -> "dict[str, Entry]":
        """The entries of a mapping; none for everything else."""
        return self.value if isinstance(self.value, dict) else {}

    def items(self) -> "list[Node]":
        """The items of a list; none for everything else."""
        return self.value if isinstance(self.value, list) else []

    def get(self, *keys: str) -> "Node | None":
        """The node under these nested keys, or None."""
        node = self
        for key in keys:
            entry = node.entries().get(key)
            if entry is None:
                return None
            node = entry.node
        return node

    def texts(self) -> "Iterator[tuple[str, Node]]":
        """This scalar, or every scalar of this list, with its node."""
        for node in [self, *self.items()]:
            if isinstance(node.value, str):
                yield node.value, node


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """A value of a mapping, and where its key stands."""

    key_position: Position
    node: Node


@dataclass(frozen=True, slots=True, eq=False)
class Document:
    """A tree of nodes, from one file or several.

    `concealed` maps texts that must not be shown (the values of secrets) to what is shown in their place;
    `referring` are the places of the values that such a text is part of.
    """

    root: Node
    concealed: Mapping[str, str] = field(default_factory=dict, repr=False)
    referring: frozenset[Position] = frozenset()

    def plain(self) -> object:
        """The whole document without positions."""
        return self.root.plain()

    def position(self, loc: Loc, *, of_key: bool = False) -> Position:
        """Where the value at `loc` stands, or its key.

        Steps of `loc` that the document does not have (names that a validator adds) are passed over; if the last step
        is one of them, the answer is the key of the innermost value found, for there something is missing.
        """
        node, key_position, found = self.root, None, True
        for step in loc:
            entry = node.entries().get(step) if isinstance(step, str) else None
            found = True
            if entry is not None:
                node, key_position = entry.node, entry.key_position
            elif isinstance(step, int) and 0 <= step < len(node.items()):
                node, key_position = node.items()[step], None
            else:
                found = False
        wants_key = of_key or not found
        return key_position if wants_key and key_position is not None else node.position

    def concealed_in(self, problem: Problem) -> Problem:
        """The problem with every secret value in its texts replaced by its reference."""
        is_referring = Position(problem.file, problem.line, problem.column) in self.referring
        message = self._conceal(problem.message, is_referring)
        suggestion = self._conceal(problem.suggestion, is_referring) if problem.suggestion else None
        return replace(problem, message=message, suggestion=suggestion)

    def concealed_text(self, text: str) -> str:
        """A text that tells of values, without those that must not be shown."""
        return self._conceal(text, is_referring=False)

    def _conceal(self, text: str, is_referring: bool) -> str:
        """Replace each value; a short one, which ordinary words hold too, only where it can have come from a secret."""
        for secret in sorted(self.concealed, key=len, reverse=True):
            shown = self.concealed[secret]
            if is_referring or len(secret) >= SHORTEST_UNMISTAKABLE:
                text = text.replace(repr(secret)[1:-1], shown).replace(secret, shown)
            else:
                text = text.replace(repr(secret), repr(shown))
        return text


def _by_place(problem: Problem) -> tuple[str, int, int, str]:
    return problem.file, problem.line, problem.column, problem.message
