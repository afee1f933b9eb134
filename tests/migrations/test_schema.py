"""The schema the migrations make is the schema the code works with, on every database."""

from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

import router.migrations
from archive import Database
from router.migrations import METADATA, SchemaNewerError, is_current, upgrade
from router.migrations.upgrading import newest
from tests.migrations.older import contents, leave, schema


def _merged() -> sa.MetaData:
    merged = sa.MetaData()
    for metadata in METADATA:
        for table in metadata.tables.values():
            table.to_metadata(merged)
    return merged


def test_a_new_database_has_every_table_column_and_index(database: Database) -> None:
    """After `upgrade` nothing differs from the tables in the code; a second `upgrade` changes nothing."""
    upgrade(database)
    upgrade(database)
    with database.read() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": False})
        differences = [each for each in compare_metadata(context, _merged()) if "alembic_version" not in str(each)]
    assert differences == []


def test_a_database_of_a_newer_version_is_left_alone(database: Database) -> None:
    """An older program says what to do, and changes neither schema nor rows."""
    leave(database, newest())
    with database.begin() as connection:
        connection.execute(sa.text("update alembic_version set version_num = '9999'"))
        connection.execute(sa.text("create table of_the_newer (id integer)"))
    before = schema(database), contents(database)
    for each in (upgrade, is_current):
        with pytest.raises(SchemaNewerError, match="install that one, or put back the backup from before"):
            each(database)
    assert (schema(database), contents(database)) == before


def test_the_newest_version_is_the_last_of_the_migrations() -> None:
    """What the names of their files say is where the migrations lead, or an older database would be left as it is."""
    folder = Path(router.migrations.__file__).parent
    assert newest() == ScriptDirectory(str(folder)).get_current_head()
