"""What is sealed is safe, complete and in order; what is not sealed is gone."""

import hashlib
import json
import multiprocessing
import os
import re
import shutil
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pydicom
import pytest

from archive import EntryUnreadableError, Identity, NotKeptError, Origin, Spool, SpoolFailedError, SpoolFullError
from archive.segment import LARGEST_BYTES
from tests.support.arrivals import CT, IMPLICIT, LARGE, RECEIVED_AT, origin, sealed

NOON = 1_800_000_000_000_000_000  # nanoseconds


def test_sealed_entry_is_read_from_its_file_alone(
    spool: Spool, tmp_path: Path, sized: Callable[[bytes], bytes]
) -> None:
    """Identity, origin, digest and data set come back from a mere copy of the spool's folder in another place."""
    content = sized(os.urandom(100_001))
    entry = sealed(spool, content, "1.2.840.99")
    shutil.copytree(tmp_path / "spool", tmp_path / "elsewhere")
    elsewhere = Spool(tmp_path / "elsewhere")
    again = elsewhere.read(elsewhere.sealed(1)[0])
    assert again.identity == Identity(CT, "1.2.840.99", IMPLICIT)
    assert again.origin == origin()
    assert (again.digest, again.size) == (hashlib.sha256(content).hexdigest(), len(content))
    assert again.path.is_relative_to(tmp_path / "elsewhere")
    assert again.path.read_bytes()[again.data_set_offset :][: again.size] == content
    assert (again.data_set(0, 10), again.data_set(5, 3)) == (content[:10], content[5:8])
    assert again.data_set(len(content) - 3, 10) == content[-3:]
    assert entry.arrival == again.arrival


@pytest.mark.parametrize("size", [LARGEST_BYTES - 1, LARGEST_BYTES, LARGEST_BYTES + 1])
@pytest.mark.parametrize("fragment", [1 << 16, 1 << 30])
def test_only_what_is_large_has_a_file_of_its_own(spool: Spool, tmp_path: Path, size: int, fragment: int) -> None:
    """Up to 4 MB are kept in a segment, more in a Part 10 file, whole in both cases and in whatever fragments."""
    content = os.urandom(size)
    with spool.open(Identity(CT, "1.2", IMPLICIT), origin()) as incoming:
        for start in range(0, size, fragment):
            incoming.write(content[start : start + fragment])
            assert incoming.size == min(size, start + fragment)
        entry = spool.read(incoming.seal())
    own_files = list((tmp_path / "spool" / "sealed").iterdir())
    assert (entry.path in own_files, len(own_files)) == (size > LARGEST_BYTES, int(size > LARGEST_BYTES))
    assert (entry.data_set(0, size + 1), entry.digest) == (content, hashlib.sha256(content).hexdigest())
    assert (spool.sealed(10), spool.backlog().count) == ([entry.arrival], 1)


def test_file_is_part_10(spool: Spool) -> None:
    """Another reader takes a file of its own for what it is: a DICOM file with meta information."""
    entry = sealed(spool, b"\x08\x00\x60\x00\x02\x00\x00\x00CT".ljust(18) + bytes(LARGE))
    read = pydicom.dcmread(entry.path, stop_before_pixels=True, specific_tags=["Modality"])
    assert (read.Modality, read.file_meta.MediaStorageSOPInstanceUID) == ("CT", "1.2.3.4")
    assert read.file_meta.FileMetaInformationGroupLength == entry.data_set_offset - 144
    stamp = json.loads(read.file_meta.PrivateInformation)
    assert (stamp["arrival"], stamp["source"], stamp["size"]) == (entry.arrival, "scanner", 18 + LARGE)


def test_fragments_are_kept_in_order(spool: Spool) -> None:
    """Any division into fragments gives the same bytes and digest; none at all gives an empty data set."""
    with spool.open(Identity(CT, "1.2", IMPLICIT), origin()) as incoming:
        for fragment in (b"abc", bytearray(b"de"), memoryview(b"xfgx")[1:3], b""):
            incoming.write(fragment)
        entry = spool.read(incoming.seal())
    assert (entry.data_set(0, 100), entry.digest) == (b"abcdefg", hashlib.sha256(b"abcdefg").hexdigest())
    with spool.open(Identity(CT, "1.2", IMPLICIT), origin()) as incoming:
        assert spool.read(incoming.seal()).size == 0


