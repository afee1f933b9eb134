"""The connection to SQLite, PostgreSQL or MariaDB/MySQL, set up so that a commit is on the disk. Knows no table."""

import json
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import (
    BigInteger,
    Connection,
    DateTime,
    Dialect,
    Insert,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    create_engine,
    event,
    make_url,
    types,
)
from sqlalchemy.dialects import mysql, postgresql, sqlite
from sqlalchemy.engine.interfaces import DBAPIConnection, ExceptionContext
from sqlalchemy.pool import ConnectionPoolEntry

from archive.errors import DatabaseUnfitError
from archive.files import sync_folder
from archive.prepared import Prepared, insertion, updating

_BUSY_SECONDS = 10.0  # a stop has to wait for who waits, too
_FULL = 2  # of PRAGMA synchronous
_SQLITE_PRAGMAS = (
    "synchronous = FULL",
    "foreign_keys = ON",
    "case_sensitive_like = ON",
    "cache_size = -8192",  # KiB a connection: what a batch changes lies together, so more of it would not be asked for
    "wal_autocheckpoint = 4000",  # pages; the same page changed by many batches is then copied once
)
_SPOILT = frozenset({sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_IOERR})
_MYSQL = ("mysql", "mariadb")
_READ_ONLY = {
    "sqlite": "PRAGMA query_only = ON",
    "postgresql": "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
}

Id = BigInteger().with_variant(Integer(), "sqlite")
Blob = LargeBinary().with_variant(mysql.LONGBLOB(), *_MYSQL)
_LongText = Text().with_variant(mysql.LONGTEXT(charset="utf8mb4", collation="utf8mb4_bin"), *_MYSQL)


def text(length: int) -> types.TypeEngine[str]:
    """Text of at most `length` characters that every database compares by code point, so upper case is not lower."""
    return (
        String(length)
        .with_variant(String(length, collation="C"), "postgresql")
        .with_variant(mysql.VARCHAR(length, charset="utf8mb4", collation="utf8mb4_bin"), *_MYSQL)
    )


class _SqliteTime(sqlite.DATETIME):
    """The text that SQLAlchemy writes for a time too, several times faster."""

    def bind_processor(self, dialect: Dialect) -> Callable[[datetime | None], str | None]:  # noqa: ARG002
        """`2026-11-22 10:30:00.123456`, which sorts by time."""
        return lambda value: None if value is None else value.isoformat(" ", "microseconds")


class UtcDateTime(types.TypeDecorator[datetime]):
    """An aware UTC time with microseconds, in and out, on every database; a naive one is a ValueError."""

    impl = DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> types.TypeEngine[datetime]:
        """The database's own type that keeps microseconds."""
        if dialect.name == "postgresql":
            return dialect.type_descriptor(postgresql.TIMESTAMP(timezone=True))
        if dialect.name in _MYSQL:
            return dialect.type_descriptor(mysql.DATETIME(fsp=6))
        return dialect.type_descriptor(_SqliteTime())  # type: ignore[no-untyped-call]

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """To UTC; naive where the database has no time zones."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without a time zone")
        moment = value if value.tzinfo is UTC else value.astimezone(UTC)
        return moment if dialect.name == "postgresql" else moment.replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Back to aware UTC."""
        if value is None:
            return None
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)


