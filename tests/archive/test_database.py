"""What a commit means, and what goes in comes out, on every database."""

import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from sqlalchemy import Column, Integer, MetaData, Table, make_url, select
from sqlalchemy import text as sql
from sqlalchemy.exc import DBAPIError, OperationalError, StatementError

from archive import Blob, Database, DatabaseUnfitError, Id, Json, UtcDateTime, plainly, text
from tests.support.appliance import REPOSITORY
from tests.support.databases import Fresh
from tests.support.figures import figure
from tests.support.read_only import read_only
from tests.support.servers import execute

metadata = MetaData()
things = Table(
    "things",
    metadata,
    Column("id", Id, primary_key=True),
    Column("name", text(64), unique=True),
    Column("at", UtcDateTime),
    Column("data", Json),
    Column("content", Blob),
    Column("count", Integer),
)


@pytest.fixture
def store(database: Database) -> Database:
    """A database with the table of these tests."""
    database.create(metadata)
    return database


def test_values_come_back_as_they_went_in(store: Database) -> None:
    """Times keep microseconds and are UTC; JSON keeps NUL and lone surrogates; 70,000 bytes and large numbers stay."""
    at = datetime(2026, 11, 22, 23, 59, 59, 999999, tzinfo=timezone(timedelta(hours=9)))
    values = {"id": 1 << 40, "name": "山田", "at": at, "data": ["\0\ud800", {"a": None}], "content": b"\0\xff" * 35_000}
    with store.begin() as connection:
        connection.execute(things.insert(), [values])
    with store.read() as connection:
        row = connection.execute(select(things)).one()
    assert (row.id, row.name, row.at, row.data, row.content) == (1 << 40, "山田", at, values["data"], values["content"])
    assert row.at.tzinfo == UTC


def test_naive_time_is_refused(store: Database) -> None:
    """A time without a time zone is an error and is never guessed."""
    with pytest.raises(StatementError, match="without a time zone"), store.begin() as connection:
        connection.execute(things.insert().values(at=datetime(2026, 1, 1)))  # noqa: DTZ001


