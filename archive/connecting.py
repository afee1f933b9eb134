"""Sets up each connection to a database so that a commit is on the disk, or refuses it. Asks no question of its own."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import Connection, Engine, event
from sqlalchemy.engine.interfaces import DBAPIConnection, ExceptionContext
from sqlalchemy.pool import ConnectionPoolEntry

from archive.errors import DatabaseUnfitError

_FULL = 2  # of PRAGMA synchronous
_SQLITE_PRAGMAS = (
    "synchronous = FULL",
    "foreign_keys = ON",
    "case_sensitive_like = ON",
    "cache_size = -8192",  # KiB a connection: what a batch changes lies together, so more of it would not be asked for
    "wal_autocheckpoint = 4000",  # pages; the same page changed by many batches is then copied once
)
_SPOILT = frozenset({sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_IOERR})
_READ_ONLY = {
    "sqlite": "PRAGMA query_only = ON",
    "postgresql": "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
}


def set_up(engine: Engine, *, read_only: bool) -> None:
    """Have each of the engine's connections set up; with `read_only` it refuses whatever would write."""
    dialect = engine.url.get_backend_name()
    set_up_connection = {"sqlite": _set_up_sqlite, "postgresql": _set_up_postgresql}.get(dialect, _set_up_mysql)
    event.listen(engine, "connect", set_up_connection)
    if read_only:
        event.listen(engine, "connect", _refuse_writing(dialect))
    if dialect == "sqlite":
        file = _KnownFile(Path(engine.url.database or ""))
        event.listen(engine, "do_connect", file.look_for)
        event.listen(engine, "connect", file.note)
        event.listen(engine, "begin", _begin_sqlite)
        event.listen(engine, "handle_error", _give_up_spoilt)


class _KnownFile:
    """The file of an SQLite database: no new one is made where the disk of the old one is not mounted any more."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._is_in_use = False

    def look_for(self, *_: object) -> None:
        """Before a connection is opened: it is there, once it was."""
        if self._is_in_use and not self._path.exists():
            raise sqlite3.OperationalError("the database's file is gone")

    def note(self, *_: object) -> None:
        """A connection was opened."""
        self._is_in_use = True


def _ask(connection: DBAPIConnection, statement: str) -> str:
    cursor = connection.cursor()
    try:
        cursor.execute(statement)
        row = cursor.fetchone()
        return str(row[0]).lower() if row else ""
    finally:
        cursor.close()


def _set_up_sqlite(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    connection.isolation_level = None  # transactions begin where we say, not where the driver guesses
    mode = _ask(connection, "PRAGMA journal_mode = WAL")
    for pragma in _SQLITE_PRAGMAS:
        _ask(connection, f"PRAGMA {pragma}")
    if mode != "wal" or int(_ask(connection, "PRAGMA synchronous")) < _FULL:
        raise DatabaseUnfitError("SQLite does not take journal_mode=WAL with synchronous=FULL here")


def _begin_sqlite(connection: Connection) -> None:
    reads = connection.get_execution_options().get("micropacs_read", False)
    connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")


def _give_up_spoilt(context: ExceptionContext) -> None:
    """A connection that was opened while its file could not be written, or not be reached, stays so for ever."""
    code = getattr(context.original_exception, "sqlite_errorcode", 0)
    if code & 0xFF in _SPOILT:
        context.is_disconnect = True
        if context.execution_context is not None:
            context.execution_context.cursor.close()  # a statement that is left keeps the file open for all others


def _set_up_postgresql(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    if _ask(connection, "SHOW fsync") != "on" or _ask(connection, "SHOW full_page_writes") != "on":
        raise DatabaseUnfitError("PostgreSQL runs with fsync or full_page_writes off")
    if _ask(connection, "SHOW synchronous_commit") == "off":
        raise DatabaseUnfitError("PostgreSQL runs with synchronous_commit off")
    connection.rollback()


def _set_up_mysql(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    if _ask(connection, "SELECT @@innodb_flush_log_at_trx_commit") != "1":
        raise DatabaseUnfitError("the database runs with innodb_flush_log_at_trx_commit other than 1")
    connection.rollback()


def _refuse_writing(dialect: str) -> Callable[[DBAPIConnection, ConnectionPoolEntry], None]:
    statement = _READ_ONLY.get(dialect, "SET SESSION TRANSACTION READ ONLY")

    def refuse(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
        cursor = connection.cursor()
        cursor.execute(statement)
        cursor.close()
        if dialect != "sqlite":
            connection.commit()

    return refuse
