"""Death at every system call that changes the disk, from the first fragment to the removal from the spool.

`MICROPACS_EVERY_POINT=1` dies at each of them; otherwise at some of each kind, by chance.
"""

import hashlib
import os
import random
import time
from pathlib import Path

import pytest

from archive import Archive, Database, Spool
from tests.support.arrivals import LARGE, filed
from tests.support.extent import EVERY_POINT
from tests.support.figures import figure
from tests.support.tracing import needs_strace, traced

PREPARE = """
import sys
from pathlib import Path
from archive import Archive, Database, Spool
from tests.support.arrivals import filed, sealed
folder = Path(sys.argv[1])
spool = Spool(folder / "spool")
spool.sweep()
archive = Archive(Database(f"sqlite:///{folder / 'd.db'}"), folder / "archive")
archive.create_tables()
"""
WORK = (
    PREPARE
    + f"""
SIZES = (3000, {LARGE}, 3000, 9000)
def some(numbers):
    found = []
    for number in numbers:
        found.append(sealed(spool, bytes([number]) * SIZES[number % 4], f"1.{{number}}"))
        print(f"{{found[-1].arrival}} {{found[-1].digest}}", flush=True)
    return found
def file(entries, **splice):
    filed(archive, entries, [{{}}] * len(entries), **splice)
    spool.remove([entry.arrival for entry in entries])
entries = some(range(4))
file(entries[:2])
file(entries[2:], prefix=b"new", resume=100)
from archive import segment
segment.SEGMENT_BYTES = 0  # the segment counts as full, and is written again
file(some((4, 6)))
print("done")
"""
)
POINTS = 4  # of each kind of call
CHANGED = (2, 3)  # kept with other bytes than they came with
CALLS = ("write", "pwrite64", "pwritev2", "fsync", "fdatasync", "rename", "link", "unlink", "mkdir")


def _recover(folder: Path) -> tuple[set[str], dict[str, str]]:
    """Start again as the appliance does: sweep, file what the spool holds. The UIDs kept, and digests by arrival."""
    spool = Spool(folder / "spool")
    spool.sweep()
    archive = Archive(Database(f"sqlite:///{folder / 'd.db'}"), folder / "archive")
    archive.create_tables()
    archive.sweep()
    entries = [spool.read(arrival) for arrival in spool.sealed(100)]
    filed(archive, entries, [{}] * len(entries))
    spool.remove([entry.arrival for entry in entries])
    ids = archive.select({"StudyInstanceUID": "1.2.1"})
    kept = archive.stored(ids)
    for each in kept.values():
        content = each.path.read_bytes()[each.data_set_offset :]
        assert (hashlib.sha256(content).hexdigest(), len(content)) == (each.digest, each.bytes)
    counted = archive.summary().instances
    assert counted == len(kept)
    assert (spool.sealed(10), spool.backlog().count, spool.backlog().unreadable) == ([], 0, 0)
    archive.database.dispose()
    spool.close()
    return {each.identity.sop_instance_uid for each in kept.values()}, {
        each.path.stem: each.digest for each in kept.values()
    }


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[str], list[str]]:
    """The calls that are made when nothing dies, and those of them before the work begins."""
    output, calls = traced(WORK, tmp_path_factory.mktemp("whole"), f"--trace={','.join(CALLS)}")
    assert output.endswith("done")
    _, before = traced(PREPARE, tmp_path_factory.mktemp("before"), f"--trace={','.join(CALLS)}")
    return calls, before


@needs_strace
@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("call", CALLS)
def test_nothing_acknowledged_is_lost_at_any_point(
    tmp_path: Path, whole: tuple[list[str], list[str]], call: str
) -> None:
    """Killed at a call that changes the spool or the archive, it still has, whole and once, all acknowledged."""
    calls, before = ([made for made in some if made.startswith(f"{call}(")] for some in whole)
    points = [
        number
        for number, made in enumerate(calls, 1)
        if number >= len(before) - 1 and ("/spool" in made or "/archive" in made)
    ]  # SQLite proves its own
    assert points
    seed, every = os.environ.get("MICROPACS_SEED", time.time_ns() % 1_000_000), len(points)
    if not EVERY_POINT:
        points = random.Random(f"{seed} {call}").sample(points, min(POINTS, len(points)))
        print(f"seed {seed}: killed at {points}")
    for number in points:
        folder = _folder(tmp_path / str(number))
        fault = f"--inject={call}:signal=SIGKILL:when={number}"
        output, _ = traced(WORK, folder, f"--trace={call}", fault, ends=-9)
        acknowledged = [line.split() for line in output.splitlines() if line != "done"]
        uids, digests = _recover(folder)
        where = f"killed at {call} number {number}: {calls[number - 1]}"
        assert uids >= {f"1.{each}" for each in (0, 1, 2, 3, 4, 6)[: len(acknowledged)]}, where
        assert len(uids) <= len(acknowledged) + 1, where  # one may be sealed and not yet acknowledged
        for place, (arrival, digest) in enumerate(acknowledged):
            assert place in CHANGED or digests[arrival] == digest, where
        left = {path.suffix for path in folder.rglob("*") if path.is_file() and "d.db" not in path.name}
        assert left <= {".dcm", ".log", ".segment", ".register", ""}, where
        assert not [*(folder / "spool" / "sealed").iterdir(), *(folder / "spool" / "incoming").iterdir()], where
    figure(f"seed {seed}: killed at n = {len(points)} of {every} {call}, passed {len(points)}")


def _folder(path: Path) -> Path:
    path.mkdir()
    return path