class Json(types.TypeDecorator[object]):
    """Plain data as JSON text in ASCII, so that no value of a header can be one the database refuses."""

    impl = _LongText
    cache_ok = True

    def process_bind_param(self, value: object, dialect: Dialect) -> str | None:  # noqa: ARG002
        """To text; None stays NULL."""
        return None if value is None else json.dumps(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> object:  # noqa: ARG002
        """Back to plain data."""
        return None if value is None else json.loads(value)


class Database:
    """One database, shared by the threads of a process; open one for each process."""

    def __init__(self, url: str, *, read_only: bool = False) -> None:
        """`url` as SQLAlchemy writes it: `sqlite:////data/micropacs.db`, `postgresql+psycopg://…`, `mysql+pymysql://…`.

        With `read_only` the database itself refuses whatever would write.
        """
        parsed = make_url(url)
        self.dialect = parsed.get_backend_name()
        options: dict[str, object] = {"hide_parameters": True}  # an error would quote the row: a patient, in a log
        if self.dialect == "sqlite":
            options["connect_args"] = {"timeout": _BUSY_SECONDS}
        else:
            options["pool_pre_ping"] = True
            options["isolation_level"] = "READ COMMITTED"
        self.engine = create_engine(parsed, **options)
        self._prepared: dict[tuple[str, tuple[str, ...], str], Prepared] = {}
        event.listen(
            self.engine,
            "connect",
            {"sqlite": _set_up_sqlite, "postgresql": _set_up_postgresql}.get(self.dialect, _set_up_mysql),
        )
        if read_only:
            event.listen(self.engine, "connect", _refuse_writing(self.dialect))
        self._is_in_use = False
        if self.dialect == "sqlite":
            event.listen(self.engine, "do_connect", self._look_for_file)
            event.listen(self.engine, "connect", self._note_file)
            event.listen(self.engine, "begin", _begin_sqlite)
            event.listen(self.engine, "handle_error", _give_up_spoilt)

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """One write transaction: committed and on the disk at the end of the block, undone by any exception."""
        with self.engine.begin() as connection:
            yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection to read with; on SQLite one snapshot that neither waits for a writer nor stops one."""
        with self.engine.connect() as connection:
            yield connection.execution_options(micropacs_read=True)

    def create(self, metadata: MetaData) -> None:
        """Make the tables that are not there yet, durably."""
        metadata.create_all(self.engine)
        if self.dialect == "sqlite" and self.engine.url.database:
            sync_folder(Path(self.engine.url.database).absolute().parent)

    def insert_new(self, table: Table) -> Insert:
        """An INSERT that passes over rows whose primary or unique key is there already, and waits for who writes it."""
        if self.dialect == "postgresql":
            return postgresql.insert(table).on_conflict_do_nothing()
        if self.dialect == "sqlite":
            return sqlite.insert(table).on_conflict_do_nothing()
        first = next(iter(table.primary_key.columns))
        return mysql.insert(table).on_duplicate_key_update({first.name: first})

    def insert_rows(
        self,
        connection: Connection,
        table: Table,
        columns: Sequence[str],
        rows: Sequence[tuple[object, ...]],
        *,
        only_new: bool = False,
    ) -> None:
        """Insert many rows by a statement that is prepared once; each holds a value for each of the columns.

        Defaults of columns are not filled in. `only_new` passes over rows as `insert_new` does.
        """
        key = (table.name, tuple(columns), "insert only new" if only_new else "insert")
        if key not in self._prepared:
            self._prepared[key] = insertion(self.engine.dialect, table, columns, only_new=only_new)
        self._prepared[key].execute(connection, rows)

    def update_rows(
        self, connection: Connection, table: Table, columns: Sequence[str], rows: Sequence[tuple[object, ...]]
    ) -> None:
        """As `insert_rows`: set all columns but the last, in the rows where the last is as given."""
        key = (table.name, tuple(columns), "update")
        if key not in self._prepared:
            self._prepared[key] = updating(self.engine.dialect, table, columns)
        self._prepared[key].execute(connection, rows)

    def _look_for_file(self, *_: object) -> None:
        """SQLite would make a new file where the disk of the old one is not mounted any more."""
        if self._is_in_use and not Path(self.engine.url.database or "").exists():
            raise sqlite3.OperationalError("the database's file is gone")

    def _note_file(self, *_: object) -> None:
        self._is_in_use = True

    def dispose(self) -> None:
        """Close all connections."""
        self.engine.dispose()


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
