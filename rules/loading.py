"""Strict YAML: every scalar is text, and what a site did not mean is an error. Reads text, never a file; no schema."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NoReturn

import yaml

from rules.document import Document, Entry, LoadError, Node, Position, Problem

LONGEST_EXPANSION = 10_000  # nodes that all aliases of a file may stand for
DEEPEST_NESTING = 64
_TOO_DEEP = f"nested more than {DEEPEST_NESTING} levels deep"
_STANDARD_TAGS = {f"tag:yaml.org,2002:{name}" for name in ("str", "map", "seq")}
_NULLS = {"", "null", "~"}
_CURLY_QUOTES = "\u201c\u201d\u201e\u2018\u2019\u201a"  # as word processors make of straight ones
# What the parser says, or is about, and what to do: a colon, a dash or a quote is mostly what is wrong.
_ADVICE = {
    "mapping values are not allowed": "put a text that holds ': ' in quotes, or look at the indentation",
    "did not find expected key": "this line is indented unlike those it belongs to, or a text before it needs quotes",
    "expected <block end>": "this line is indented unlike those it belongs to, or a text before it needs quotes",
    "did not find expected '-' indicator": "this line is indented unlike what it belongs to, or its dash is missing",
    "unknown escape character": "write a text with a backslash in single quotes",
    "could not find expected ':'": "a key has a colon and a space after it",
    "while scanning an alias": "a text that begins with * needs quotes",
    "while scanning an anchor": "a text that begins with & needs quotes",
}


def compose(text: str, name: str) -> Document:
    """Read one YAML document; `name` is the file name shown in positions.

    Raises LoadError with every problem found: unreadable YAML, duplicate keys, tags, too much nesting or expansion.
    An empty text is a document whose root is None.
    """
    composer = _Composer(name)
    try:
        for event in _events(text):
            composer.take(event)
    except yaml.reader.ReaderError as error:
        composer.problems.append(_unreadable_character(error, text, name))
    except yaml.MarkedYAMLError as error:
        composer.problems.append(_syntax_problem(error, text, name))
    except _StoppedError:
        pass
    if composer.problems:
        raise LoadError(composer.problems)
    return Document(composer.root or Node(Position(name, 1, 1), None))


def _events(text: str) -> Iterator[yaml.Event]:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    yield from yaml.parse(text.removeprefix("\ufeff"), Loader=loader)


class _StoppedError(Exception):
    """Reading on would be wrong or endless; the problem is noted."""


@dataclass(slots=True)
class _Frame:
    """A list or mapping that is still open."""

    node: Node
    anchor: str | None
    size: int = 1
    key: tuple[str, Position] | None = None
    is_merge: bool = False
    skips_value: bool = False
    merged: list[Node] = field(default_factory=list)


class _Composer:
    """Builds the tree from the parser's events without recursion, so that no input can exhaust the stack."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.root: Node | None = None
        self.problems: list[Problem] = []
        self._stack: list[_Frame] = []
        self._anchors: dict[str, tuple[Node, int]] = {}
        self._expanded = 0

    def take(self, event: yaml.Event) -> None:
        """One event of the parser."""
        if isinstance(event, yaml.ScalarEvent):
            self._check_tag(event)
            self._scalar(event)
        elif isinstance(event, yaml.AliasEvent):
            self._alias(event)
        elif isinstance(event, yaml.CollectionStartEvent):
            self._check_tag(event)
            self._open(event)
        elif isinstance(event, yaml.CollectionEndEvent):
            self._close()
        elif isinstance(event, yaml.DocumentStartEvent) and self.root is not None:
            self._stop(self._position(event), "a second document starts here; a file holds one")

    def _scalar(self, event: yaml.ScalarEvent) -> None:
        is_plain = event.style in (None, "")
        is_null = is_plain and event.tag is None and event.value in _NULLS
        if is_plain and event.value[:1] in _CURLY_QUOTES and event.value:
            self._note(self._position(event), f"{event.value[0]} is no quote in YAML: write \" or '")
        node = Node(self._position(event), None if is_null else event.value)
        if event.anchor is not None:
            self._anchors[event.anchor] = (node, 1)
        is_merge = is_plain and event.tag is None and event.value == "<<"
        self._place(node, 1, is_merge=is_merge)

    def _alias(self, event: yaml.AliasEvent) -> None:
        position = self._position(event)
        name = event.anchor or ""
        if any(frame.anchor == name for frame in self._stack):
            self._stop(position, f"alias '*{name}' stands inside what it names")
        if name not in self._anchors:
            unknown = f"alias '*{name}' has no anchor '&{name}' before it"
            self._stop(position, f"{unknown}; a text that begins with * needs quotes")
        node, size = self._anchors[name]
        self._expanded += size
        if self._expanded > LONGEST_EXPANSION:
            self._stop(position, f"aliases expand to more than {LONGEST_EXPANSION:,} values")
        self._place(node, size)

    def _open(self, event: yaml.CollectionStartEvent) -> None:
        position = self._position(event)
        if len(self._stack) >= DEEPEST_NESTING:
            self._stop(position, _TOO_DEEP)
        if self._awaits_key():
            self._stop(position, "a key must be text; a list or mapping cannot be one (braces in a text need quotes)")
        node = Node(position, {} if isinstance(event, yaml.MappingStartEvent) else [])
        self._stack.append(_Frame(node, event.anchor))

    def _close(self) -> None:
        frame = self._stack.pop()
        for merged in frame.merged:
            for key, entry in merged.entries().items():
                frame.node.entries().setdefault(key, entry)
        if frame.anchor is not None:
            self._anchors[frame.anchor] = (frame.node, frame.size)
        self._place(frame.node, frame.size)

    def _awaits_key(self) -> bool:
        return bool(self._stack) and isinstance(self._stack[-1].node.value, dict) and self._stack[-1].key is None

    def _place(self, node: Node, size: int, *, is_merge: bool = False) -> None:
        """Put a finished node where it belongs: the root, a list, a key or a value."""
        if not self._stack:
            self.root = node
            return
        frame = self._stack[-1]
        frame.size += size
        if isinstance(frame.node.value, list):
            frame.node.value.append(node)
        elif frame.key is None:
            self._key(frame, node, is_merge=is_merge)
        else:
            self._value(frame, node)

    def _key(self, frame: _Frame, node: Node, *, is_merge: bool) -> None:
        if not isinstance(node.value, str):
            self._stop(node.position, "a key must be text")
        frame.key = (node.value, node.position)
        first = frame.node.entries().get(node.value)
        frame.skips_value = first is not None
        if first is not None:
            self._note(node.position, f"duplicate key {node.value!r}, first on line {first.key_position.line}")
        frame.is_merge = is_merge

    def _value(self, frame: _Frame, node: Node) -> None:
        assert frame.key is not None
        key, key_position = frame.key
        if frame.is_merge:
            sources = node.items() or [node]
            if not all(isinstance(source.value, dict) for source in sources):
                self._note(node.position, "'<<' takes a mapping or a list of mappings")
            frame.merged.extend(sources)
        elif not frame.skips_value:
            frame.node.entries()[key] = Entry(key_position, node)
        frame.key = None

    def _check_tag(self, event: yaml.ScalarEvent | yaml.CollectionStartEvent) -> None:
        if event.tag is not None and event.tag != "!" and event.tag not in _STANDARD_TAGS:
            shown = event.tag.replace("tag:yaml.org,2002:", "!!")
            self._note(self._position(event), f"tag '{shown}' is not allowed; every value is text")

    def _position(self, event: yaml.Event) -> Position:
        assert event.start_mark is not None
        return Position(self.file, event.start_mark.line + 1, event.start_mark.column + 1)

    def _note(self, position: Position, message: str) -> None:
        self.problems.append(Problem.at(position, message))

    def _stop(self, position: Position, message: str) -> NoReturn:
        self._note(position, message)
        raise _StoppedError


