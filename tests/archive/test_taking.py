"""The filing side of the segments: all that waits is found, by one reader, in order, whatever is damaged between."""

import errno
import multiprocessing
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from archive import EntryUnreadableError, Identity, Spool, reading, segment, writing
from archive.segment import HEAD_BYTES, LARGEST_BYTES
from tests.support.arrivals import CT, IMPLICIT, origin, overwrite, sealed


def test_long_backlog_needs_few_files_and_little_memory(tmp_path: Path) -> None:
    """10,000 entries in 40 segments are listed in order and counted by a process that may open 24 files."""
    script = (
        "import os, resource, sys; from pathlib import Path; from archive import Spool, segment\n"
        "os.fdatasync = lambda _: None\n"
        "from tests.support.arrivals import sealed\n"
        "segment.SEGMENT_BYTES = segment.LARGEST_BYTES + (1 << 20)\n"
        "spool = Spool(Path(sys.argv[1]))\n"
        "arrivals = [sealed(spool, b'1').arrival for _ in range(10)]; spool.close(); spool = Spool(Path(sys.argv[1]))\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (24, 24))\n"
        "from tests.support.arrivals import CT, IMPLICIT, origin; from archive import Identity\n"
        "for number in range(9_990):\n"
        "    with spool.open(Identity(CT, f'1.{number}', IMPLICIT), origin()) as incoming:\n"
        "        incoming.write(b'x' * (number % 100)); arrivals.append(incoming.seal())\n"
        "print(len(list(Path(sys.argv[1]).rglob('*.segment'))))\n"
        "reader = Spool(Path(sys.argv[1]))\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "assert (reader.backlog().count, reader.sealed(8)) == (10_000, arrivals[:8])\n"
        "while found := reader.sealed(8):\n"
        "    assert found == arrivals[:8]\n"
        "    for each in found: reader.read(each)\n"
        "    reader.remove(found); arrivals = arrivals[8:]\n"
        "assert (reader.backlog().count, arrivals) == (0, [])\n"
        "print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path)]
    done = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    segments, megabytes = map(int, done.stdout.split())
    assert segments >= 35
    assert megabytes < 24


DAMAGES = (
    "content",
    "head",
    "first head",
    "last head",
    "unreadable content",
    "unreadable head",
    "unreadable first head",
    "unreadable last head",
)


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_stops_no_other(spool: Spool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: str) -> None:
    """One entry the disk does not give back is counted, and kept; those before and behind it are filed."""
    found = [sealed(spool, f"{number}".encode() * 3000) for number in range(5)]
    bad = found[0 if "first" in damage else 4 if "last" in damage else 2]
    head = bad.data_set_offset - HEAD_BYTES
    if damage.startswith("unreadable"):
        _unreadable(monkeypatch, bad.path, bad.data_set_offset if damage == "unreadable content" else head)
    else:
        with bad.path.open("r+b") as file:
            file.seek(bad.data_set_offset + 5 if damage == "content" else head + 60)
            file.write(b"\xff\xff")
    for reader in (spool, Spool(tmp_path / "spool")):
        for arrival in reader.sealed(10):
            try:
                reader.read(arrival)
            except EntryUnreadableError:
                reader.set_aside(arrival)
        assert reader.sealed(10) == [entry.arrival for entry in found if entry is not bad]
        assert (reader.backlog().count, reader.backlog().unreadable) == (4, 1)
    spool.remove(spool.sealed(10))
    spool.close()
    again = Spool(tmp_path / "spool")
    again.sweep()
    for _ in range(12):
        again.remove([sealed(again, bytes(LARGEST_BYTES)).arrival])
    content = bad.path.read_bytes()[bad.data_set_offset :][: bad.size]
    assert content[100:] == bad.content[100:], "the bytes are still there for a person"
    assert again.backlog().unreadable == 1


def test_set_aside_is_readmitted_when_it_is_whole_again(spool: Spool, tmp_path: Path) -> None:
    """Of two entries set aside, the one that can be read again waits once more, in its place, after a restart too."""
    found = [sealed(spool, os.urandom(5000)) for _ in range(4)]
    for entry in found[1:3]:
        overwrite(entry.path, entry.data_set_offset, b"\xff" * 10)
        with pytest.raises(EntryUnreadableError):
            spool.read(entry.arrival)
        spool.set_aside(entry.arrival)
    assert (spool.backlog().count, spool.backlog().unreadable) == (2, 2)
    overwrite(found[1].path, found[1].data_set_offset, found[1].data_set(0, 10))
    again = Spool(tmp_path / "spool")
    assert again.backlog().unreadable == 2
    assert (again.readmit(), again.readmit()) == (1, 0)
    assert again.sealed(10) == [found[number].arrival for number in (0, 1, 3)]
    assert (again.backlog().count, again.backlog().unreadable) == (3, 1)
    assert again.read(found[1].arrival).content == found[1].content


def _write_many(folder: str, writer: int, count: int) -> list[tuple[str, bytes]]:
    """In three threads, each to what it was told: arrival and content of all that was acknowledged."""
    spool = Spool(Path(folder))
    spool.sweep()
    found: list[tuple[str, bytes]] = []

    def write(thread: int) -> None:
        for number in range(count):
            content = f"{writer} {thread} {number} ".encode() * 50
            with spool.open(Identity(CT, f"1.{writer}.{thread}.{number}", IMPLICIT), origin()) as under_way:
                under_way.write(content)
                found.append((under_way.seal(), content))

    threads = [threading.Thread(target=write, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    spool.close()
    return found


def test_many_writers_and_one_taker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three processes of three threads write while another files: each entry comes once, whole, and none is left."""
    taken: dict[str, bytes | None] = {}
    reader = Spool(tmp_path)
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        writing_now = pool.starmap_async(_write_many, [(str(tmp_path), number, 60) for number in range(3)])
        while not writing_now.ready() or reader.backlog().count:
            for arrival in reader.sealed(16):
                assert arrival not in taken
                taken[arrival] = reader.read(arrival).content
                reader.remove([arrival])
        runs = writing_now.get()
    assert taken == {arrival: content for run in runs for arrival, content in run}
    assert len(taken) == 540
    assert (reader.backlog().count, reader.backlog().unreadable) == (0, 0)
    assert Spool(tmp_path).backlog().count == 0


def _unreadable(monkeypatch: pytest.MonkeyPatch, path: Path, place: int) -> None:
    """Reading anything that includes this byte of the file is an I/O error."""
    read_at, number = segment.read_at, path.stat().st_ino

    def failing(file: Any, size: int, offset: int) -> bytes:
        if offset <= place < offset + size and os.fstat(file.fileno()).st_ino == number:
            raise OSError(errno.EIO, "Input/output error")
        return read_at(file, size, offset)

    for module in (segment, reading, writing):
        monkeypatch.setattr(module, "read_at", failing)


def test_order_holds_while_scanners_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One scanner's next instance is never given before the one before, sealed where was looked just before that."""
    writers: dict[Path, Spool] = {}
    for _ in range(2):
        spool = Spool(tmp_path)
        sealed(spool, b"1")
        (new,) = set(tmp_path.rglob("*.segment")) - writers.keys()
        writers[new] = spool
    reader = Spool(tmp_path)
    reader.remove(reader.sealed(8))
    late: list[str] = []
    look = reading.Reading.look

    def looked_at(each: reading.Reading) -> None:
        look(each)
        monkeypatch.setattr(reading.Reading, "look", look)
        other = next(spool for path, spool in writers.items() if path != each.path)
        for spool in (
            writers[each.path],
            other,
        ):  # one more in this segment, which was looked at, then one in the other
            with spool.open(Identity(CT, "1.9", IMPLICIT), origin()) as incoming:
                incoming.write(b"x")
                late.append(incoming.seal())

    monkeypatch.setattr(reading.Reading, "look", looked_at)
    assert reader.sealed(8) == late
