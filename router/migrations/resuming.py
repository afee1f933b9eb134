"""Runs migrations on MariaDB and MySQL so that one that was interrupted is gone on with. Knows no migration.

There each statement that changes the schema is committed by itself, and the version only after the last one. So what an
interrupted run has made is passed over by the next. That is done for the three steps below; a migration that takes
another one, or changes rows, has to see to it that it may be run again after any of its statements.
"""

from typing import Any

import sqlalchemy as sa
from alembic.ddl.mysql import MariaDBImpl, MySQLImpl


class ResumingImpl(MySQLImpl):
    """How Alembic speaks to MySQL, and to MariaDB by the driver of MySQL."""

    __dialect__ = "mysql"

    def create_table(self, table: sa.Table, **options: Any) -> None:  # noqa: ANN401 - as Alembic has it
        """Make the table, unless it is there with these columns; one without them is not ours, and refused."""
        if not self._asked().has_table(table.name) or not self._columns(table.name).issuperset(table.columns.keys()):
            super().create_table(table, **options)
            return
        for index in table.indexes:
            self.create_index(index)

    def create_index(self, index: sa.Index, **options: Any) -> None:  # noqa: ANN401
        """Make the index, unless it is there."""
        assert index.table is not None
        if index.name not in {each["name"] for each in self._asked().get_indexes(index.table.name)}:
            super().create_index(index, **options)

    def add_column(self, table_name: str, column: sa.Column[Any], **options: Any) -> None:  # noqa: ANN401
        """Add the column, unless it is there."""
        if column.name not in self._columns(table_name):
            super().add_column(table_name, column, **options)

    def _columns(self, table: str) -> set[str]:
        return {column["name"] for column in self._asked().get_columns(table)}

    def _asked(self) -> sa.Inspector:
        """One that remembers nothing from before the last step."""
        assert self.connection is not None
        return sa.inspect(self.connection)


class ResumingMariaDBImpl(ResumingImpl, MariaDBImpl):
    """How Alembic speaks to MariaDB by its own driver."""

    __dialect__ = "mariadb"