def _syntax_problem(error: yaml.MarkedYAMLError, text: str, file: str) -> Problem:
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line, mark.column) if mark is not None else (0, 0)
    lines = text.splitlines()
    message = error.problem or "cannot be read as YAML"
    if "quoted" in (error.context or "") and "end of stream" in message and error.context_mark is not None:
        start = error.context_mark
        return Problem(file, start.line + 1, start.column + 1, "a quoted text begins here and never ends")
    if line < len(lines) and lines[line][column : column + 1] == "\t":
        message = "a tab; YAML is indented with spaces"
    elif line < len(lines) and "cannot start any token" in message:
        message = f"a value cannot start with {lines[line][column : column + 1]!r}; put the text in quotes"
    elif "flow mapping" in (error.context or "") or "flow sequence" in (error.context or ""):
        message = _unclosed(error)
    elif "maximum nesting depth" in message:  # libyaml's own limit, far behind ours
        message = _TOO_DEEP
    elif advice := next((advice for said, advice in _ADVICE.items() if said in f"{message} {error.context}"), None):
        message = f"{message}: {advice}"
    elif error.context:
        message = f"{message} ({error.context})"
    return Problem(file, line + 1, column + 1, message)


def _unclosed(error: yaml.MarkedYAMLError) -> str:
    """What is wrong between braces or brackets."""
    start = error.context_mark
    bracket = "{" if "mapping" in (error.context or "") else "["
    where = f"the {bracket} on line {start.line + 1}, column {start.column + 1}" if start is not None else bracket
    return f"{where} is not closed, or a text in it needs quotes (for it holds a comma, a colon or a bracket)"


def _unreadable_character(error: yaml.reader.ReaderError, text: str, file: str) -> Problem:
    # The C reader counts bytes, the Python reader characters; both stop at a character that a text may not hold.
    before = text.encode("utf-8", "replace")[: error.position].decode("utf-8", "ignore")
    if isinstance(error.character, str):
        before = text[: error.position]
    lines = before.split("\n")
    return Problem(file, len(lines), len(lines[-1]) + 1, "a control character; only text is allowed")
