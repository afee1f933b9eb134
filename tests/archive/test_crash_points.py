"""Death at every system call that changes the disk, from the first fragment to the removal from the spool."""

import hashlib
from pathlib import Path

import pytest

from archive import Archive, Database, Spool
from tests.support.arrivals import filed
from tests.support.tracing import needs_strace, traced

PREPARE = """
import sys
from pathlib import Path
from archive import Archive, Database, Spool
from tests.support.arrivals import filed, sealed
folder = Path(sys.argv[1])
spool = Spool(folder / "spool")
archive = Archive(Database(f"sqlite:///{folder / 'd.db'}"), folder / "archive")
archive.create_tables()
"""
WORK = (
    PREPARE
    + """
entries = []
for number in range(3):
    entries.append(sealed(spool, bytes([number]) * 3000, f"1.{number}"))
    print(f"{entries[-1].arrival} {entries[-1].digest}", flush=True)
filed(archive, entries[:2], [{}] * 2)
filed(archive, entries[2:], [{}], prefix=b"new", resume=100)
spool.remove([entry.arrival for entry in entries])
print("done")
"""
)


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
    archive.database.dispose()
    spool.close()
    return {each.identity.sop_instance_uid for each in kept.values()}, {
        each.path.stem: each.digest for each in kept.values()
    }


@needs_strace
@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("call", ["write", "pwrite64", "fsync", "fdatasync", "rename", "link", "unlink", "mkdir"])
def test_nothing_acknowledged_is_lost_at_any_point(tmp_path: Path, call: str) -> None:
    """Killed at each call that changes the disk, it still has, whole and once, all that was acknowledged."""
    output, calls = traced(WORK, _folder(tmp_path / "whole"), f"--trace={call}")
    assert output.endswith("done")
    _, before = traced(PREPARE, _folder(tmp_path / "before"), f"--trace={call}")
    step = 3 if call == "pwrite64" else 1  # those are SQLite's, which proves its own
    for number in range(max(1, len(before) - 1), len(calls) + 1, step):
        folder = _folder(tmp_path / str(number))
        fault = f"--inject={call}:signal=SIGKILL:when={number}"
        output, _ = traced(WORK, folder, f"--trace={call}", fault, ends=-9)
        acknowledged = [line.split() for line in output.splitlines() if line != "done"]
        uids, digests = _recover(folder)
        where = f"killed at {call} number {number}: {calls[number - 1]}"
        assert uids >= {f"1.{position}" for position in range(len(acknowledged))}, where
        assert len(uids) <= len(acknowledged) + 1, where  # one may be sealed and not yet acknowledged
        for arrival, digest in acknowledged[:2]:
            assert digests[arrival] == digest, where
        left = {path.suffix for path in folder.rglob("*") if path.is_file() and "d.db" not in path.name}
        assert left <= {".dcm", ".log", ""}, where
        assert not [*(folder / "spool" / "sealed").iterdir(), *(folder / "spool" / "incoming").iterdir()], where


def _folder(path: Path) -> Path:
    path.mkdir()
    return path
