"""One database, SQLite, PostgreSQL or MariaDB/MySQL: transactions, and statements that differ. Knows no table."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, Insert, MetaData, Table, create_engine, make_url
from sqlalchemy import text as sql
from sqlalchemy.dialects import mysql, postgresql, sqlite

from archive.connecting import set_up
from archive.files import sync_folder
from archive.prepared import Prepared, insertion, updating

_BUSY_SECONDS = 10.0  # a stop has to wait for who waits, too
_ALONE = {
    "postgresql": sql("SELECT pg_advisory_xact_lock(hashtext(:name))"),
    "mysql": sql("SELECT GET_LOCK(SHA1(CONCAT(DATABASE(), ' ', :name)), 31536000)"),  # names are the server's; a year
}


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
        set_up(self.engine, read_only=read_only)

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """One write transaction: committed and on the disk at the end of the block, undone by any exception."""
        with self.engine.begin() as connection:
            yield connection

    @contextmanager
    def begin_alone(self, name: str) -> Iterator[Connection]:
        """As `begin`, once no other process is within a block of this name, on whichever machine."""
        with self.begin() as connection:
            if self.dialect != "sqlite":  # there every write transaction is alone
                connection.detach()  # the connection ends with the block, after the commit, and what it locked with it
                connection.execute(_ALONE.get(self.dialect, _ALONE["mysql"]), {"name": f"micropacs {name}"})
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

    def dispose(self) -> None:
        """Close all connections."""
        self.engine.dispose()
