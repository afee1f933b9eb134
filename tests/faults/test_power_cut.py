"""Power cut at the system calls of receiving and filing, on a real file system: what was acknowledged is there.

`MICROPACS_EVERY_POINT=1` cuts it at each of them, on each file system; otherwise at some of each kind, by chance, on
ext4.
"""

import hashlib
import os
import random
import time
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy.exc import SQLAlchemyError

from archive import Archive, ArchiveError, Database, Spool
from tests.faults.powercut import FILE_SYSTEMS, cut, mounted, needs_images, new_image
from tests.support.arrivals import filed
from tests.support.extent import extent
from tests.support.figures import figure
from tests.support.tracing import traced

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

SCENARIO = """
import sys
from pathlib import Path
from archive import Archive, Database, Spool
from tests.support.arrivals import filed, sealed
folder = Path(sys.argv[1])
spool = Spool(folder / "spool")
spool.sweep()
archive = Archive(Database(f"sqlite:///{folder / 'd.db'}"), folder / "archive")
archive.create_tables()
print("open", flush=True)
def some(numbers, size):
    found = []
    for number in numbers:
        found.append(sealed(spool, bytes([number]) * size, f"1.{number}"))
        print(f"1.{number} {found[-1].digest}", flush=True)
    return found
def file(entries):
    filed(archive, entries, [{}] * len(entries))
    spool.remove([entry.arrival for entry in entries])
file(some((1, 2), 3000) + some((3,), 1_500_000))
some((4,), 5 << 20)
from archive import segment
segment.SEGMENT_BYTES = 0  # the segment counts as full, and is written again
file(some((5, 6), 9000))
some((7,), 3000)
print("done", flush=True)
"""
WITHOUT_SYNC = """
import os
from archive import files
os.fsync = os.fdatasync = lambda _: None
files._DURABLY = 0
"""
CALLS = ("pwrite64", "pwritev2", "write", "fdatasync", "fsync", "rename")
POINTS = 4  # of each call, unless every one is asked for


def _acknowledged(said: list[str]) -> dict[str, str]:
    return dict(line.split() for line in said if " " in line)


def _kept(folder: Path) -> dict[str, str]:
    """Start again as the appliance does; the digest of every instance that is there, read from its file."""
    database = Database(f"sqlite:///{folder / 'd.db'}")
    with closing(Spool(folder / "spool")) as spool:
        try:
            spool.sweep()
            archive = Archive(database, folder / "archive")
            archive.create_tables()
            archive.sweep()
            entries = [spool.read(arrival) for arrival in spool.sealed(100)]
            filed(archive, entries, [{}] * len(entries))
            kept = archive.stored(archive.select({"StudyInstanceUID": "1.2.1"})).values()
            assert spool.backlog().unreadable == 0
        finally:
            database.dispose()
    return {
        each.identity.sop_instance_uid: hashlib.sha256(each.path.read_bytes()[each.data_set_offset :]).hexdigest()
        for each in kept
    }


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("kind", extent(["ext4"], list(FILE_SYSTEMS)))
def test_power_cut_loses_nothing_that_was_acknowledged(tmp_path: Path, kind: str, call: str) -> None:
    """The disk as it is after any system call has, whole and once, all that was acknowledged by then."""
    needs_images(kind)
    empty = new_image(tmp_path / "empty.img", kind)
    (tmp_path / "whole").mkdir()
    _, calls = traced(SCENARIO, tmp_path / "whole", f"--trace={call}")
    points = [
        number for number, made in enumerate(calls, 1) if any(each in made for each in ("/spool", "/archive", "/d.db"))
    ]
    seed = os.environ.get("MICROPACS_SEED", time.time_ns() % 1_000_000)
    chosen = extent(random.Random(f"{seed} {call}").sample(points, min(POINTS, len(points))), points)
    print(f"seed {seed}: cut at {chosen}")
    acknowledgements = 0
    for number in chosen:
        found = cut(SCENARIO, empty, tmp_path / f"{number}", call, number)
        acknowledged = _acknowledged(found.said)
        where = f"power cut at {call} number {number} of {len(calls)}: {calls[number - 1]}"
        assert not found.is_over, where
        with mounted(found.image, tmp_path / f"{number}" / "after") as disk:
            kept = _kept(disk)
        assert kept.items() >= acknowledged.items(), where
        assert len(kept) <= len(acknowledged) + 1, where
        acknowledgements += len(acknowledged)
    figure(f"seed {seed}: n = {len(chosen)} power cuts at {call}, of {acknowledgements} acknowledged lost 0")


def test_without_synchronising_the_same_cut_loses(tmp_path: Path) -> None:
    """Where nothing is synchronised the test above fails: a power cut at the end loses what was acknowledged."""
    needs_images()
    empty = new_image(tmp_path / "empty.img")
    script = WITHOUT_SYNC + SCENARIO
    (tmp_path / "whole").mkdir()
    _, calls = traced(script, tmp_path / "whole", "--trace=pwrite64")
    last = max(number for number, made in enumerate(calls, 1) if ".register" in made)
    found = cut(script, empty, tmp_path / "cut", "pwrite64", last)
    acknowledged = _acknowledged(found.said)
    assert len(acknowledged) >= 6
    with mounted(found.image, tmp_path / "cut" / "after") as disk:
        try:
            kept = _kept(disk)
        except (ArchiveError, OSError, SQLAlchemyError):  # nothing sensible is left
            kept = {}
    lost = len(acknowledged.items() - kept.items())
    figure(f"n = 1 power cut, nothing synchronised: {lost} of {len(acknowledged)} acknowledged lost")
    assert lost, "the cut does not bite"
