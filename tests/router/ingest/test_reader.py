"""Reading for filing: in portions that memory has room for, and the next one while the last is filed."""

import threading
from pathlib import Path

import pytest

from archive import Entry, EntryUnreadableError, Spool
from router.ingest import reader
from router.ingest.reader import Reader
from tests.support.arrivals import sealed


class Watched(Spool):
    """A spool that notes who reads what, and can be told to let nobody read."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.reads: list[tuple[str, str]] = []  # arrival and thread
        self.lost: set[str] = set()

    def read(self, arrival: str) -> Entry:
        """As any spool, unless it is lost."""
        self.reads.append((arrival, threading.current_thread().name))
        if arrival in self.lost:
            raise EntryUnreadableError("a bad block")
        return super().read(arrival)


@pytest.fixture
def spool(tmp_path: Path) -> Watched:
    """An empty spool."""
    return Watched(tmp_path / "spool")


def arrive(spool: Watched, count: int, size: int = 100) -> list[str]:
    """So many sealed entries, in order of arrival; what is noted of them so far is forgotten."""
    for number in range(count):
        sealed(spool, bytes([number]) * size, f"1.2.{number}")
    waiting = spool.sealed(count)
    assert len(waiting) == count
    spool.reads.clear()
    return waiting


def test_the_next_are_read_while_the_first_are_filed(spool: Watched) -> None:
    """By another thread, which first does what it was told to, and once."""
    told: list[str] = []
    reading = Reader(spool, lambda: told.append(threading.current_thread().name))
    waiting = arrive(spool, 6)
    for portion in (waiting[:2], waiting[2:4], waiting[4:]):
        found = reading.read([each for each in waiting if each >= portion[0]], 2, ahead=True)
        assert [each.arrival for each in found] == portion
        assert all(isinstance(each, Entry) and each.content for each in found)
    assert [arrival for arrival, _ in spool.reads] == waiting
    here = threading.current_thread().name
    assert [thread == here for _, thread in spool.reads] == [True, True, False, False, False, False]
    assert told == [spool.reads[2][1]]


def test_nothing_is_read_ahead_unasked(spool: Watched) -> None:
    """Beside somebody who is sending one thread reads, and only what is filed now."""
    waiting = arrive(spool, 4)
    Reader(spool).read(waiting, 2, ahead=False)
    assert spool.reads == [(arrival, threading.current_thread().name) for arrival in waiting[:2]]


def test_what_was_read_ahead_and_is_not_wanted_is_forgotten(spool: Watched) -> None:
    """Where the batch failed the same is asked for again, and read again: it may not be what it was."""
    reading = Reader(spool)
    waiting = arrive(spool, 4)
    for _ in range(2):
        found = reading.read(waiting, 2, ahead=True)
        assert [each.arrival for each in found] == waiting[:2]
    assert [each.arrival for each in reading.read(waiting[2:], 2, ahead=True)] == waiting[2:]
    assert [arrival for arrival, _ in spool.reads] == [*waiting, *waiting]


def test_what_cannot_be_read_is_said_when_its_turn_comes(spool: Watched) -> None:
    """Of which arrival, read ahead or not."""
    reading = Reader(spool)
    waiting = arrive(spool, 4)
    spool.lost = {waiting[1], waiting[2]}
    for portion in (waiting[:2], waiting[2:]):
        found = reading.read([each for each in waiting if each >= portion[0]], 2, ahead=True)
        assert [each.arrival for each in found] == portion
        assert [isinstance(each, EntryUnreadableError) for each in found] == [each in spool.lost for each in portion]


def test_no_more_is_read_than_memory_has_room_for(spool: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the lengths of the data sets, here and ahead; but always one."""
    waiting = arrive(spool, 5, size=1000)
    monkeypatch.setattr(reader, "BATCH_BYTES", 2_500)
    reading = Reader(spool)
    assert [each.arrival for each in reading.read(waiting, 4, ahead=True)] == waiting[:2]
    assert [each.arrival for each in reading.read(waiting[2:], 4, ahead=False)] == waiting[2:4]
    assert len(spool.reads) == 4
    monkeypatch.setattr(reader, "BATCH_BYTES", 500)
    assert [each.arrival for each in Reader(spool).read(waiting, 4, ahead=False)] == waiting[:1]
