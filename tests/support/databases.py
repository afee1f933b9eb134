"""Real databases for the contract suite: SQLite, PostgreSQL and MariaDB, each empty at the start of every test.

A server is started when a test first asks for it and stays until the end of the run.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache
from pathlib import Path

import pytest

from archive import Database
from tests.support.servers import MariaDb, PostgreSql

Fresh = Callable[[Path], str]  # empties the database and gives its URL; SQLite's lies in the folder


def _sqlite(_: Path, __: ExitStack) -> Fresh:
    return lambda folder: f"sqlite:///{folder / 'micropacs.db'}"


def _postgresql(folder: Path, stack: ExitStack) -> Fresh:
    server = PostgreSql(folder)
    stack.callback(server.close)

    def fresh(_: Path) -> str:
        server.empty()
        return server.url

    return fresh


def _mariadb(folder: Path, stack: ExitStack) -> Fresh:
    server = MariaDb(folder)
    stack.callback(server.close)

    def fresh(_: Path) -> str:
        server.empty()
        return server.url

    return fresh


_SERVERS = {"sqlite": _sqlite, "postgresql": _postgresql, "mariadb": _mariadb}


@pytest.fixture(scope="session")
def database_servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Fresh]]:
    """One server of each kind, by its name."""
    with ExitStack() as stack:
        yield cache(lambda kind: _SERVERS[kind](tmp_path_factory.mktemp(kind), stack))


@pytest.fixture(scope="session", params=list(_SERVERS))
def database_server(request: pytest.FixtureRequest, database_servers: Callable[[str], Fresh]) -> Fresh:
    """Each kind in its turn."""
    return database_servers(request.param)


@pytest.fixture
def database(database_server: Fresh, tmp_path: Path) -> Iterator[Database]:
    """An empty database, without tables."""
    database = Database(database_server(tmp_path))
    yield database
    database.dispose()
