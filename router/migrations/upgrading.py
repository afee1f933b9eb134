"""Brings a database's schema up to this version of the product. Never takes it down again."""

from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa

import archive
from archive import Database
from router import journal, revisions
from router.delivery import metadata as delivery_metadata
from router.errors import RouterError

if TYPE_CHECKING:
    from alembic.config import Config

METADATA = (archive.metadata, delivery_metadata, journal.metadata, revisions.metadata)
_HERE = Path(__file__).parent


class SchemaNewerError(RouterError):
    """The database is of a newer micropacs, and left alone: install that one, or put back the backup from before it."""


def upgrade(database: Database) -> None:
    """Create or bring up to date every table; does nothing if they are. Raises `SchemaNewerError`.

    Killed at any moment, it is gone on with by the next one: where the database undoes what was not committed, from
    the version before; where each statement counts at once, from the first one that is missing (see `resuming`).
    """
    if is_current(database):
        return
    from alembic import command  # not loaded where the schema is up to date, as it is at nearly every start

    with database.begin_alone("schema") as connection:  # one at a time: whoever waited here finds it done
        if not _is_newest(connection):
            config = _config()
            config.attributes["connection"] = connection
            command.upgrade(config, "head")


def is_current(database: Database) -> bool:
    """Whether the schema is that of this version; looks only. Raises `SchemaNewerError`."""
    with database.read() as connection:
        return _is_newest(connection)


def newest() -> str:
    """The version of the schema that this program works with."""
    return max(_versions())


def _versions() -> set[str]:
    """All that this program knows: the files are named by theirs, which ascend."""
    return {path.name.partition("_")[0] for path in (_HERE / "versions").glob("[0-9]*_*.py")}


def _is_newest(connection: sa.Connection) -> bool:
    current, known = _current(connection), _versions()
    if current is not None and current not in known:
        raise SchemaNewerError
    return current == max(known)


def _config() -> "Config":
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_HERE).replace("%", "%%"))
    return config


def _current(connection: sa.Connection) -> str | None:
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    version: str | None = connection.execute(sa.text("select version_num from alembic_version")).scalar()
    return version
