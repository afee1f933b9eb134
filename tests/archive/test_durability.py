"""Success means on the disk: the system calls before it, disks that fail, disks that are full."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from archive import Identity, Spool, SpoolFailedError, SpoolFullError
from archive import spool as spool_module
from tests.support.arrivals import CT, IMPLICIT, LARGE, origin, sealed
from tests.support.tracing import needs_strace, traced

SEAL = """
import sys
from pathlib import Path
from archive import ArchiveError, Spool
from tests.support.arrivals import sealed
spool = Spool(Path(sys.argv[1]) / "new" / "spool")
Path("/spool-is-open").exists()
for content in (b"1", b"2", b"3")[:COUNT]:
    try:
        sealed(spool, content * SIZE)
        Path("/sealed").exists()
        print("sealed", end=" ")
    except ArchiveError as error:
        print(type(error).__name__, end=" ")
"""
SMALL = 100_000
CHUNKED = 1_500_000


def _seal(size: int, count: int = 1) -> str:
    return SEAL.replace("SIZE", f"{size}").replace("COUNT", f"{count}")


PLACE = """
import sys
from pathlib import Path
from archive import Archive, Database, Filing, InstanceKey, Spool
from tests.support.arrivals import sealed
folder = Path(sys.argv[1])
entry = sealed(Spool(folder / "spool"), b"x" * SIZE)
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
def test_segment_and_its_name_are_synchronised_before_seal_returns(tmp_path: Path) -> None:
    """Data and head, in a segment whose name was synchronised before, then the record that says that they are."""
    output, calls = traced(_seal(SMALL, 2), tmp_path)
    assert output == "sealed sealed"
    opened = _position(calls, r'"/spool-is-open"')
    first, second = (number for number, call in enumerate(calls) if '"/sealed"' in call)
    segment = r"\(\d+<[^>]*/segments/0/[0-9a-f]{32}\.segment>"
    register = segment.replace("segment>", "register>")
    folder_synced = _position(calls[:first], r"fsync\(\d+<[^>]*/segments/0>\)\s+= 0")
    begun = _position(calls[:first], rf"fdatasync{register}\)\s+= 0")
    assert _position(calls[:first], r"openat\(.*O_CREAT.*\.segment>") < begun < folder_synced
    for start, end, head in ((opened, first, 0), (first, second, 102_400)):
        during = calls[start:end]
        durably = rf'pwritev2{segment}, \[\{{iov_base="MPACSEG2.*\], 1, {head}, RWF_DSYNC\)\s+= 102400'
        entered = _position(during, rf'pwrite64{register}, "[0-9a-f]{{24}}.*, 48, {24 + 48 * bool(head)}\)\s+= 48')
        assert _position(during, durably) < entered
    for folder in ("", "/new", "/new/spool", "/new/spool/segments"):
        assert _position(calls[:folder_synced], rf"fsync\(\d+<{re.escape(str(tmp_path))}{folder}>\)\s+= 0")


@needs_strace
def test_longer_entry_is_synchronised_before_its_record(tmp_path: Path) -> None:
    """What leaves as it comes is written whole, its head last, and synchronised, before the record says that it is."""
    output, calls = traced(_seal(2_500_000), tmp_path)
    assert output == "sealed"
    segment = r"\(\d+<[^>]*\.segment>"
    chunks = [
        _position(calls, rf"pwritev2{segment}, .*, 2, 4096, 0\)\s+= 2494464"),
        _position(calls, rf'pwrite64{segment}, "1.*, 4096, 2498560\)'),
    ]
    head = _position(calls, rf'pwrite64{segment}, "MPACSEG2.*, 4096, 0\)')
    synced = _position(calls, rf"fdatasync{segment}\)\s+= 0")
    entered = _position(calls, r"pwrite64\(\d+<[^>]*\.register>, .*, 48, 24\)")
    assert [*chunks, head, synced, entered] == sorted([*chunks, head, synced, entered])


