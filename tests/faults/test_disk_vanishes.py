"""A disk that goes or turns read-only under the whole appliance: never Success for what is not on it, and it heals."""

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from tests.faults.disks import Volume, ended, needs_mounts
from tests.faults.site import OUT_OF_RESOURCES, SUCCESS, Site
from tests.support.appliance import wait_until

pytestmark = [needs_mounts, pytest.mark.slow, pytest.mark.xdist_group("faults")]


def _kill(site: Site, *roles: str) -> None:
    for role in roles:
        with suppress(KeyError, ProcessLookupError):
            os.kill(site.appliance.roles()[role], signal.SIGKILL)


def _says(site: Site, words: str) -> Callable[[], bool]:
    """Whether the log has said these words since now."""
    length = len(site.appliance.log.read_text())
    return lambda: words in site.appliance.log.read_text()[length:]


def _no_success(site: Site, refused: Callable[[], object], what: str) -> None:
    """While scanners send, wait until `refused` holds; meanwhile nothing is answered with Success."""
    before = site.answers()[SUCCESS]
    site.send([1, 2])
    wait_until(refused, 60, what)
    assert site.answers()[SUCCESS] == before


def _is_refused(site: Site, times: int = 3) -> Callable[[], bool]:
    before = site.answers()[OUT_OF_RESOURCES]
    return lambda: site.answers()[OUT_OF_RESOURCES] >= before + times


@pytest.mark.parametrize("what", ["data/spool", "data"])
def test_vanished_disk_is_never_success(tmp_path: Path, what: str) -> None:
    """Unmounted under the roles, and under roles that start again; an empty folder in its place is not begun with."""
    volume = Volume(tmp_path / "disk.img", tmp_path / what)
    with ended(volume), Site(tmp_path) as site:
        site.send([0])
        site.settle()
        volume.vanish()
        _no_success(site, _is_refused(site), "scanners to be refused")
        goes_on = "spool cannot be used, trying again" if what == "data/spool" else "SnapshotError"
        has_said = _says(site, goes_on)
        _kill(site, "receive", "work")
        wait_until(has_said, 60, "receive to find its disk missing")
        answered = site.answers()[SUCCESS]
        time.sleep(1)
        assert site.answers()[SUCCESS] == answered, "a new receive took an instance into an empty folder"
        assert not list((tmp_path / what).rglob("*.segment"))
        volume.mount()
        print(f"{what} vanished: {site.settle():.1f} s to recover")
        site.check()


def test_vanished_archive_is_not_begun_anew(tmp_path: Path) -> None:
    """What comes meanwhile is acknowledged and waits in the spool, also over a new start; no folder is made for it."""
    volume = Volume(tmp_path / "disk.img", tmp_path / "data" / "archive")
    with ended(volume), Site(tmp_path) as site:
        site.send([0])
        site.settle()
        has_said = _says(site, "work=filing")
        volume.vanish()
        site.send([1])
        site.sent()
        wait_until(has_said, 60, "filing to be interrupted")
        has_said = _says(site, "the archive was in use before")
        _kill(site, "work")
        site.send([2])
        site.sent()
        wait_until(has_said, 60, "the log to say so")
        assert "the archive was in use before" in site.appliance.run("status").stderr
        assert list((tmp_path / "data" / "archive").iterdir()) == []
        assert site.answers().keys() == {SUCCESS}
        volume.mount()
        print(f"archive vanished: {site.settle():.1f} s to recover")
        site.check()


def test_vanished_database_is_not_begun_anew(tmp_path: Path) -> None:
    """The same for the database: no new one is made in its place, neither by the roles nor by a new start of them."""
    folder = tmp_path / "database"
    volume = Volume(tmp_path / "disk.img", folder)
    with ended(volume), Site(tmp_path, database=folder / "micropacs.db") as site:
        site.send([0])
        site.settle()
        has_said = _says(site, "the database was in use before")
        volume.vanish()
        _kill(site, "work")
        site.send([1])
        site.sent()
        wait_until(has_said, 60, "the log to say so")
        assert list(folder.iterdir()) == []
        volume.mount()
        print(f"database vanished: {site.settle():.1f} s to recover")
        site.check()


def test_archive_turns_read_only(tmp_path: Path) -> None:
    """Scanners notice nothing, status says it; when it can be written again, what waits is filed and delivered."""
    volume = Volume(tmp_path / "disk.img", tmp_path / "data" / "archive")
    with ended(volume), Site(tmp_path) as site:
        site.send([0])
        site.settle()
        wait_until(lambda: volume.turn("ro"), 60, "nobody to write")
        site.send([1])
        site.sent()
        wait_until(lambda: "archive is read-only" in site.disk_events(), 60, "the journal to say so")
        assert "mount it for writing" in site.appliance.run("status").stdout
        assert site.appliance.count("select count(*) from instances") == 3
        assert volume.turn("rw")
        print(f"archive read-only: {site.settle():.1f} s to recover")
        site.check()
        assert site.answers().keys() == {SUCCESS}


@pytest.mark.parametrize("what", ["data/spool", "data"])
def test_disk_fails_and_turns_read_only(tmp_path: Path, what: str) -> None:
    """The kernel takes write access away under the roles: A700 only; repaired, and started, all is there."""
    volume = Volume(tmp_path / "disk.img", tmp_path / what)
    with ended(volume), Site(tmp_path) as site:
        site.send([0])
        site.settle()
        volume.fail()
        _no_success(site, _is_refused(site), "scanners to be refused")
        assert "read-only" in (said := site.appliance.run("status")).stdout + said.stderr
        site.appliance.stop()
        volume.repair()
        site.appliance.start()
        print(f"{what} read-only: {site.settle():.1f} s to recover")
        site.check()
        assert set(site.answers()) <= {SUCCESS, OUT_OF_RESOURCES, None}
