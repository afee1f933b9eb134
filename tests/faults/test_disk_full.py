"""A disk that is full, for the spool, the archive or the database alone, while scanners send to the whole appliance."""

import os
import signal
from pathlib import Path

import pytest

from tests.faults.disks import SmallDisk, ended, needs_mounts
from tests.faults.site import OUT_OF_RESOURCES, SUCCESS, Site
from tests.faults.studies import make_study
from tests.support.appliance import wait_until
from tests.support.dcmtk import needs_dcmtk, storescu

pytestmark = [needs_mounts, pytest.mark.slow, pytest.mark.xdist_group("faults")]

BIG = 400_000  # bytes of pixels


@needs_dcmtk
def test_spool_alone_is_full(tmp_path: Path) -> None:
    """A700 and nothing else, also to `storescu`; said in plain words, once; with room again all goes on by itself."""
    disk = SmallDisk(tmp_path / "data" / "spool", 32)
    with ended(disk), Site(tmp_path, "4MB") as site:
        site.send(range(2))
        site.settle()
        disk.fill(left=1_000_000)
        wait_until(lambda: "spool is full" in site.disk_events(), 60, "the journal to say so")
        before = site.answers()
        site.send(range(2, 6))
        wait_until(lambda: site.answers()[OUT_OF_RESOURCES] >= 5, 60, "scanners to be refused")
        refused = storescu(site.appliance.port, [_file(tmp_path)], "-v", "-aet", "ROOM1")
        assert refused.returncode != 0
        assert "Refused: OutOfResources" in refused.stdout + refused.stderr
        assert site.answers()[SUCCESS] == before[SUCCESS]
        said = site.appliance.run("status").stdout
        assert "the disk of spool" in said
        assert "scanners are refused with A700; make room" in said
        disk.make_room()
        print(f"spool alone full: {site.settle():.1f} s to recover")
        site.check()
        wait_until(lambda: site.disk_events() == ["spool is full", "spool is good"], 60, "the end to be told, once")
        assert site.answers().keys() == {SUCCESS, OUT_OF_RESOURCES}


def test_archive_alone_is_full(tmp_path: Path) -> None:
    """Scanners notice nothing while the spool has room, and get A700 then; nothing is filed, and nothing is lost.

    With room in the archive the spool empties itself, gives its own disk's room back, and takes what it refused.
    """
    spool, archive = SmallDisk(tmp_path / "data" / "spool", 12), SmallDisk(tmp_path / "data" / "archive", 64)
    with ended(spool, archive), Site(tmp_path, "1MB") as site:
        site.send(range(1), BIG)
        site.settle()
        archive.fill()
        site.send(range(1, 13), BIG)
        wait_until(lambda: site.answers()[OUT_OF_RESOURCES] >= 3, 60, "the spool to be full as well")
        assert site.answers()[SUCCESS] > 10
        assert site.appliance.count("select count(*) from instances") == 3
        said = site.appliance.run("status").stdout
        assert "the disk of archive" in said
        assert "filing stops and instances wait in the spool; make room" in said
        archive.make_room()
        print(f"archive alone full: {site.settle():.1f} s to recover")
        site.check()
        assert site.answers().keys() == {SUCCESS, OUT_OF_RESOURCES}


def test_database_alone_is_full(tmp_path: Path) -> None:
    """Scanners notice nothing at all; what they send is filed and delivered when the database has room again."""
    disk = SmallDisk(tmp_path / "database", 8)
    with ended(disk), Site(tmp_path, database=tmp_path / "database" / "micropacs.db") as site:
        site.send(range(2))
        site.settle()
        disk.fill()
        site.send(range(2, 42))
        site.sent()
        wait_until(
            lambda: "reason='database or disk is full'" in site.appliance.log.read_text(), 60, "the log to say so"
        )
        assert site.answers().keys() == {SUCCESS}
        assert site.appliance.count("select count(*) from instances") < 42 * 3
        said = site.appliance.run("status")
        assert "the disk of database" in said.stdout + said.stderr
        assert "make room" in said.stdout + said.stderr
        disk.make_room()
        print(f"database alone full: {site.settle():.1f} s to recover")
        site.check()
        assert site.appliance.log.read_text().count("work=filing") < 4, "told once, not at every try"


def test_disk_of_everything_is_full(tmp_path: Path) -> None:
    """Also where it fills in the middle of filing and delivering, to the last byte, all goes on when there is room."""
    disk = SmallDisk(tmp_path / "data", 48)
    with ended(disk), Site(tmp_path, "1MB") as site:
        site.send(range(20), 20_000)
        wait_until(lambda: site.answers()[SUCCESS] >= 10, 60, "some to be taken")
        disk.fill()
        wait_until(lambda: site.answers()[OUT_OF_RESOURCES] >= 3, 60, "scanners to be refused")
        before = site.answers()[SUCCESS]
        said = site.appliance.run("status")
        assert "is full" in said.stdout + said.stderr
        assert site.answers()[SUCCESS] == before
        disk.make_room()
        print(f"everything full: {site.settle():.1f} s to recover")
        site.check()


def test_full_spool_empties_itself_when_filing_goes_on(tmp_path: Path) -> None:
    """Where a backlog has filled the spool's own disk, filing it is enough for scanners to be taken again."""
    disk = SmallDisk(tmp_path / "data" / "spool", 8)
    with ended(disk), Site(tmp_path, "1MB") as site:
        work = site.appliance.roles()["work"]
        os.kill(work, signal.SIGSTOP)
        try:
            site.send(range(8), BIG)
            wait_until(lambda: site.answers()[OUT_OF_RESOURCES] >= 3, 60, "the spool to be full")
        finally:
            os.kill(work, signal.SIGCONT)
        print(f"spool full of a backlog: {site.settle():.1f} s to recover")
        site.check()


def _file(folder: Path) -> Path:
    """An instance for `storescu`, which wants a Part 10 file or else a data set alone."""
    path = folder / "instance.dcm"
    path.write_bytes(make_study(8, 0).instances[0].data)
    return path
