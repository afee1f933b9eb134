"""The watch over the disks: each change is told once, also over a restart, and later where the database is away."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError

from archive import Database
from router.disks import Disk, Health
from router.journal import Journal, metadata
from router.upkeep import DiskWatch, disks, last_synchronising


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """One with a journal."""
    database = Database(f"sqlite:///{(tmp_path / 'test.db').as_posix()}")
    database.create(metadata)
    yield database
    database.dispose()


def _watch(database: Database, health: list[Health]) -> DiskWatch:
    free = {Health.GOOD: 900, Health.SHORT: 150, Health.FULL: 50}
    here = Path("/x")
    return DiskWatch(
        lambda: [Disk(("spool", "archive"), here, health[-1], free[health[-1]], 1000, 100)],
        database,
        Journal(database, lambda: datetime.now(UTC)),
    )


def _told(database: Database) -> list[str]:
    journal = Journal(database, lambda: datetime.now(UTC))
    return [detail["health"] for _, detail in journal.of_kind(disks.DISK, datetime(2000, 1, 1, tzinfo=UTC))]


def test_each_change_is_told_once(database: Database) -> None:
    """However often it is looked at, and after a restart."""
    health = [Health.GOOD]
    watch = _watch(database, health)
    for each in (Health.GOOD, Health.SHORT, Health.SHORT, Health.FULL, Health.FULL):
        health.append(each)
        watch.step()
    watch = _watch(database, health)
    watch.begin()
    watch.step()
    assert _told(database) == ["getting full", "full"]
    health.append(Health.GOOD)
    watch.step()
    assert _told(database) == ["getting full", "full", "good"]


def test_what_the_database_does_not_take_is_told_later(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the order in which it happened."""
    health = [Health.SHORT]
    watch = _watch(database, health)
    with monkeypatch.context() as patch:
        patch.setattr(database, "begin", _failing)
        watch.step()
        health.append(Health.FULL)
        watch.step()
    assert _told(database) == []
    watch.step()
    assert _told(database) == ["getting full", "full"]


def test_a_machine_that_does_not_synchronise_is_told_of(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once when it begins, once when it is over."""
    journal = Journal(database, lambda: datetime.now(UTC))
    assert last_synchronising(journal)
    for does, told in ((True, 0), (False, 1), (False, 1), (True, 2)):
        monkeypatch.setattr(disks, "synchronises", lambda does=does: does)
        _watch(database, [Health.GOOD]).begin()
        assert last_synchronising(journal) is does
        assert len(journal.of_kind(disks.SYNCHRONISING, datetime(2000, 1, 1, tzinfo=UTC))) == told


def _failing() -> None:
    raise OperationalError("", None, Exception())
