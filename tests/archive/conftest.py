"""Fixtures of the archive's tests: a spool, and an archive on each database."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from archive import Archive, Database, Spool
from tests.support.databases import database, database_server

__all__ = ["database", "database_server"]


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    """A spool in the same file system as the archive."""
    spool = Spool(tmp_path / "spool")
    yield spool
    spool.close()


@pytest.fixture
def archive(database: Database, tmp_path: Path) -> Archive:
    """An empty archive; the test runs once for each database."""
    archive = Archive(database, tmp_path / "archive")
    archive.create_tables()
    return archive
