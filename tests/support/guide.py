"""Reads Markdown for the tests of the documentation: fenced blocks with the comment before them, tables, code spans."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
_BLOCK = re.compile(
    r"(?:^<!-- (?P<mark>[^\n]*?) -->\n)?^```(?P<language>\w*)\n(?P<text>.*?)^```$", re.DOTALL | re.MULTILINE
)
_TABLE = re.compile(r"^<!-- (?P<mark>[^\n]*?) -->\n(?P<rows>(?:\|[^\n]*\n)+)", re.MULTILINE)
_SPAN = re.compile(r"`([^`]+)`")


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: its language, its text, the comment on the line before it, and the line it begins on."""

    language: str
    text: str
    mark: str
    line: int


def blocks(file: Path) -> list[Block]:
    """The fenced blocks of a file."""
    content = file.read_text(encoding="utf-8")
    return [
        Block(each["language"], each["text"], each["mark"] or "", content.count("\n", 0, each.start("text")) + 1)
        for each in _BLOCK.finditer(content)
    ]


def table_rows(file: Path, mark: str) -> list[tuple[str, ...]]:
    """The cells of all tables that follow the comment `mark`, without their headings."""
    tables = [each["rows"] for each in _TABLE.finditer(file.read_text(encoding="utf-8")) if each["mark"] == mark]
    return [_cells(line) for rows in tables for line in rows.splitlines()[2:]]


def spans(text: str) -> Iterator[str]:
    """The code spans of a text."""
    return (match[1] for match in _SPAN.finditer(text))


def _cells(line: str) -> tuple[str, ...]:
    return tuple(cell.strip() for cell in line.strip().strip("|").split("|"))
