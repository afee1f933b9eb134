"""The spool's segments: written over and over, and yet nothing acknowledged is lost, doubled, invented or reordered."""

import errno
import os
from itertools import pairwise
from pathlib import Path

import pytest

from archive import (
    Identity,
    Incoming,
    Spool,
    SpoolFailedError,
    SpoolFullError,
    incoming,
    register,
    segment,
    segments,
    writing,
)
from archive.rawfile import Opened
from archive.register import register_of
from archive.segment import HEAD_BYTES, LARGEST_BYTES, SEGMENT_BYTES, about, after, encode
from tests.support.arrivals import CT, IMPLICIT, LARGE, origin, overwrite, sealed

ARRIVAL = "0" * 24


def _head() -> bytes:
    return encode(b"g" * 16, ARRIVAL, about(Identity(CT, "1.2", IMPLICIT), origin()), 0, 0)


def test_entries_share_no_block(spool: Spool) -> None:
    """What is written later starts in a block of the disk of its own, whatever the sizes."""
    found = [sealed(spool, b"x" * size) for size in (0, 1, 2047, 2048, 2049, 4096, 100_000)]
    assert len({entry.path for entry in found}) == 1
    for one, other in pairwise(found):
        end, start = one.data_set_offset + one.size, other.data_set_offset - HEAD_BYTES
        assert start % 4096 == 0
        assert end <= start == after(one.data_set_offset - HEAD_BYTES, one.size)


def test_segment_is_written_over_when_all_in_it_is_filed(spool: Spool, tmp_path: Path) -> None:
    """While filing keeps up a few files of 32 MB are all there is, however much goes through."""
    for _ in range(40):
        entry = sealed(spool, os.urandom(LARGEST_BYTES))
        assert spool.sealed(10) == [entry.arrival]
        spool.remove([entry.arrival])
    assert [path.stat().st_size <= SEGMENT_BYTES for path in _segments(tmp_path)] == [True]


def test_what_waits_is_never_written_over(spool: Spool, tmp_path: Path) -> None:
    """Whatever is filed around them, entries that wait stay whole."""
    kept = {}
    for number in range(40):
        entry = sealed(spool, os.urandom(3_000_000))
        if number % 13:
            spool.remove([entry.arrival])
        else:
            kept[entry.arrival] = entry.content
    assert spool.sealed(100) == list(kept)
    assert {arrival: spool.read(arrival).content for arrival in kept} == kept


