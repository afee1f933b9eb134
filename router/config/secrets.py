"""`${NAME}` and `${file:/path}`: finds the values outside of the configuration, and keeps them from being shown."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from rules import Document, Entry, Node, Position, Problem

LONGEST_SECRET_BYTES = 64_000
_REFERENCE = re.compile(r"\$(\$?)\{([^{}]*)\}")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_HIDDEN = "***"


class Secret:
    """A text that shows itself to nobody; `reveal` is the only way to it."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself."""
        return self._text

    def __repr__(self) -> str:
        return f"Secret({_HIDDEN!r})"

    def __str__(self) -> str:
        return _HIDDEN

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:  # noqa: ANN401
        """Read from text; serialised as stars."""
        return core_schema.no_info_after_validator_function(
            cls, core_schema.str_schema(), serialization=core_schema.plain_serializer_function_ser_schema(str)
        )


class _UnresolvedError(Exception):
    """A reference that has no value; the message says why, without any value."""


def resolve(document: Document, folder: Path, environ: Mapping[str, str]) -> tuple[Document, list[Problem]]:
    """Replace every reference in the document's values; `${file:…}` is relative to `folder`.

    What was put in is concealed by the document given back. `$${` stands for `${` itself. A reference without a value
    is a problem, and stays as it is.
    """
    resolver = _Resolver(folder, environ)
    root = resolver.node(document.root)
    return Document(root, resolver.concealed, frozenset(resolver.referring)), resolver.problems


class _Resolver:
    """Rebuilds a tree of nodes with the references replaced."""

    def __init__(self, folder: Path, environ: Mapping[str, str]) -> None:
        self._folder = folder
        self._environ = environ
        self.concealed: dict[str, str] = {}
        self.referring: set[Position] = set()
        self.problems: list[Problem] = []

    def node(self, node: Node) -> Node:
        """The node with every reference below it replaced."""
        if isinstance(node.value, dict):
            entries = {key: Entry(entry.key_position, self.node(entry.node)) for key, entry in node.value.items()}
            return Node(node.position, entries)
        if isinstance(node.value, list):
            return Node(node.position, [self.node(item) for item in node.value])
        if node.value is None or "${" not in node.value:
            return node
        try:
            text = "".join(self._pieces(node.value))
        except _UnresolvedError as error:
            self.problems.append(Problem.at(node.position, str(error)))
            return node
        if text != node.value.replace("$${", "${"):
            self.concealed[text] = node.value
            self.referring.add(node.position)
        return Node(node.position, text)

    def _pieces(self, written: str) -> Iterator[str]:
        end = 0
        for match in _REFERENCE.finditer(written):
            yield self._literal(written[end : match.start()])
            yield match[0][1:] if match[1] else self._value(match[2], match[0])
            end = match.end()
        yield self._literal(written[end:])

    def _literal(self, text: str) -> str:
        if "${" in text.replace("$${", ""):
            raise _UnresolvedError("'${' begins a reference that no '}' ends; '$${' is a plain '${'")
        return text.replace("$${", "${")

    def _value(self, inner: str, reference: str) -> str:
        if inner.startswith("file:"):
            value = self._read(inner.removeprefix("file:").strip(), reference)
        elif not _NAME.fullmatch(inner):
            raise _UnresolvedError(f"{reference} is no reference; write ${{NAME}} or ${{file:/path}}")
        elif inner not in self._environ:
            raise _UnresolvedError(f"{reference} is unresolved: there is no environment variable {inner}")
        else:
            value = self._environ[inner]
        if not value:
            raise _UnresolvedError(f"{reference} is empty")
        self.concealed.setdefault(value, reference)
        return value

    def _read(self, name: str, reference: str) -> str:
        try:
            with (self._folder / name).open("rb") as file:
                content = file.read(LONGEST_SECRET_BYTES + 1)
        except OSError as error:
            raise _UnresolvedError(
                f"{reference} is unresolved: {error.strerror or 'the file cannot be read'}"
            ) from None
        if len(content) > LONGEST_SECRET_BYTES:
            raise _UnresolvedError(f"{reference} is longer than {LONGEST_SECRET_BYTES:,} bytes")
        try:
            return content.decode("utf-8-sig").rstrip("\r\n")
        except UnicodeDecodeError:
            raise _UnresolvedError(f"{reference} is not text in UTF-8") from None
