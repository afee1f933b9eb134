"""Databases as earlier versions left them, with rows in every table, and what they hold. Kills nothing."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory

import router.migrations
from archive import Database

ROWS = 3  # in each table
_SCRIPTS = Path(router.migrations.__file__).parent

Contents = dict[str, list[dict[str, object]]]


def versions() -> list[str]:
    """All versions of the schema, oldest first."""
    return [each.revision for each in ScriptDirectory(str(_SCRIPTS)).walk_revisions()][::-1]


def leave(database: Database, version: str | None) -> None:
    """Make an empty database one of this version, with rows; None leaves it empty."""
    if version is None:
        return
    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS))
    with database.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, version)
    with database.begin() as connection:
        for table in _tables(connection):
            connection.execute(sa.insert(table), [_row(table, number) for number in range(1, ROWS + 1)])


def contents(database: Database) -> Contents:
    """All rows, by table, and the version."""
    with database.read() as connection:
        metadata = _reflected(connection)
        return {
            name: sorted((dict(row) for row in connection.execute(sa.select(table)).mappings()), key=str)
            for name, table in sorted(metadata.tables.items())
        }


def kept(before: Contents, after: Contents) -> bool:
    """Whether each row of `before`, the version apart, is in `after` once, whatever columns it has got since."""
    return all(
        rows == [{column: row[column] for column in rows[0]} for row in after[table]]
        for table, rows in before.items()
        if table != "alembic_version"
    )


def schema(database: Database) -> dict[str, object]:
    """Each table's columns, in their order, keys, constraints and indexes; on SQLite as it has them written down."""
    with database.read() as connection:
        if database.dialect == "sqlite":
            return {row.name: row.sql for row in connection.execute(sa.text("select name, sql from sqlite_master"))}
        inspector = sa.inspect(connection)
        return {name: _described(inspector, name) for name in inspector.get_table_names()}


def _described(inspector: sa.Inspector, table: str) -> list[str]:
    asked: Sequence[object] = (
        *inspector.get_columns(table),
        inspector.get_pk_constraint(table),
        *_by_name(inspector.get_foreign_keys(table)),
        *_by_name(inspector.get_unique_constraints(table)),
        *_by_name(inspector.get_check_constraints(table)),
        *_by_name(inspector.get_indexes(table)),
    )
    return [repr(each) for each in asked]


def _by_name(described: Sequence[object]) -> list[object]:
    return sorted(described, key=str)


def _tables(connection: sa.Connection) -> list[sa.Table]:
    """Those of the product, in an order in which rows can come in."""
    return [table for table in _reflected(connection).sorted_tables if table.name != "alembic_version"]


def _reflected(connection: sa.Connection) -> sa.MetaData:
    metadata = sa.MetaData()
    metadata.reflect(connection)
    return metadata


def _row(table: sa.Table, number: int) -> dict[str, object]:
    row = {column.name: _value(column, number) for column in table.columns}
    return row | {"state": "due"} if table.name == "deliveries" else row


def _value(column: sa.Column[object], number: int) -> object:
    """Another one in each row and, where there is room, in each column; what refers to a row, to that of its number."""
    kind = column.type.python_type
    if kind is str:
        return f"{number} of {column.name}"[: getattr(column.type, "length", None)]
    if kind is bytes:
        return bytes(range(256)) * number
    if kind is datetime:
        return datetime(2026, 1, number, 12, 30, 15, 123456, tzinfo=UTC)
    return kind(number)
