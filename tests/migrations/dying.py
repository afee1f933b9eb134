"""Upgrades of a database in a process of their own, which dies or rests in the middle. Compares nothing."""

import ctypes
import multiprocessing
import os
import signal
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from multiprocessing.synchronize import Event
from pathlib import Path

import sqlalchemy as sa

from archive import Database
from router.migrations import upgrade

SECONDS = 120.0
_CHANGES = ("CREATE", "ALTER", "DROP", "RENAME", "INSERT", "UPDATE", "DELETE")
context = multiprocessing.get_context("forkserver")


def upgraded(url: str) -> None:
    """One that lives."""
    database = Database(url)
    try:
        upgrade(database)
    finally:
        database.dispose()


def upgraded_by_calls(url: str, calls: Path, at: int, is_halfway: bool) -> None:
    """It dies before the N-th system call that changes a file, or half-way in the N-th that writes; 0: never."""
    ctypes.CDLL(None).arm(os.fsencode(calls), at, is_halfway, 0, b"")
    upgraded(url)


def upgraded_by_statements(url: str, statements: Path, at: int) -> None:
    """It dies after the N-th statement that changes the database; 0: never."""
    _upgraded_with(url, statements, at, lambda: os.kill(os.getpid(), signal.SIGKILL))


def upgraded_with_a_rest(url: str, statements: Path, at: int, begun: Event, go_on: Event) -> None:
    """It rests after the N-th statement that changes the database, until it is told to go on."""

    def rest() -> None:
        begun.set()
        assert go_on.wait(SECONDS)

    _upgraded_with(url, statements, at, rest)


def begin(work: Callable[..., None], *arguments: object) -> BaseProcess:
    """Have it done in a process of its own."""
    process = context.Process(target=work, args=arguments)
    process.start()
    return process


def ended(process: BaseProcess) -> int | None:
    """How it ended."""
    process.join(SECONDS)
    return process.exitcode


def lines(log: Path) -> list[str]:
    """The calls or statements, in their order."""
    return log.read_text(encoding="utf-8").splitlines()


def _upgraded_with(url: str, statements: Path, at: int, befall: Callable[[], None]) -> None:
    """Log the statements, and be befallen after one of them."""
    database = Database(url)
    statements.write_text("", encoding="utf-8")

    def count(_connection: sa.Connection, _cursor: object, statement: str, *_: object) -> None:
        if not statement.lstrip().startswith(_CHANGES):
            return
        with statements.open("a", encoding="utf-8") as log:
            log.write(" ".join(statement.split()) + "\n")
        if len(lines(statements)) == at:
            befall()

    sa.event.listen(database.engine, "after_cursor_execute", count)
    upgrade(database)
    database.dispose()
