"""A lookup table from CSV text. It opens no file."""

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from rules.errors import RulesError


@dataclass(frozen=True, slots=True)
class Table:
    """Rows by their first column's text; `columns` names the others, in order."""

    name: str
    columns: tuple[str, ...]
    rows: Mapping[str, tuple[str, ...]]

    @classmethod
    def from_csv(cls, name: str, text: str) -> "Table":
        """Read CSV with a header row, separated by commas or, as spreadsheets write it in Europe, semicolons.

        A line that begins with `#` is a remark; in quotes it is none.
        RulesError with the line number for a ragged row, an empty or repeated key, or no header.
        """
        lines = _lines(name, text.removeprefix("\ufeff"))
        _, header = next(lines, (0, []))
        if len(header) < 2:
            raise RulesError(f"table {name!r}: a header row with the key's column and at least one more is needed")
        if len(set(header)) != len(header) or "" in header:
            raise RulesError(f"table {name!r}, line 1: every column needs a name of its own")
        rows: dict[str, tuple[str, ...]] = {}
        first_seen: dict[str, int] = {}
        for line, cells in lines:
            if len(cells) != len(header):
                raise RulesError(f"table {name!r}, line {line}: {len(cells)} columns, the header has {len(header)}")
            key = cells[0]
            if not key:
                raise RulesError(f"table {name!r}, line {line}: the key is empty")
            if key in rows:
                raise RulesError(f"table {name!r}, line {line}: the key stands already in line {first_seen[key]}")
            rows[key] = tuple(cells[1:])
            first_seen[key] = line
        return cls(name, tuple(header[1:]), rows)

    def lookup(self, key: str, column: str | None = None) -> str | None:
        """The text in `column` (the first after the key, if not said); None if the key is not in the table."""
        if column is not None and column not in self.columns:
            raise RulesError(f"table {self.name!r} has no column {column!r}")
        row = self.rows.get(key.strip())
        return None if row is None else row[self.columns.index(column) if column is not None else 0]


def delimiter_of(text: str) -> str:
    """What separates the columns, by the header row."""
    first = next((line for line in _without_remarks(text) if line.strip()), "")
    return ";" if ";" in first and "," not in first else ","


def _without_remarks(text: str) -> Iterator[str]:
    """The lines, those that are remarks empty, so that the others keep their numbers."""
    is_quoted = False
    for line in text.splitlines():
        if line.startswith("#") and not is_quoted:
            yield ""
            continue
        is_quoted ^= line.count('"') % 2 == 1
        yield line


def _lines(name: str, text: str) -> Iterator[tuple[int, list[str]]]:
    """Rows with the number of the line they end on; empty ones and remarks left out."""
    reader = csv.reader(_without_remarks(text), delimiter=delimiter_of(text), strict=True)
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield reader.line_num, [cell.strip() for cell in cells]
    except csv.Error as error:
        raise RulesError(f"table {name!r}, line {reader.line_num}: {error}") from None