@pytest.mark.parametrize("hostile", ["../../x", "/etc/passwd", "a\0b", "x" * 300, "ü\n", ""])
def test_received_values_stay_out_of_names(
    spool: Spool, tmp_path: Path, hostile: str, sized: Callable[[bytes], bytes]
) -> None:
    """Whatever the UIDs, AE titles and host are, the file's name is ours, and they come back as they were."""
    came_from = Origin(hostile, hostile, hostile, hostile, RECEIVED_AT)
    with spool.open(Identity(CT, hostile, IMPLICIT), came_from) as incoming:
        incoming.write(sized(b"12"))
        entry = spool.read(incoming.seal())
    assert entry.origin == came_from
    assert entry.identity.sop_instance_uid == hostile
    names = {path.relative_to(tmp_path / "spool").as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    ours = re.compile(rf"last-arrival|sealed/{entry.arrival}\.dcm|segments/0/(lock|[0-9a-f]{{32}}\.(segment|register))")
    assert all(ours.fullmatch(name) for name in names)
    assert len(names) == (5 if entry.content is None else 4)


def test_unsealed_leaves_nothing(spool: Spool, tmp_path: Path, sized: Callable[[bytes], bytes]) -> None:
    """An instance that is discarded, or whose `with` ends early, leaves no file and is not among the sealed."""
    incoming = spool.open(Identity(CT, "1.2", IMPLICIT), origin())
    incoming.write(sized(b"12"))
    incoming.discard()
    incoming.discard()
    with spool.open(Identity(CT, "1.2", IMPLICIT), origin()) as incoming:
        incoming.write(sized(b"12"))
    assert (spool.sealed(10), spool.backlog().count) == ([], 0)
    assert list((tmp_path / "spool" / "incoming").iterdir()) == []
    with pytest.raises((SpoolFailedError, ValueError)):
        incoming.seal()
    assert spool.sealed(10) == []


def test_sealed_is_oldest_first_until_removed(spool: Spool) -> None:
    """Entries are listed in the order in which they were sealed, and go when they are removed; twice is harmless."""
    arrivals = [sealed(spool, b"1".ljust(size)).arrival for size in (1, 1, LARGE, 1, 1, 1, LARGE, LARGE, 1, 1, 1, 1)]
    assert spool.sealed(5) == arrivals[:5]
    spool.remove(arrivals[:3])
    spool.remove(arrivals[:3])
    assert spool.sealed(100) == arrivals[3:]
    assert spool.backlog().count == 9


def test_backlog(spool: Spool) -> None:
    """The backlog tells how many wait and when the first of them was received."""
    assert (spool.backlog().count, spool.backlog().oldest) == (0, None)
    sealed(spool, b"1")
    sealed(spool, b"1", received_at=RECEIVED_AT + timedelta(hours=1))
    assert (spool.backlog().count, spool.backlog().oldest) == (2, RECEIVED_AT)


def test_names_increase_when_the_clock_steps_back(tmp_path: Path) -> None:
    """Arrivals sort in order of arrival though the clock goes back a year, stands still, and the spool is reopened."""
    clock = [NOON]
    first = Spool(tmp_path, clock=lambda: clock[0])
    names = [sealed(first, b"1").arrival for _ in range(3)]
    clock[0] -= 365 * 86_400 * 1_000_000_000
    names += [sealed(first, b"1").arrival for _ in range(3)]
    first.close()
    second = Spool(tmp_path, clock=lambda: clock[0])
    names += [sealed(second, b"1").arrival for _ in range(3)]
    second.close()
    (tmp_path / "last-arrival").write_bytes(b"torn by a cut")
    third = Spool(tmp_path, clock=lambda: clock[0])
    names += [sealed(third, b"1").arrival for _ in range(3)]
    assert names == sorted(names)
    assert len({name[:16] for name in names}) == len(names)


@pytest.mark.parametrize("counter", [b"", b"f" * 16, b"-000000000000001", b"\xff" * 16])
def test_what_is_not_ours_stops_nothing(tmp_path: Path, counter: bytes) -> None:
    """Foreign files as long as our names, names of another age and a spoilt counter: they stay, and all goes on."""
    sealed(Spool(tmp_path), b"1")
    (tmp_path / "last-arrival").write_bytes(counter)
    foreign = [tmp_path / "sealed" / name for name in ("x" * 28, f"{'z' * 24}.dcm", f"{'f' * 24}.dcm", "Thumbs.db")]
    for path in foreign:
        path.write_bytes(b"not ours")
    spool = Spool(tmp_path)
    second = sealed(spool, b"2")
    assert [spool.read(arrival).size for arrival in spool.sealed(10)] == [1, 1]
    assert (spool.sealed(10)[1], spool.backlog().count) == (second.arrival, 2)
    assert all(path.read_bytes() == b"not ours" for path in foreign)


def _names_of_a_process(folder: str, count: int) -> list[str]:
    spool = Spool(Path(folder), clock=lambda: NOON)
    return [sealed(spool, b"1").arrival for _ in range(count)]


def test_names_increase_over_processes_and_threads(tmp_path: Path) -> None:
    """Three processes of one spool whose clocks stand still never give out one number twice, each in rising order."""
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        runs = pool.starmap(_names_of_a_process, [(str(tmp_path), 40)] * 3)
    spool = Spool(tmp_path, clock=lambda: NOON)
    gathered: list[str] = []
    threads = [threading.Thread(target=lambda: gathered.append(sealed(spool, b"1").arrival)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    every = [name for run in runs for name in run]
    assert all(run == sorted(run) for run in runs)
    assert min(gathered) > max(every)
    assert len({name[:16] for name in every + gathered}) == 128


def test_sweep_drops_the_dead_and_spares_the_living(tmp_path: Path, sized: Callable[[bytes], bytes]) -> None:
    """At start-up what a killed process did not seal goes; what is still being received stays and can be sealed."""
    script = (
        "import os, sys; from pathlib import Path; from archive import Spool, Identity\n"
        "from tests.support.arrivals import origin\n"
        "incoming = Spool(Path(sys.argv[1])).open(Identity('1', '2', '3'), origin())\n"
        "incoming.write(bytes(int(sys.argv[2])))\n"
        "os._exit(9)"
    )
    content = sized(b"12")
    command = [sys.executable, "-c", script, str(tmp_path), str(len(content))]
    subprocess.run(command, check=False, cwd=Path(__file__).parents[2])
    own_files = int(len(content) == LARGE)
    spool = Spool(tmp_path)
    living = spool.open(Identity(CT, "1.2", IMPLICIT), origin())
    living.write(content)
    assert len(list((tmp_path / "incoming").iterdir())) == 2 * own_files
    other = Spool(tmp_path)
    assert other.sweep() == own_files
    assert other.sealed(10) == []
    arrival = living.seal()
    assert other.sealed(10) == [arrival]
    assert other.read(arrival).data_set(0, LARGE) == content


def test_short_disk_is_refused_at_the_door(tmp_path: Path) -> None:
    """When less than the asked space is free, no instance is let in."""
    spool = Spool(tmp_path, free_space=1 << 60)
    with pytest.raises(SpoolFullError):
        spool.open(Identity(CT, "1.2", IMPLICIT), origin())


def test_vanished_folder_is_never_success(spool: Spool, tmp_path: Path) -> None:
    """If the disk goes away under an instance, sealing it fails; nothing is acknowledged."""
    incoming = spool.open(Identity(CT, "1.2", IMPLICIT), origin())
    incoming.write(bytes(LARGE))
    (tmp_path / "spool" / "sealed").rename(tmp_path / "gone")
    with pytest.raises(SpoolFailedError):
        incoming.seal()
    assert list((tmp_path / "gone").iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="Windows deletes no open file")
def test_deleted_segment_is_never_success(spool: Spool, tmp_path: Path) -> None:
    """If somebody deletes the segments, what is being written into one is not acknowledged, nor what comes later."""
    sealed(spool, b"1")
    incoming = spool.open(Identity(CT, "1.2", IMPLICIT), origin())
    incoming.write(b"12")
    shutil.rmtree(tmp_path / "spool" / "segments")
    with pytest.raises(SpoolFailedError):
        incoming.seal()
    for _ in range(3):
        with pytest.raises(SpoolFailedError):
            sealed(spool, b"1")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows moves no folder with open files")
def test_segment_that_is_elsewhere_is_never_success(spool: Spool, tmp_path: Path) -> None:
    """If the disk is taken from its place, what is written to it all the same is not acknowledged, until it is back."""
    before = sealed(spool, b"1").arrival
    place, elsewhere = tmp_path / "spool" / "segments", tmp_path / "elsewhere"
    place.rename(elsewhere)
    place.mkdir()
    for _ in range(2):
        with pytest.raises(SpoolFailedError):
            sealed(spool, b"2")
    place.rmdir()
    elsewhere.rename(place)
    after = sealed(spool, b"3").arrival
    assert spool.sealed(10) == [before, after]


@pytest.mark.parametrize("name", ["", "../x", "0" * 23, "0" * 23 + "G", "0" * 24])
def test_unknown_arrival_is_an_error(spool: Spool, name: str) -> None:
    """A name that is not one of ours never becomes a path; one of ours without a file cannot be read."""
    with pytest.raises((NotKeptError, EntryUnreadableError)):
        spool.read(name)


@pytest.mark.parametrize("damage", ["cut", "longer", "head", "empty", "other"])
def test_damaged_file_is_noticed_and_set_aside(spool: Spool, tmp_path: Path, damage: str) -> None:
    """A sealed file that was cut, lengthened, overwritten or exchanged is not taken for an entry, and is kept apart."""
    entry = sealed(spool, bytes(LARGE))
    content = entry.path.read_bytes()
    damaged = {
        "cut": content[:-1],
        "longer": content + b"x",
        "head": content[:200] + b"\xff" * 40 + content[240:],
        "empty": b"",
        "other": sealed(spool, bytes(LARGE + 1)).path.read_bytes(),
    }[damage]
    entry.path.write_bytes(damaged)
    with pytest.raises(EntryUnreadableError):
        spool.read(entry.arrival)
    spool.set_aside(entry.arrival)
    assert entry.arrival not in spool.sealed(10)
    assert (tmp_path / "spool" / "unreadable" / entry.path.name).read_bytes() == damaged


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such modes")
def test_modes(tmp_path: Path, sized: Callable[[bytes], bytes]) -> None:
    """Files are 0640 and folders 0750 under the usual umask."""
    before = os.umask(0o022)
    try:
        sealed(Spool(tmp_path / "a" / "spool"), sized(b"1"))
    finally:
        os.umask(before)
    every = [tmp_path / "a", *(tmp_path / "a").rglob("*")]
    assert {stat.S_IMODE(path.stat().st_mode) for path in every if path.is_file()} == {0o640}
    assert {stat.S_IMODE(path.stat().st_mode) for path in every if path.is_dir()} == {0o750}
