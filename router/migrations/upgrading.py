"""Brings a database's schema up to this version of the product. Never takes it down again."""

from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

import archive
from archive import Database
from router import journal, revisions
from router.delivery import metadata as delivery_metadata
from router.errors import RouterError

METADATA = (archive.metadata, delivery_metadata, journal.metadata, revisions.metadata)


class SchemaNewerError(RouterError):
    """The database was made by a newer version of micropacs; this one would damage it."""


def upgrade(database: Database) -> None:
    """Create or bring up to date every table; does nothing if they are. Raises `SchemaNewerError`."""
    config = Config()
    script = _script(config)
    head = script.get_current_head()
    with database.read() as connection:
        if _current(connection) == head:
            return
    with database.begin() as connection:  # one at a time: whoever waited here finds it done
        current = _current(connection)
        if current == head:
            return
        if current is not None and current not in {revision.revision for revision in script.walk_revisions()}:
            raise SchemaNewerError
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def is_current(database: Database) -> bool:
    """Whether the schema is that of this version; looks only."""
    with database.read() as connection:
        return _current(connection) == _script(Config()).get_current_head()


def _script(config: Config) -> ScriptDirectory:
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    return ScriptDirectory.from_config(config)


def _current(connection: sa.Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()