def test_surplus_of_a_long_backlog_goes(spool: Spool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A backlog has as many segments as it needs; when it is filed, few are left, also after a restart."""
    monkeypatch.setattr(segment, "SEGMENT_BYTES", 2 * LARGEST_BYTES)
    arrivals = [sealed(spool, bytes(2_000_000)).arrival for _ in range(60)]
    assert len(_segments(tmp_path)) >= 20
    assert spool.sealed(100) == arrivals
    spool.remove(arrivals[:30])
    spool.close()
    again = Spool(tmp_path / "spool")
    again.sweep()
    assert again.sealed(100) == arrivals[30:]
    again.remove(arrivals[30:])
    for _ in range(40):
        again.remove([sealed(again, b"1").arrival])
    assert len(_segments(tmp_path)) <= segments._KEPT + 1
    again.close()


def test_one_that_is_set_aside_does_not_fill_the_disk(spool: Spool, tmp_path: Path) -> None:
    """A segment that must be kept for a person is passed over; the others are written over as before."""
    aside = sealed(spool, b"1")
    spool.set_aside(aside.arrival)
    for _ in range(60):
        spool.remove([sealed(spool, bytes(LARGEST_BYTES)).arrival])
    assert len(_segments(tmp_path)) <= segments._KEPT + 2
    assert aside.path in _segments(tmp_path)


@pytest.mark.parametrize("error", [errno.EIO, errno.ENOSPC])
@pytest.mark.parametrize("step", ["chunk", "entry", "first block", "sync", "record"])
def test_segment_that_failed_is_not_used_again(
    spool: Spool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, error: int
) -> None:
    """After an error nothing is acknowledged, what was sealed before stays, and the segment goes when that is filed."""
    before = sealed(spool, b"before")
    content = b"12" if step in ("entry", "record") else bytes(writing._CHUNK_BYTES + 5000)
    module, name = (register if step == "record" else incoming, "write_at")
    name = {"chunk": "write_parts_at", "entry": "write_durably", "sync": "sync_file"}.get(step, name)
    real, calls = getattr(module, name), 0

    def fail(*arguments: object) -> None:
        nonlocal calls
        calls += 1
        if calls == (2 if step == "first block" else 1):
            raise OSError(error, "broken")
        real(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(module, name, fail)
        under_way = spool.open(Identity(CT, "1.2", IMPLICIT), origin())
        with pytest.raises(SpoolFullError if error == errno.ENOSPC else SpoolFailedError):
            _receive(under_way, content)
    with pytest.raises(SpoolFailedError):
        under_way.seal()
    after_it = sealed(spool, b"after")
    assert after_it.path != before.path
    assert spool.sealed(10) == [before.arrival, after_it.arrival]
    assert [spool.read(arrival).content for arrival in spool.sealed(10)] == [b"before", b"after"]
    spool.remove([before.arrival])
    for _ in range(20):
        spool.remove([sealed(spool, bytes(LARGEST_BYTES)).arrival])
    assert before.path not in _segments(tmp_path)


@pytest.mark.skipif(not hasattr(os, "posix_fadvise"), reason="this system takes no advice")
def test_a_file_system_that_takes_no_advice_keeps_long_instances(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beginning to write early is a favour that is asked for: where it is refused, nothing else is."""
    asked = []

    def refuse(*arguments: int) -> None:
        asked.append(arguments)
        raise OSError(errno.EOPNOTSUPP, "not here")

    monkeypatch.setattr(os, "posix_fadvise", refuse)
    content = bytes(range(256)) * (writing._CHUNK_BYTES // 100)
    assert spool.read(sealed(spool, content).arrival).content == content
    assert asked


def _receive(under_way: Incoming, content: bytes) -> None:
    under_way.write(content)
    under_way.seal()


@pytest.mark.parametrize("left", ["whole", "data", "head", "check"])
@pytest.mark.parametrize("lost", ["last record", "all records", "register"])
def test_written_and_not_registered(tmp_path: Path, left: str, lost: str) -> None:
    """What a process left without its record is adopted if it is whole, else dropped; when that process is gone."""
    spool = Spool(tmp_path / "spool")
    first, last = sealed(spool, b"1" * 3000), sealed(spool, b"2" * 3000)
    records = register_of(first.path).read_bytes()
    kept = {"last record": len(records) - 48, "all records": 24, "register": 0}[lost]
    register_of(first.path).write_bytes(records[:kept])
    if left != "whole":
        place = {"data": last.data_set_offset + 2900, "head": 60, "check": 12}[left]
        place += 0 if left == "data" else last.data_set_offset - HEAD_BYTES
        overwrite(last.path, place, b"\xff" * 8)
    other = Spool(tmp_path / "spool")
    other.sweep()
    found = [first.arrival] if lost == "last record" else []
    assert other.sealed(10) == found, "its process lives and may still be writing it"
    spool.close()
    other.close()
    other = Spool(tmp_path / "spool")
    other.sweep()
    assert other.sealed(10) == [first.arrival, last.arrival][: 2 if left == "whole" else 1]
    later = sealed(other, b"3")
    assert later.arrival > last.arrival
    assert other.sealed(10)[-1] == later.arrival
    assert other.backlog().unreadable == 0


@pytest.mark.parametrize("lost", ["last record", "all records"])
def test_written_not_registered_and_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lost: str) -> None:
    """Where the disk does not give back what may be an entry, nothing is written over it: a later start finds it."""
    spool = Spool(tmp_path / "spool")
    first, last = sealed(spool, b"1" * 3000), sealed(spool, b"2" * 3000)
    records = register_of(first.path).read_bytes()
    register_of(first.path).write_bytes(records[: {"last record": len(records) - 48, "all records": 0}[lost]])
    spool.close()

    def fail(file: Opened, _: int, offset: int) -> bytes:
        if offset >= os.lseek(file.fileno(), 0, os.SEEK_END):
            return b""
        raise OSError(errno.EIO, "Input/output error")

    spool = Spool(tmp_path / "spool")
    with monkeypatch.context() as patch:
        patch.setattr(segment, "read_at", fail)
        spool.sweep()
    for _ in range(20):
        spool.remove([*spool.sealed(10), sealed(spool, bytes(LARGEST_BYTES)).arrival])
    spool.close()
    spool = Spool(tmp_path / "spool")
    spool.sweep()
    found = [last.arrival] if lost == "last record" else [first.arrival, last.arrival]
    assert spool.sealed(10) == found
    assert spool.read(last.arrival).content == b"2" * 3000
    spool.close()


@pytest.mark.parametrize("kept", ["beginning", "end"])
def test_unfinished_head_of_a_new_generation(tmp_path: Path, kept: str) -> None:
    """A power cut in the very first head of a segment's new generation brings back nothing, and is no damage."""
    spool = Spool(tmp_path / "spool")
    for number in range(3):
        spool.remove([sealed(spool, f"{number}".encode() * 9000).arrival])
    (path,) = _segments(tmp_path)
    spool.close()
    old, new = path.read_bytes()[:HEAD_BYTES], _head()
    overwrite(path, 0, new[:100] + old[100:] if kept == "beginning" else old[:100] + new[100:])
    spool = Spool(tmp_path / "spool")
    spool.sweep()
    assert (spool.sealed(10), spool.backlog().count, spool.backlog().unreadable) == ([], 0, 0)
    entry = sealed(spool, b"1")
    spool.remove([entry.arrival])
    for _ in range(9):
        spool.remove([sealed(spool, bytes(LARGEST_BYTES)).arrival])
    assert _segments(tmp_path) == [path], "it is used again"


def test_what_was_there_before_a_new_generation_is_gone(tmp_path: Path) -> None:
    """Whole entries of the past, filed long ago, do not come back with a segment that was begun again."""
    spool = Spool(tmp_path / "spool")
    for number in range(8):
        spool.remove([sealed(spool, f"{number}".encode() * 4_000_000).arrival])
    last = sealed(spool, b"1")
    assert last.data_set_offset == HEAD_BYTES, "it was begun again"
    spool.close()
    spool = Spool(tmp_path / "spool")
    spool.sweep()
    assert (spool.sealed(10), spool.backlog().unreadable) == ([last.arrival], 0)


def test_gap_between_entries_is_kept_for_a_person(tmp_path: Path) -> None:
    """Where a power cut took the records and a head has rotted, what must have been there is counted and kept."""
    spool = Spool(tmp_path / "spool")
    found = [sealed(spool, f"{number}".encode() * 3000) for number in range(3)]
    spool.close()
    records = register_of(found[0].path).read_bytes()
    register_of(found[0].path).write_bytes(records[: 24 + 48])
    overwrite(found[1].path, found[1].data_set_offset - HEAD_BYTES, b"\xff" * 2048)
    spool = Spool(tmp_path / "spool")
    spool.sweep()
    assert spool.sealed(10) == [found[0].arrival, found[2].arrival]
    assert (spool.backlog().count, spool.backlog().unreadable) == (2, 1)
    spool.remove(spool.sealed(10))
    for _ in range(12):
        spool.remove([sealed(spool, bytes(LARGEST_BYTES)).arrival])
    assert found[1].path.read_bytes()[found[1].data_set_offset :][:3000] == b"1" * 3000


@pytest.mark.parametrize("rotten", [0, 1, 2])
def test_rotten_record_is_made_good_at_the_next_start(tmp_path: Path, rotten: int) -> None:
    """A record that rots hides its entry until the writing process starts again, and no other; nothing is lost."""
    spool = Spool(tmp_path / "spool")
    found = [sealed(spool, f"{number}".encode() * 3000).arrival for number in range(3)]
    path = register_of(spool.read(found[0]).path)
    overwrite(path, 24 + 48 * rotten + 5, b"\xff")
    reader = Spool(tmp_path / "spool")
    assert reader.sealed(10) == [arrival for number, arrival in enumerate(found) if number != rotten]
    assert reader.backlog().unreadable == (1 if rotten < 2 else 0)
    spool.close()
    spool = Spool(tmp_path / "spool")
    spool.sweep()
    assert spool.sealed(10) == found
    assert (spool.backlog().count, spool.backlog().unreadable) == (3, 0)


def test_forged_head_in_a_data_set_is_no_entry(spool: Spool, tmp_path: Path) -> None:
    """A sender that puts heads of segments into its data sets, at every block, invents no instance."""
    genuine = sealed(spool, b"1")
    copied = genuine.path.read_bytes()[:HEAD_BYTES]
    forged = _head()
    content = (forged + copied) * 200
    for start in range(0, 4096, 1024):
        arrival = sealed(spool, content[start:]).arrival
    with spool.open(Identity(CT, "1.2", IMPLICIT), origin()) as under_way:
        under_way.write(content)
    assert spool.backlog().count == 5
    spool.close()
    again = Spool(tmp_path / "spool")
    again.sweep()
    assert again.backlog().count == 5
    assert (again.sealed(9)[-1], again.backlog().unreadable) == (arrival, 0)


def test_growing_instance_leaves_nothing_in_its_segment(spool: Spool, tmp_path: Path) -> None:
    """What becomes too large while it comes moves into a file, whole; its place in the segment is written over."""
    content = os.urandom(LARGE)
    before = sealed(spool, b"before")
    with spool.open(Identity(CT, "1.2", IMPLICIT), origin()) as under_way:
        for start in range(0, LARGE, 100_000):
            under_way.write(content[start : start + 100_000])
        between = sealed(spool, b"between")
        large = under_way.seal()
    assert (before.path, spool.read(large).path.parent.name) == (between.path, "sealed")
    assert between.data_set_offset == after(0, len(b"before")) + HEAD_BYTES
    assert spool.read(large).data_set(0, LARGE) == content
    assert spool.sealed(10) == [before.arrival, between.arrival, large]


def test_changed_bytes_do_not_move_out(spool: Spool) -> None:
    """If a segment does not give back what was received so far, the growing instance fails."""
    with spool.open(Identity(CT, "1.2", IMPLICIT), origin()) as under_way:
        under_way.write(bytes(LARGEST_BYTES))
        (path,) = spool._segments._folder.rglob("*.segment")
        overwrite(path, 2 * HEAD_BYTES + 1000, b"\xff")
        with pytest.raises(SpoolFailedError):
            under_way.write(b"12")
    assert spool.sealed(10) == []


def test_closing_leaves_what_is_under_way_to_its_thread(tmp_path: Path) -> None:
    """A process adopts no segment in which a thread of a closed spool still writes, and may when that has ended."""
    spool = Spool(tmp_path / "spool")
    under_way = spool.open(Identity(CT, "1.2", IMPLICIT), origin())
    under_way.write(b"12")
    spool.close()
    other = Spool(tmp_path / "spool")
    other.sweep()
    assert sealed(other, b"1").path.parent.name == "1"
    under_way.discard()
    third = Spool(tmp_path / "spool")
    assert sealed(third, b"1").path.parent.name == "0"
    with pytest.raises(SpoolFailedError):
        spool.open(Identity(CT, "1.2", IMPLICIT), origin())


def test_file_system_without_locks_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no lock can be had nothing is acknowledged, and folders are not made for ever."""
    monkeypatch.setattr(segments, "try_lock", lambda _: False)
    spool = Spool(tmp_path / "spool")
    spool.sweep()
    with pytest.raises(SpoolFailedError):
        spool.open(Identity(CT, "1.2", IMPLICIT), origin())


def _segments(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "spool" / "segments").rglob("*.segment"))


def test_crowd_leaves_few_files_open(spool: Spool, tmp_path: Path) -> None:
    """When forty instances that came at once are in, a few segments stay open for the next, and all are used again."""
    under_way = [spool.open(Identity(CT, f"1.{number}", IMPLICIT), origin()) for number in range(40)]
    for each in under_way:
        each.write(b"1" * 3000)
        each.seal()
    open_now = [path.resolve() for path in Path("/proc/self/fd").iterdir() if path.exists()]
    assert len([path for path in open_now if path.is_relative_to(tmp_path) and path.suffix == ".segment"]) <= 8
    assert len(_segments(tmp_path)) == 40
    spool.remove(spool.sealed(100))
    for number in range(40):
        sealed(spool, f"{number}".encode())
    assert len(_segments(tmp_path)) <= 40
