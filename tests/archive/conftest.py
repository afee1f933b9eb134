"""Fixtures of the archive's tests: a spool, and an archive on each database."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from archive import Archive, Database, Spool
from tests.support.arrivals import LARGE


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    """A spool in the same file system as the archive."""
    spool = Spool(tmp_path / "spool")
    yield spool
    spool.close()


@pytest.fixture(params=["in a segment", "in a file"])
def sized(request: pytest.FixtureRequest) -> Callable[[bytes], bytes]:
    """A content as it is, or grown at its end to what has a file of its own; the test runs once for each."""
    return (lambda content: content) if request.param == "in a segment" else (lambda content: content.ljust(LARGE))


@pytest.fixture
def archive(database: Database, tmp_path: Path) -> Archive:
    """An empty archive; the test runs once for each database."""
    archive = Archive(database, tmp_path / "archive")
    archive.create_tables()
    return archive


@pytest.fixture
def embedded(tmp_path: Path) -> Iterator[Archive]:
    """An empty archive on SQLite, for what is no matter of the database, or of that one only."""
    database = Database(f"sqlite:///{tmp_path / 'micropacs.db'}")
    archive = Archive(database, tmp_path / "archive")
    archive.create_tables()
    yield archive
    database.dispose()
