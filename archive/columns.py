"""Column types that mean the same on SQLite, PostgreSQL and MariaDB/MySQL. Knows no table and no connection."""

import json
from collections.abc import Callable
from datetime import UTC, datetime

from sqlalchemy import BigInteger, DateTime, Dialect, Integer, LargeBinary, String, Text, types
from sqlalchemy.dialects import mysql, postgresql, sqlite

_MYSQL = ("mysql", "mariadb")

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
