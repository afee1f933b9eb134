"""How commands speak: tables for people, JSON for programs, exit codes for scripts. Computes nothing."""

import json
import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from enum import IntEnum
from typing import NoReturn

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table


class Exit(IntEnum):
    """The exit codes of every command."""

    DONE = 0
    NOT_SO = 1
    WRONG = 2
    UNREACHABLE = 3


console = Console(soft_wrap=False, highlight=False, width=None if os.isatty(1) else 200)
errors = Console(stderr=True, highlight=False, soft_wrap=True)


_speaks_json = False


def speak_json(wanted: bool) -> None:
    """Whether what is refused is also told as JSON, on standard output."""
    global _speaks_json
    _speaks_json = wanted


def fail(message: str, code: Exit, *, hint: str | None = None) -> NoReturn:
    """Say what is wrong, and what to do next, on standard error, and leave with `code`."""
    if _speaks_json:
        as_json({"ok": False, "reason": message, "hint": hint})
    errors.print(f"[bold red]micropacs:[/] {escape(message)}")
    if hint:
        errors.print(f"  {escape(hint)}")
    raise typer.Exit(code)


def refuse(problems: list[dict[str, str | int | None]], text: str) -> None:
    """Tell the problems of a configuration; `text` has one on every line."""
    if _speaks_json:
        as_json({"ok": False, "problems": problems})
    else:
        errors.print(text, markup=False)


def as_json(value: object) -> None:
    """Print `value` as one JSON document."""
    typer.echo(json.dumps(value, ensure_ascii=False, indent=2, default=_plain))


def table(columns: Sequence[str], rows: Sequence[Sequence[object]], *, title: str | None = None) -> None:
    """Print rows for people; every cell is text that came from somewhere, never markup."""
    shown = Table(title=title, title_justify="left", header_style="bold", box=None, pad_edge=False)
    for column in columns:
        shown.add_column(column, overflow="fold")
    for row in rows:
        shown.add_row(*(escape(printable(cell)) for cell in row))
    console.print(shown)


def printable(value: object) -> str:
    """`value` as text for a terminal, with control characters made visible."""
    if value is None:
        return "–"
    if isinstance(value, datetime):
        return value.astimezone().strftime("%Y-%m-%d %H:%M:%S")
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in str(value))


def ago(moment: datetime | None) -> str:
    """How long `moment` is past, for people."""
    return "–" if moment is None else lasting((datetime.now(UTC) - moment).total_seconds())


def lasting(seconds: float) -> str:
    """How long that is, for people, in one unit."""
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= size:
            return f"{int(seconds // size)}{unit}"
    return f"{max(int(seconds), 0)}s"


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Mapping):
        return dict(value)
    return str(value)