@needs_strace
def test_no_segment_is_written_again_before_its_new_generation_is_on_the_disk(tmp_path: Path) -> None:
    """What voids the entries of before is synchronised before the first byte that may destroy one is written."""
    script = _seal(4_000_000, 1).replace(
        "        Path(",
        "        for _ in range(8): spool.remove(spool.sealed(1)); sealed(spool, content * 4_000_000)\n        Path(",
        1,
    )
    output, calls = traced(script, tmp_path)
    assert output == "sealed"
    segment, register = r"\(\d+<[^>]*\.segment>", r"\(\d+<[^>]*\.register>"
    first_place = re.compile(rf'pwritev2{segment}, .*"1.*, 2, 4096, 0\)\s+=')
    again = [number for number, call in enumerate(calls) if first_place.search(call)]
    assert len(again) == 2, "the segment was full once"
    begun = _position(calls[: again[1]], rf'pwrite64{register}, "MPACREG1')
    assert again[0] < begun < _position(calls[: again[1]], rf"fdatasync{register}\)\s+= 0")


@needs_strace
def test_file_and_names_are_synchronised_before_seal_returns(tmp_path: Path) -> None:
    """A large instance: its file's bytes, its name in `sealed`, and before them each new folder's name."""
    output, calls = traced(_seal(LARGE), tmp_path)
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
@pytest.mark.parametrize(("size", "written"), [(SMALL, 3), (LARGE, 2)])
def test_files_and_names_are_synchronised_before_place_returns(tmp_path: Path, size: int, written: int) -> None:
    """New files' bytes, then every touched study folder's names are synchronised, and new folders in their parents."""
    _, calls = traced(PLACE.replace("SIZE", f"{size}"), tmp_path)
    start, end = _position(calls, r'"/placing"'), _position(calls, r'"/placed"')
    during = calls[start:end]
    synced = {number for number, call in enumerate(during) if re.search(r"sync\(\d+<[^>]*\.part>\)\s+= 0", call)}
    renamed = {number for number, call in enumerate(during) if re.search(r"rename\w*\(.*/archive/incoming/", call)}
    assert (len(synced), len(renamed)) == (written, written)
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
    ("size", "call", "number", "error", "outcome"),
    [
        (SMALL, "pwritev2", 2, "EIO", "SpoolFailedError"),  # the entry
        (SMALL, "pwritev2", 2, "ENOSPC", "SpoolFullError"),
        (SMALL, "pwritev2", 2, "EDQUOT", "SpoolFullError"),
        (SMALL, "pwrite64", 5, "EIO", "SpoolFailedError"),  # its record
        (CHUNKED, "pwritev2", 2, "EIO", "SpoolFailedError"),  # what leaves as it comes
        (CHUNKED, "pwritev2", 2, "ENOSPC", "SpoolFullError"),
        (CHUNKED, "pwrite64", 7, "EIO", "SpoolFailedError"),  # what is left
        (CHUNKED, "pwrite64", 8, "ENOSPC", "SpoolFullError"),  # the head
        (CHUNKED, "fdatasync", 3, "EIO", "SpoolFailedError"),
        (CHUNKED, "fdatasync", 3, "ENOSPC", "SpoolFullError"),
        (SMALL, "fdatasync", 1, "EIO", "SpoolFailedError"),  # the first generation
        (SMALL, "fsync", -1, "EIO", "SpoolFailedError"),  # the new segment's name
        (LARGE, "fdatasync", 2, "EIO", "SpoolFailedError"),
        (LARGE, "fdatasync", 2, "ENOSPC", "SpoolFullError"),
        (LARGE, "fsync", -1, "EIO", "SpoolFailedError"),
        (LARGE, "rename", 2, "EIO", "SpoolFailedError"),
    ],
)
def test_failing_disk_is_never_success(
    tmp_path: Path, size: int, call: str, number: int, error: str, outcome: str
) -> None:
    """When a write, a synchronisation or the naming fails, seal raises; the other two of three are there and whole."""
    if number < 0:  # the last of an undisturbed run
        (tmp_path / "first").mkdir()
        _, calls = traced(_seal(size, 3), tmp_path / "first", f"--trace={call}")
        number = len(calls)
    output, _ = traced(_seal(size, 3), tmp_path, f"--inject={call}:error={error}:when={number}")
    outcomes = output.split()
    assert sorted(outcomes) == sorted([outcome, "sealed", "sealed"])
    spool = Spool(tmp_path / "new" / "spool")
    contents = [content * size for content, said in zip((b"1", b"2", b"3"), outcomes, strict=True) if said == "sealed"]
    assert [spool.read(arrival).data_set(0, LARGE) for arrival in spool.sealed(10)] == contents
    assert spool.sweep() == 0
    assert (len(spool.sealed(10)), spool.backlog().unreadable) == (2, 0)
    paths = {spool.read(arrival).path for arrival in spool.sealed(10)}
    is_not_made = size == SMALL and (call, number) in (("fsync", number), ("fdatasync", 1))
    assert len(paths) == (1 if is_not_made else 2), "what failed is not written again"
    assert list((tmp_path / "new" / "spool" / "incoming").iterdir()) == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 16 MB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = shutil.which("mount") and subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(disk)], capture_output=True, text=True, check=False
    )
    if not mounted or mounted.returncode:
        pytest.skip(f"cannot mount a small file system: {mounted.stderr.strip() if mounted else 'there is no mount'}")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.parametrize("size", [3_900_000, 2 * LARGE])
