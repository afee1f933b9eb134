"""Success means on the disk: the system calls before it, disks that fail, disks that are full."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from archive import Identity, Spool, SpoolFailedError, SpoolFullError
from tests.support.arrivals import CT, IMPLICIT, origin, sealed
from tests.support.tracing import needs_strace, traced

SEAL = """
import os, sys
from pathlib import Path
from archive import ArchiveError, Spool
from tests.support.arrivals import sealed
spool = Spool(Path(sys.argv[1]) / "new" / "spool")
Path("/spool-is-open").exists()
try:
    sealed(spool, b"x" * 100_000)
    Path("/sealed").exists()
    print("sealed")
except ArchiveError as error:
    print(type(error).__name__)
"""

PLACE = """
import sys
from pathlib import Path
from archive import Archive, Database, Filing, InstanceKey, Spool
from tests.support.arrivals import sealed
folder = Path(sys.argv[1])
entry = sealed(Spool(folder / "spool"), b"x" * 100_000)
archive = Archive(Database(f"sqlite:///{folder / 'd.db'}"), folder / "archive")
Path("/placing").exists()
archive.place([Filing(entry, InstanceKey("1", "2", "3")), Filing(entry, InstanceKey("4", "2", "3"), b"new", 10),
               Filing(entry, InstanceKey("4", "2", "3"), b"other", 10)])
Path("/placed").exists()
"""


def _position(calls: list[str], pattern: str) -> int:
    found = [number for number, call in enumerate(calls) if re.search(pattern, call)]
    assert found, f"no call like {pattern}"
    return found[-1]


@needs_strace
def test_file_and_names_are_synchronised_before_seal_returns(tmp_path: Path) -> None:
    """The file's bytes, then its name in `sealed`, and before them each new folder's name, are synchronised."""
    output, calls = traced(SEAL, tmp_path)
    assert output == "sealed"
    end = _position(calls, r'"/sealed"')
    opened = _position(calls, r'"/spool-is-open"')
    last_write = _position(calls[:end], r"write\(\d+<[^>]*/incoming/[^>]*\.part>")
    file_synced = _position(calls[:end], r"f(data)?sync\(\d+<[^>]*/incoming/[^>]*\.part>\)\s+= 0")
    renamed = _position(calls[:end], r"rename\w*\(.*/incoming/.*/sealed/")
    folder_synced = _position(calls[:end], r"fsync\(\d+<[^>]*/sealed>\)\s+= 0")
    assert last_write < file_synced < renamed < folder_synced
    for folder in ("", "/new", "/new/spool"):
        assert _position(calls[:opened], rf"fsync\(\d+<{re.escape(str(tmp_path))}{folder}>\)\s+= 0")


@needs_strace
def test_files_and_names_are_synchronised_before_place_returns(tmp_path: Path) -> None:
    """New files' bytes, then every touched study folder's names are synchronised, and new folders in their parents."""
    _, calls = traced(PLACE, tmp_path)
    start, end = _position(calls, r'"/placing"'), _position(calls, r'"/placed"')
    during = calls[start:end]
    synced = {number for number, call in enumerate(during) if re.search(r"sync\(\d+<[^>]*\.part>\)\s+= 0", call)}
    renamed = {number for number, call in enumerate(during) if re.search(r"rename\w*\(.*/archive/incoming/", call)}
    assert (len(synced), len(renamed)) == (2, 2)
    folder = rf"{re.escape(str(tmp_path))}/archive/[0-9a-f]{{2}}"
    folders = {
        call for call in during if re.search(rf"fsync\(\d+<{folder}/[0-9a-f]{{2}}/[0-9a-f]{{24}}>\)\s+= 0", call)
    }
    assert max(synced) < min(renamed)
    assert max(renamed) < _position(during, rf"fsync\(\d+<{folder}/[0-9a-f]{{2}}/[0-9a-f]{{24}}>\)\s+= 0")
    assert len({re.sub(r"\(\d+", "(", call) for call in folders}) == 2
    for parent in (rf"{re.escape(str(tmp_path))}/archive", folder, rf"{folder}/[0-9a-f]{{2}}"):
        assert _position(during, rf"fsync\(\d+<{parent}>\)\s+= 0")


@needs_strace
@pytest.mark.parametrize(
    ("call", "number", "error", "outcome"),
    [
        ("fdatasync", 1, "EIO", "SpoolFailedError"),
        ("fdatasync", 1, "ENOSPC", "SpoolFullError"),
        ("fsync", -1, "EIO", "SpoolFailedError"),
        ("rename", 1, "EIO", "SpoolFailedError"),
    ],
)
def test_failing_disk_is_never_success(tmp_path: Path, call: str, number: int, error: str, outcome: str) -> None:
    """When a synchronisation or the naming fails, seal raises and neither a sealed nor an unsealed file is left."""
    if number < 0:  # the last of an undisturbed run
        (tmp_path / "first").mkdir()
        _, calls = traced(SEAL, tmp_path / "first", f"--trace={call}")
        number = len(calls)
    output, _ = traced(SEAL, tmp_path, f"--inject={call}:error={error}:when={number}")
    assert output == outcome
    spool = tmp_path / "new" / "spool"
    assert [*(spool / "sealed").iterdir(), *(spool / "incoming").iterdir()] == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = shutil.which("mount") and subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(disk)], capture_output=True, text=True, check=False
    )
    if not mounted or mounted.returncode:
        pytest.skip(f"cannot mount a small file system: {mounted.stderr.strip() if mounted else 'there is no mount'}")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_full_disk_is_said_and_recovers(small_disk: Path) -> None:
    """On a full disk the instance is refused as such and leaves nothing; when there is room again it is taken."""
    spool = Spool(small_disk)
    kept = sealed(spool, b"x" * 1_000_000)
    incoming = spool.open(Identity(CT, "1.2", IMPLICIT), origin())

    def fill() -> None:
        for _ in range(100):
            incoming.write(b"x" * 100_000)

    with pytest.raises(SpoolFullError):
        fill()
    assert list((small_disk / "incoming").iterdir()) == []
    assert spool.sealed(10) == [kept.arrival]
    sealed(spool, b"x" * 2_000_000)
    spool.close()


def test_read_only_disk_is_never_success(small_disk: Path) -> None:
    """When the disk turns read-only under an instance, it is not acknowledged."""
    spool = Spool(small_disk)
    spool.close()
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises(SpoolFailedError):
        spool.open(Identity(CT, "1.2", IMPLICIT), origin())