def test_exception_undoes(store: Database) -> None:
    """Nothing of a write transaction stays when its block raises."""

    def fail() -> None:
        with store.begin() as connection:
            connection.execute(things.insert().values(name="a"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    with store.read() as connection:
        assert connection.execute(select(things)).all() == []


def test_insert_new_passes_over_what_is_there(store: Database) -> None:
    """Rows whose unique key is there already are left as they are; the others are inserted."""
    with store.begin() as connection:
        connection.execute(store.insert_new(things), [{"name": "a", "count": 1}])
        connection.execute(store.insert_new(things), [{"name": "a", "count": 2}, {"name": "b", "count": 3}])
    with store.read() as connection:
        rows = connection.execute(select(things.c.name, things.c.count).order_by(things.c.name)).all()
    assert [tuple(row) for row in rows] == [("a", 1), ("b", 3)]


def test_text_minds_case(store: Database) -> None:
    """Two texts that differ in case or accents are two, also in LIKE."""
    with store.begin() as connection:
        connection.execute(things.insert(), [{"name": "Ab"}, {"name": "aB"}, {"name": "áB"}])
    with store.read() as connection:
        assert connection.scalars(select(things.c.name).where(things.c.name == "aB")).all() == ["aB"]
        assert connection.scalars(select(things.c.name).where(things.c.name.like("A%"))).all() == ["Ab"]


def test_writers_wait_for_each_other(store: Database) -> None:
    """Threads that read and then write in one transaction lose no update and get no busy error."""
    with store.begin() as connection:
        connection.execute(things.insert().values(id=1, count=0))

    def add() -> None:
        for _ in range(20):
            with store.begin() as connection:
                query = select(things.c.count).where(things.c.id == 1).with_for_update()
                count = connection.scalar(query)
                assert count is not None
                connection.execute(things.update().values(count=count + 1))

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with store.read() as connection:
        assert connection.scalar(select(things.c.count)) == 80


def test_reader_does_not_wait(tmp_path: Path) -> None:
    """On SQLite a reader sees the state before an open write transaction, at once."""
    store = Database(f"sqlite:///{tmp_path / 'd.db'}")
    store.create(metadata)
    with store.begin() as writer:
        writer.execute(things.insert().values(name="a"))
        with store.read() as reader:
            assert reader.execute(select(things)).all() == []


def test_sqlite_is_durable(tmp_path: Path) -> None:
    """Every SQLite connection runs in WAL mode with synchronous=FULL."""
    store = Database(f"sqlite:///{tmp_path / 'd.db'}")
    with store.read() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1


def test_memory_is_refused() -> None:
    """A database that cannot be durable is refused when it is opened."""
    with pytest.raises(DatabaseUnfitError), Database("sqlite://").read():
        pass


def test_postgresql_that_does_not_wait_for_the_disk_is_refused(
    database_servers: Callable[[str], Fresh], tmp_path: Path
) -> None:
    """Commits that are not on the disk when they are answered, as the server or a user's settings may have it."""
    url = make_url(database_servers("postgresql")(tmp_path))
    settings = url.update_query_dict({"options": "-c synchronous_commit=off"})
    with pytest.raises(DatabaseUnfitError, match="synchronous_commit"):
        _opened(settings.render_as_string(hide_password=False))
    _opened(url.render_as_string(hide_password=False))
    figure("PostgreSQL with synchronous_commit=off: n = 1 of 1 caught")


def test_mariadb_that_does_not_wait_for_the_disk_is_refused(
    database_servers: Callable[[str], Fresh], tmp_path: Path
) -> None:
    """The same of MariaDB."""
    url = database_servers("mariadb")(tmp_path)
    try:
        execute(url, "SET GLOBAL innodb_flush_log_at_trx_commit = 2")
        with pytest.raises(DatabaseUnfitError, match="innodb_flush_log_at_trx_commit"):
            _opened(url)
    finally:
        execute(url, "SET GLOBAL innodb_flush_log_at_trx_commit = 1")
    _opened(url)
    figure("MariaDB with innodb_flush_log_at_trx_commit=2: n = 1 of 1 caught")


def _opened(url: str) -> None:
    database = Database(url)
    try:
        with database.read():
            pass
    finally:
        database.dispose()


def test_an_error_does_not_quote_the_row(database: Database) -> None:
    """What a statement carried, a patient perhaps, is in no error of it, so in no log."""
    with pytest.raises(DBAPIError) as caught, database.begin() as connection:
        connection.execute(sql("insert into nowhere values (:name)"), {"name": "DOE^JOHN"})
    assert "nowhere" in str(caught.value)
    assert "DOE^JOHN" not in str(caught.value)


def test_prepared_rows_are_bound_as_any_other(store: Database) -> None:
    """Rows inserted by prepared text come back as they went in, and pass over what is there where that is asked."""
    at = datetime(2026, 11, 22, 23, 59, 59, 123456, tzinfo=timezone(timedelta(hours=9)))
    columns = ("name", "at", "data", "content", "count")
    rows = [("%s ? :x", at, {"a": [None]}, b"\0\xff", 1), (None, None, None, None, None)]
    with store.begin() as connection:
        store.insert_rows(connection, things, columns, rows)
        store.insert_rows(connection, things, columns, [])
        store.insert_rows(
            connection, things, columns, [("%s ? :x", None, None, None, 2), ("b", *rows[0][1:])], only_new=True
        )
    with store.read() as connection:
        query = select(*(things.c[name] for name in columns)).order_by(things.c.id)
        assert [tuple(row) for row in connection.execute(query)] == [*rows, ("b", *rows[0][1:])]


def test_times_sort_as_text_does(store: Database) -> None:
    """A time without microseconds is kept with them, so that times are compared rightly by every database."""
    moments = [datetime(2026, 11, 22, 10, 0, 0, micro, tzinfo=UTC) for micro in (1, 0, 999999)]
    with store.begin() as connection:
        connection.execute(things.insert(), [{"at": moment} for moment in moments])
    with store.read() as connection:
        assert connection.scalars(select(things.c.at).order_by(things.c.at)).all() == sorted(moments)
        assert connection.scalars(select(things.c.at).where(things.c.at > moments[1])).all() == [moments[0], moments[2]]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows moves no open file")
def test_no_new_database_is_made_in_place_of_one_that_is_gone(tmp_path: Path) -> None:
    """SQLite would make an empty one for the next connection; it is refused until the file is back."""
    file, elsewhere = tmp_path / "x.db", tmp_path / "elsewhere.db"
    database = Database(f"sqlite:///{file}")
    database.create(metadata)
    database.dispose()
    file.rename(elsewhere)
    for _ in range(2):
        with pytest.raises(OperationalError, match="file is gone"), database.begin():
            pass
    assert not file.exists()
    elsewhere.rename(file)
    with database.begin() as connection:
        connection.execute(things.insert().values(name="a"))
    database.dispose()


def test_connection_of_a_read_only_time_is_not_kept(tmp_path: Path) -> None:
    """A file that could only be read for a while is written again as soon as it can be, by the same process."""
    url = f"sqlite:///{tmp_path / 'kept.db'}"
    # A process that dies leaves SQLite's log behind, without which nothing can be read there at all.
    script = "import os, sys; from archive import Database; d = Database(sys.argv[1]); c = d.engine.connect(); "
    script += "c.exec_driver_sql('create table t (a integer)'); c.commit(); os._exit(0)"
    subprocess.run([sys.executable, "-c", script, url], check=True, cwd=REPOSITORY)
    database = Database(url)
    with read_only(tmp_path):
        for _ in range(3):
            with database.read() as connection:
                assert connection.exec_driver_sql("select count(*) from t").scalar() == 0
            with pytest.raises(OperationalError) as error, database.begin() as connection:
                connection.exec_driver_sql("insert into t values (1)")
            assert plainly(error.value) == "it can be read and not written"
    with database.begin() as connection:
        connection.exec_driver_sql("insert into t values (1)")
    database.dispose()


def test_a_database_opened_to_be_read_refuses_to_be_written(store: Database) -> None:
    """Rows can be read, and none removed or written, whatever is tried."""
    with store.begin() as connection:
        connection.execute(things.insert().values(name="here"))
    reader = Database(store.engine.url.render_as_string(hide_password=False), read_only=True)
    for statement in (things.delete(), things.insert().values(name="there")):
        with pytest.raises(DBAPIError), reader.begin() as connection:
            connection.execute(statement)
    with reader.read() as connection:
        assert connection.execute(select(things.c.name)).scalars().all() == ["here"]
    reader.dispose()
