"""A real appliance in processes of its own, for scenarios: serve, ask, kill, look into its database by plain SQL."""

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Self

from archive import Spool
from tests.support.ports import free_port

REPOSITORY = Path(__file__).resolve().parents[2]


def wait_until(condition: Callable[[], object], seconds: float, what: str) -> None:
    """Poll `condition` until it holds; an assertion error naming `what` otherwise."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds} s in vain: {what}"
        time.sleep(0.05)


class RunningAppliance:
    """`micropacs serve` in `folder`, with the YAML given (`{port}` is filled in) and more in its environment."""

    def __init__(self, folder: Path, yaml: str, environment: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        self._own_environment = dict(environment or {})
        self.port = free_port()
        self.file = folder / "micropacs.yaml"
        self.data = folder / "data"
        self.log = folder / "serve.log"
        self.write(yaml)
        self.process: subprocess.Popen[bytes] | None = None

    def write(self, yaml: str) -> None:
        """Write the configuration file."""
        self.file.write_text(yaml.replace("{port}", str(self.port)), encoding="utf-8")

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start it and wait until it takes connections and its roles run."""
        self.begin_to_start()
        try:
            wait_until(self._up, 120, f"the appliance to start:\n{self.log.read_text()}")
        except BaseException:
            self.stop()
            raise

    def begin_to_start(self, *, is_group: bool = False) -> None:
        """Start it and wait for nothing; with its roles it is a process group of its own, if so."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "router.cli", "serve", "-c", str(self.file)],
                cwd=REPOSITORY,
                stderr=log,
                stdout=log,
                env=self._environment(),
                process_group=0 if is_group else None,
            )

    def _environment(self) -> dict[str, str]:
        return {**os.environ, "PYTHONUNBUFFERED": "1", **self._own_environment}

    def _up(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log.read_text()
        has_database = "database:" in self.file.read_text(encoding="utf-8") or self._has_tables()
        return has_database and self._answers() and len(self.roles()) == 2

    def _has_tables(self) -> bool:
        """Whether the embedded database is there with its schema, which the work role sees to."""
        try:
            return self.count("select count(*) from alembic_version") == 1
        except sqlite3.OperationalError:
            return False

    def _answers(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=0.5).close()
        except OSError:
            return False
        return True

    def stop(self) -> int:
        """SIGTERM, wait for the drain, give back the exit status."""
        if self.process is None or self.process.poll() is not None:
            return self.process.returncode if self.process else 0
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)

    def roles(self) -> dict[str, int]:
        """The process ids of the roles, by role."""
        assert self.process is not None
        found: dict[str, int] = {}
        listing = subprocess.run(
            ["ps", "-ww", "-o", "pid=,args=", "--ppid", str(self.process.pid)], capture_output=True, text=True
        )
        for line in listing.stdout.splitlines():
            pid, _, arguments = line.strip().partition(" ")
            for role in ("receive", "work"):
                if f"router.roles.{role}" in arguments:
                    found[role] = int(pid)
        return found

    def kill(self, role: str) -> None:
        """Kill -9 one role, or `serve` itself."""
        assert self.process is not None
        if role == "serve":
            self.process.kill()
            self.process.wait()
        elif role in (roles := self.roles()):
            os.kill(roles[role], signal.SIGKILL)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command of the product against this appliance."""
        return subprocess.run(
            [sys.executable, "-m", "router.cli", arguments[0], "-c", str(self.file), *arguments[1:]],
            cwd=REPOSITORY,
            env=self._environment(),
            capture_output=True,
            text=True,
            timeout=120,
        )

    def json(self, *arguments: str) -> object:
        """What a command prints with --json."""
        done = self.run(*arguments, "--json")
        assert done.stdout, done.stderr
        return json.loads(done.stdout)

    def sql(self, query: str, *values: object) -> list[tuple[object, ...]]:
        """Rows of the embedded database, by plain SQL."""
        connection = sqlite3.connect(f"file:{self.data / 'micropacs.db'}?mode=ro", uri=True, timeout=30)
        try:
            return connection.execute(query, values).fetchall()
        finally:
            connection.close()

    def count(self, query: str, *values: object) -> int:
        """The single number a query gives."""
        return int(str(self.sql(query, *values)[0][0]))

    def filed(self, instances: int, seconds: float = 60) -> None:
        """Wait until so many instances are in the index."""
        wait_until(
            lambda: self.count("select count(*) from instances") >= instances, seconds, f"{instances} instances filed"
        )

    def waiting(self) -> int:
        """How many instances wait in the spool."""
        spool = Spool(self.data / "spool")
        try:
            return spool.backlog().count
        finally:
            spool.close()

    def delivered(self, destination: str, instances: int, seconds: float = 60) -> None:
        """Wait until so many deliveries to a destination are delivered."""
        query = "select count(*) from deliveries where destination = ? and state = 'delivered'"
        wait_until(
            lambda: self.count(query, destination) >= instances, seconds, f"{instances} delivered to {destination}"
        )
