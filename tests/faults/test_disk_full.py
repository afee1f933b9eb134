"""A disk that is full, for the spool, the archive or the database alone, while scanners send to the whole appliance."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.faults.disk_site import OUT_OF_RESOURCES, SUCCESS, Site
from tests.faults.disks import SmallDisk, ended, needs_mounts
from tests.faults.studies import make_study
from tests.support.appliance import wait_until
from tests.support.dcmtk import needs_dcmtk, storescu
from tests.support.figures import figure

pytestmark = [needs_mounts, pytest.mark.slow, pytest.mark.timeout(900), pytest.mark.xdist_group("full disks")]

BIG = 400_000  # bytes of pixels


class Disks(NamedTuple):
    """A disk of its own for each, and the site that has them; 1 MB stays free of each, or a twentieth."""

    spool: SmallDisk
    archive: SmallDisk
    database: SmallDisk
    site: Site


@pytest.fixture(scope="module")
def disks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Disks]:
    """A running site in which some studies went through."""
    folder = tmp_path_factory.mktemp("site")
    database = SmallDisk(folder / "database", 32)  # room for SQLite's log, too, which is emptied at 16 MB
    spool, archive = SmallDisk(folder / "data" / "spool", 12), SmallDisk(folder / "data" / "archive", 64)
    with ended(database, spool, archive), Site(folder, "1MB", database.place / "micropacs.db") as site:
        site.send(2)
        site.settle()
        yield Disks(spool, archive, database, site)


@needs_dcmtk
def test_spool_alone_is_full(disks: Disks, tmp_path: Path) -> None:
    """A700 and nothing else, also to `storescu`; said in plain words, once; with room again all goes on by itself."""
    disk, site = disks.spool, disks.site
    disk.fill(left=200_000)
    wait_until(lambda: "spool is full" in site.disk_events(), 60, "the journal to say so")
    before = site.answers()[SUCCESS]
    site.send(4)
    wait_until(lambda: site.answers()[OUT_OF_RESOURCES] >= 5, 60, "scanners to be refused")
    (tmp_path / "instance.dcm").write_bytes(make_study(8, 0).instances[0].data)
    refused = storescu(site.appliance.port, [tmp_path / "instance.dcm"], "-v", "-aet", "ROOM1")
    assert refused.returncode != 0
    assert "Refused: OutOfResources" in refused.stdout + refused.stderr
    assert site.answers()[SUCCESS] == before
    said = site.appliance.run("status").stdout
    assert "the disk of spool" in said
    assert "scanners are refused with A700; make room" in said
    disk.make_room()
    seconds = site.settle()
    site.check()
    figure(f"spool alone full: {seconds:.1f} s to recover, {site.found()}")
    wait_until(lambda: "spool is good" in site.disk_events(), 60, "the end to be told")
    assert site.disk_events().count("spool is full") == 1
    assert site.answers().keys() == {SUCCESS, OUT_OF_RESOURCES}


def test_archive_alone_is_full(disks: Disks) -> None:
    """Scanners notice nothing while the spool has room, and get A700 then; nothing is filed, and nothing is lost.

    With room in the archive the spool empties itself, gives its own disk's room back, and takes what it refused.
    """
    disk, site = disks.archive, disks.site
    disk.fill()
    before, filed = site.answers(), site.appliance.count("select count(*) from instances")
    site.send(12, BIG)
    wait_until(lambda: site.answers()[OUT_OF_RESOURCES] >= before[OUT_OF_RESOURCES] + 3, 120, "the spool to be full")
    assert site.answers()[SUCCESS] > before[SUCCESS] + 10
    assert site.appliance.count("select count(*) from instances") == filed
    said = site.appliance.run("status").stdout
    assert "the disk of archive" in said
    assert "filing stops and instances wait in the spool; make room" in said
    disk.make_room()
    seconds = site.settle()
    site.check()
    figure(f"archive alone full: {seconds:.1f} s to recover, {site.found()}")
    assert site.answers().keys() <= {SUCCESS, OUT_OF_RESOURCES}


def test_database_alone_is_full(disks: Disks) -> None:
    """Scanners notice nothing at all; what they send is filed and delivered when the database has room again."""
    disk, site = disks.database, disks.site
    has_said = site.says("reason='its disk is full'")
    disk.fill()
    refused = site.answers()[OUT_OF_RESOURCES]
    site.send(20)
    site.sent()
    while not has_said():
        site.send(5)
        site.sent()
    assert site.answers()[OUT_OF_RESOURCES] == refused
    said = site.appliance.run("status")
    assert "the disk of database" in said.stdout + said.stderr
    assert "make room" in said.stdout + said.stderr
    disk.make_room()
    seconds = site.settle()
    site.check()
    figure(f"database alone full: {seconds:.1f} s to recover, {site.found()}")
    assert site.appliance.log.read_text().count("work=filing") < 12, "told once, not at every try"


def test_disk_of_everything_is_full(tmp_path: Path) -> None:
    """Also where it fills in the middle of filing and delivering, to the last byte, all goes on when there is room."""
    disk = SmallDisk(tmp_path / "data", 48)
    with ended(disk), Site(tmp_path, "1MB") as site:
        site.send(80, 20_000)  # more than can be taken before it is full
        wait_until(lambda: site.answers()[SUCCESS] >= 10, 60, "some to be taken")
        disk.fill()
        wait_until(lambda: site.answers()[OUT_OF_RESOURCES] >= 3, 60, "scanners to be refused")
        before = site.answers()[SUCCESS]
        said = site.appliance.run("status")
        assert "is full" in said.stdout + said.stderr
        assert site.answers()[SUCCESS] == before
        disk.make_room()
        seconds = site.settle()
        site.check()
        figure(f"everything full: {seconds:.1f} s to recover, {site.found()}")
