"""A disk that goes or turns read-only under the whole appliance: never Success for what is not on it, and it heals."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.faults.disk_site import OUT_OF_RESOURCES, SUCCESS, Site
from tests.faults.disks import Volume, ended, needs_mounts
from tests.support.appliance import wait_until
from tests.support.figures import figure

pytestmark = [needs_mounts, pytest.mark.slow, pytest.mark.timeout(900), pytest.mark.xdist_group("vanishing disks")]


class Disks(NamedTuple):
    """A disk of its own for each, and the site that has them."""

    spool: Volume
    archive: Volume
    database: Volume
    site: Site


@pytest.fixture(scope="module")
def disks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Disks]:
    """A running site in which a study went through."""
    folder = tmp_path_factory.mktemp("site")
    database = Volume(folder / "database.img", folder / "database")
    spool = Volume(folder / "spool.img", folder / "data" / "spool")
    archive = Volume(folder / "archive.img", folder / "data" / "archive")
    with ended(database, spool, archive), Site(folder, database=database.place / "micropacs.db") as site:
        site.send(1)
        site.settle()
        yield Disks(spool, archive, database, site)


def _is_refused(site: Site) -> None:
    """Scanners send, and get A700 only."""
    before = site.answers()
    site.send(2)
    wait_until(lambda: site.answers()[OUT_OF_RESOURCES] >= before[OUT_OF_RESOURCES] + 3, 60, "scanners to be refused")
    assert site.answers()[SUCCESS] == before[SUCCESS]


def _vanishes(site: Site, disk: Volume, words: str) -> None:
    """Unmounted under the roles, and then found missing by roles that start again, nothing is acknowledged."""
    disk.vanish()
    _is_refused(site)
    has_said = site.says(words)
    for role in ("receive", "work"):
        site.appliance.kill(role)
    wait_until(has_said, 60, "receive to find its disk missing")
    answered = site.answers()[SUCCESS]
    time.sleep(1)
    assert site.answers()[SUCCESS] == answered, "a new receive took an instance into an empty folder"
    assert not list(disk.place.rglob("*.segment"))
    disk.mount()
    seconds = site.settle()
    site.check()
    figure(f"{disk.place.name} vanished: {seconds:.1f} s to recover, {site.found()}")


def test_vanished_spool_is_never_success(disks: Disks) -> None:
    """A700 while receive has it open, no answer from one that starts without it; back again, all goes on."""
    _vanishes(disks.site, disks.spool, "spool cannot be used, trying again")


def test_vanished_archive_is_not_begun_anew(disks: Disks) -> None:
    """What comes meanwhile is acknowledged and waits in the spool, also over a new start; no folder is made for it."""
    disk, site = disks.archive, disks.site
    has_said, refused = site.says("work=filing"), site.answers()[OUT_OF_RESOURCES]
    disk.vanish()
    site.send(1)
    site.sent()
    wait_until(has_said, 60, "filing to be interrupted")
    has_said = site.says("the archive was in use before")
    site.appliance.kill("work")
    site.send(1)
    site.sent()
    wait_until(has_said, 60, "the log to say so")
    assert "the archive was in use before" in site.appliance.run("status").stderr
    assert list(disk.place.iterdir()) == []
    assert site.answers()[OUT_OF_RESOURCES] == refused
    disk.mount()
    seconds = site.settle()
    site.check()
    figure(f"archive vanished: {seconds:.1f} s to recover, {site.found()}")


def test_vanished_database_is_not_begun_anew(disks: Disks) -> None:
    """The same for the database: no new one is made in its place, neither by the roles nor by a new start of them."""
    disk, site = disks.database, disks.site
    has_said = site.says("the database was in use before")
    disk.vanish()
    site.appliance.kill("work")
    site.send(1)
    site.sent()
    wait_until(has_said, 60, "the log to say so")
    assert list(disk.place.iterdir()) == []
    disk.mount()
    seconds = site.settle()
    site.check()
    figure(f"database vanished: {seconds:.1f} s to recover, {site.found()}")


def test_archive_turns_read_only(disks: Disks) -> None:
    """Scanners notice nothing, status says it; when it can be written again, what waits is filed and delivered."""
    disk, site = disks.archive, disks.site
    filed, refused = site.appliance.count("select count(*) from instances"), site.answers()[OUT_OF_RESOURCES]
    wait_until(lambda: disk.turn("ro"), 60, "nobody to write")
    site.send(1)
    site.sent()
    wait_until(lambda: "archive is read-only" in site.disk_events(), 60, "the journal to say so")
    assert "mount it for writing" in site.appliance.run("status").stdout
    assert site.appliance.count("select count(*) from instances") == filed
    assert disk.turn("rw")
    seconds = site.settle()
    site.check()
    figure(f"archive read-only: {seconds:.1f} s to recover, {site.found()}")
    assert site.answers()[OUT_OF_RESOURCES] == refused


def _fails(site: Site, disk: Volume) -> None:
    """The kernel takes write access away under the roles; an administrator repairs the disk and starts again."""
    disk.fail()
    _is_refused(site)
    assert "read-only" in (said := site.appliance.run("status")).stdout + said.stderr
    site.appliance.stop()
    disk.repair()
    site.appliance.start()
    seconds = site.settle()
    site.check()
    figure(f"{disk.place.name} read-only: {seconds:.1f} s to recover, with the repair, {site.found()}")


def test_spool_fails_and_turns_read_only(disks: Disks) -> None:
    """A700 only; repaired, and started, all is there."""
    _fails(disks.site, disks.spool)


def test_whole_data_folder_vanishes_and_fails(tmp_path: Path) -> None:
    """The same where all lies on one disk."""
    disk = Volume(tmp_path / "disk.img", tmp_path / "data")
    with ended(disk), Site(tmp_path) as site:
        site.send(1)
        site.settle()
        _vanishes(site, disk, "SnapshotError")
        _fails(site, disk)