def test_full_disk_is_said_and_recovers(small_disk: Path, size: int) -> None:
    """On a full disk the instance is refused as such and leaves nothing; when there is room again it is taken."""
    spool = Spool(small_disk)
    kept = sealed(spool, b"x" * 1_000_000)
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(shutil.disk_usage(small_disk).free - 3_000_000))
    for _ in range(3):
        with pytest.raises(SpoolFullError):
            _fill(spool, size)
        assert list((small_disk / "incoming").iterdir()) == []
        assert spool.sealed(10) == [kept.arrival]
    assert shutil.disk_usage(small_disk).free <= 3_000_000
    assert len(list(small_disk.rglob("*.segment"))) <= 2
    ballast.unlink()
    taken = sealed(spool, b"y" * size)
    assert [spool.read(each).data_set(0, size) for each in spool.sealed(10)] == [b"x" * 1_000_000, b"y" * size]
    assert spool.sealed(10) == [kept.arrival, taken.arrival]
    spool.close()


def _fill(spool: Spool, size: int) -> None:
    with spool.open(Identity(CT, "1.2", IMPLICIT), origin()) as incoming:
        for start in range(0, size, 100_000):
            incoming.write(b"x" * min(100_000, size - start))
        incoming.seal()


def test_full_disk_takes_what_is_written_over(small_disk: Path) -> None:
    """A segment that has its size already needs no more space: a full disk goes on with it while filing keeps up."""
    spool = Spool(small_disk)
    for _ in range(3):
        spool.remove([sealed(spool, bytes(3_000_000)).arrival])
    (segment,) = small_disk.rglob("*.segment")
    spool.close()
    spool = Spool(small_disk)
    (small_disk / "ballast").write_bytes(bytes(shutil.disk_usage(small_disk).free))
    assert shutil.disk_usage(small_disk).free == 0
    for number in range(3):
        entry = sealed(spool, bytes((number,)) * 2_990_000)
        assert entry.path == segment
    assert len(spool.sealed(10)) == 3
    spool.close()


def test_what_is_filed_gives_its_room_back(small_disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A spool that its own backlog has filled takes instances again as soon as that is filed; what waits stays."""
    monkeypatch.setattr(spool_module, "_SPACE_IS_FRESH", 0.0)
    with closing(Spool(small_disk, free_space=2_000_000)) as spool:
        arrivals = [sealed(spool, bytes(1_000_000)).arrival for _ in range(15)]
        with pytest.raises(SpoolFullError):
            sealed(spool, b"1")
        spool.remove(arrivals[:-1])
        with pytest.raises(SpoolFullError):
            sealed(spool, b"1")
        assert spool.read(arrivals[-1]).size == 1_000_000
        spool.remove(arrivals[-1:])
        taken = sealed(spool, bytes(1_000_000)).arrival
        assert spool.sealed(10) == [taken]


def test_read_only_disk_is_never_success(small_disk: Path) -> None:
    """When the disk turns read-only, nothing is acknowledged."""
    spool = Spool(small_disk)
    spool._names_to_come.close()  # else the disk cannot be turned
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    for _ in range(2):
        with pytest.raises(SpoolFailedError):
            spool.open(Identity(CT, "1.2", IMPLICIT), origin())
    assert spool.sweep() == 0
    spool.close()
