"""Upkeep: what is done by the clock goes on whatever happens to one study."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from archive import Archive, Database, Spool
from router.delivery import Digests, Queue
from router.delivery import metadata as delivery_metadata
from router.upkeep import Upkeep, schedule
from tests.support.appliance import wait_until
from tests.support.arrivals import filed, sealed


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    """An archive of three studies of one instance each, oldest first."""
    database = Database(f"sqlite:///{(tmp_path / 'test.db').as_posix()}")
    archive = Archive(database, tmp_path / "archive")
    archive.create_tables()
    database.create(delivery_metadata)
    spool = Spool(tmp_path / "spool")
    for number in range(3):
        filed(archive, [sealed(spool, b"data", f"1.{number}")], [{"StudyInstanceUID": f"2.{number}"}])
    spool.close()
    yield archive
    database.dispose()


def _upkeep(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> Upkeep:
    monkeypatch.setattr(schedule, "MANIFEST_QUIET", timedelta(0))
    queue = Queue(archive.database, "here", lambda: datetime.now(UTC))
    return Upkeep(archive, queue, Digests(archive.database, archive, {}.__getitem__, lambda: None))


def test_a_study_whose_manifest_fails_keeps_no_other_waiting(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    """With room for one manifest at a time, and the first one failing, the others are written."""
    monkeypatch.setattr(schedule, "MANIFESTS_AT_ONCE", 1)
    first = archive.stale_manifests(datetime.now(UTC), 1)[0]
    [study] = [file.parent for file in archive.folder.rglob("*.dcm") if _is_of(archive, file, first)]
    study.rename(study.with_name("away"))
    upkeep = _upkeep(archive, monkeypatch)
    for _ in range(4):
        upkeep.manifests()
    assert archive.stale_manifests(datetime.now(UTC), 10) == [first]


def test_a_clock_set_back_delays_no_manifest(archive: Archive) -> None:
    """What changed a day ahead did so before the clock went back, and is written at once."""
    now = datetime.now(UTC)
    assert archive.stale_manifests(now - timedelta(seconds=5), 10) == []
    assert len(archive.stale_manifests(now - timedelta(days=1), 10)) == 3


def _is_of(archive: Archive, file: Path, study_id: int) -> bool:
    return any(each.path == file and each.study_id == study_id for each in archive.stored([1, 2, 3]).values())


def test_jobs_go_on_after_one_failed(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    """A job that raises is done again at its next time."""
    monkeypatch.setattr(schedule, "MANIFEST_SECONDS", 0.01)
    stale_manifests = archive.stale_manifests
    times = iter(range(100))

    def failing_first(*arguments: Any) -> list[int]:
        if next(times) < 3:
            raise RuntimeError("failed here")
        return stale_manifests(*arguments)

    monkeypatch.setattr(archive, "stale_manifests", failing_first)
    upkeep = _upkeep(archive, monkeypatch)
    upkeep.start()
    wait_until(lambda: not stale_manifests(datetime.now(UTC), 10), 10, "the manifests")
    upkeep.stop()
