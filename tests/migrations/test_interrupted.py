"""An update that dies in the middle of a migration is gone on with, and leaves what one that lives through it leaves.

The short form begins with some versions and dies at some points, by chance, on MariaDB after each statement of the
newest migration as well; `MICROPACS_EVERY_POINT=1` at every point from each version.
"""

import os
import random
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from archive import Database
from tests.faults.killing import needs_compiler, prepare
from tests.migrations.dying import (
    begin,
    context,
    ended,
    lines,
    upgraded,
    upgraded_by_calls,
    upgraded_by_statements,
    upgraded_with_a_rest,
)
from tests.migrations.older import Contents, contents, kept, leave, schema, versions
from tests.support.databases import Fresh
from tests.support.extent import EVERY_POINT, extent
from tests.support.servers import MariaDb, PostgreSql

OLDER = [None, *versions()[:-1]]  # None: an empty database
KILLED = -signal.SIGKILL

Left = tuple[dict[str, object], Contents]

pytestmark = [needs_compiler, pytest.mark.slow, pytest.mark.timeout(3600)]


@pytest.fixture(scope="module", autouse=True)
def _forked(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Processes start at once, with what kills them."""
    prepare(tmp_path_factory.mktemp("killing"))


@pytest.fixture
def chance() -> random.Random:
    """What to try in the short form."""
    seed = os.environ.get("MICROPACS_SEED", str(time.time_ns() % 1_000_000))
    print(f"seed {seed}")
    return random.Random(seed)


@pytest.mark.parametrize("is_halfway", [False, True], ids=["before", "half-way"])
def test_sqlite_killed_at_a_call(tmp_path: Path, chance: random.Random, is_halfway: bool) -> None:
    """Whichever system call it dies at, the next start ends with the schema and the rows of an upgrade that lives."""
    calls, tried, of = tmp_path / "calls", 0, 0
    made_anew = _made_anew(f"sqlite:///{tmp_path / 'anew.db'}")
    for version in extent(chance.sample(OLDER, 2), OLDER):
        older = tmp_path / str(version)
        older.mkdir()
        before = _older(_url(older), version)
        whole = _url(shutil.copytree(older, tmp_path / f"{version} whole"))
        assert ended(begin(upgraded_by_calls, whole, calls, 0, is_halfway)) == 0
        expected = _expected(whole, made_anew, before)
        points = list(range(1, len(lines(calls)) + 1))
        of += len(points)
        for at in extent(chance.sample(points, 3), points):
            killed = shutil.copytree(older, tmp_path / f"{version} {at}")
            assert ended(begin(upgraded_by_calls, _url(killed), calls, at, is_halfway)) == KILLED
            upgraded(_url(killed))
            assert _left(_url(killed)) == expected, f"from {version} killed at call {at}: {lines(calls)[-1]}"
            shutil.rmtree(killed)
            tried += 1
    print(f"killed at {tried} of {of} calls")
    assert tried


@pytest.mark.parametrize("kind", ["postgresql", "mariadb"])
def test_killed_after_a_statement(
    database_servers: Callable[[str], Fresh], tmp_path: Path, chance: random.Random, kind: str
) -> None:
    """After whichever statement it dies, the next start ends with the schema and rows of an upgrade that lives."""
    fresh, log, tried, of = database_servers(kind), tmp_path / "statements", 0, 0
    made_anew = _made_anew(fresh(tmp_path))
    some = [chance.choice(OLDER[:-1]), OLDER[-1]]
    for version in extent(some if kind == "mariadb" else some[:1], OLDER):
        url = fresh(tmp_path)
        before = _older(url, version)
        assert ended(begin(upgraded_by_statements, url, log, 0)) == 0
        expected = _expected(url, made_anew, before)
        points = list(range(1, len(lines(log)) + 1))
        of += len(points)
        for at in points if EVERY_POINT or version == OLDER[-1] else chance.sample(points, 1):
            _older(fresh(tmp_path), version)
            assert ended(begin(upgraded_by_statements, url, log, at)) == KILLED
            upgraded(url)
            assert _left(url) == expected, f"from {version} killed after statement {at}: {lines(log)[-1]}"
            tried += 1
    print(f"killed after {tried} of {of} statements")
    assert tried


@pytest.mark.parametrize("kind", extent([MariaDb], [MariaDb, PostgreSql]))
def test_its_server_is_killed(kind: type[MariaDb] | type[PostgreSql], tmp_path: Path, chance: random.Random) -> None:
    """The upgrade fails, nothing is lost, and the next start goes on."""
    server, log = kind(tmp_path), tmp_path / "statements"
    try:
        made_anew = _made_anew(server.url)
        points = [after + 1 for after in chance.sample(range(20), extent(1, 8))]
        for at in points:
            server.empty()
            before = _older(server.url, OLDER[1])
            begun, go_on = context.Event(), context.Event()
            process = begin(upgraded_with_a_rest, server.url, log, at, begun, go_on)
            assert begun.wait(60)
            server.stop()
            go_on.set()
            assert ended(process) == 1
            server.start()
            upgraded(server.url)
            _expected(server.url, made_anew, before)
        print(f"its server killed after {len(points)} of the first 20 statements")
    finally:
        server.close()


def test_two_at_the_same_time(database_server: Fresh, tmp_path: Path) -> None:
    """Who comes while another one upgrades waits until that has ended, and both end well."""
    url = database_server(tmp_path)
    before = _older(url, OLDER[1])
    begun, go_on = context.Event(), context.Event()
    first = begin(upgraded_with_a_rest, url, tmp_path / "statements", 3, begun, go_on)
    assert begun.wait(60)
    second = begin(upgraded, url)
    second.join(2.0)
    assert second.exitcode is None
    go_on.set()
    assert (ended(first), ended(second)) == (0, 0)
    schema_left, rows = _left(url)
    assert rows["alembic_version"] == [{"version_num": versions()[-1]}]
    assert kept(before, rows)
    assert "clocks" in schema_left


def _url(folder: Path) -> str:
    """An SQLite database in the folder."""
    return f"sqlite:///{folder / 'd.db'}"


def _made_anew(url: str) -> dict[str, object]:
    """The schema that an empty database gets."""
    upgraded(url)
    return _left(url)[0]


def _older(url: str, version: str | None) -> Contents:
    """Make an empty database one of this version; its rows."""
    database = Database(url)
    try:
        leave(database, version)
        return contents(database)
    finally:
        database.dispose()


def _left(url: str) -> Left:
    """The schema and the rows of a database."""
    database = Database(url)
    try:
        return schema(database), contents(database)
    finally:
        database.dispose()


def _expected(url: str, made_anew: dict[str, object], before: Contents) -> Left:
    """What an upgrade has left: the schema of a new database, the newest version, and all rows of before."""
    found = _left(url)
    assert found[0] == made_anew
    assert found[1]["alembic_version"] == [{"version_num": versions()[-1]}]
    assert kept(before, found[1])
    return found
