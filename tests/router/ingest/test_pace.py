"""The pace of filing: who is sending goes first, but not for long."""

from pathlib import Path

import pytest

from archive import Spool
from router.ingest.pace import PATIENCE_SECONDS, SENDING_SECONDS, Pace
from tests.support.arrivals import LARGE, sealed

NOON = 1_800_000_000.0


class Clock:
    """A wall clock that is set by hand."""

    def __init__(self) -> None:
        self.seconds = NOON

    def __call__(self) -> int:
        """Nanoseconds since 1970."""
        return int(self.seconds * 1e9)


@pytest.fixture
def clock() -> Clock:
    """Noon."""
    return Clock()


@pytest.fixture
def spool(tmp_path: Path, clock: Clock) -> Spool:
    """An empty spool with this clock."""
    return Spool(tmp_path / "spool", clock=clock)


@pytest.mark.parametrize("size", [100, LARGE], ids=["in a segment", "in a file of its own"])
def test_who_is_sending_goes_first(spool: Spool, clock: Clock, size: int) -> None:
    """While the newest has just come it is filed gently, with rests; then with all there is, and without."""
    pace = Pace(spool)
    sealed(spool, bytes(size))
    clock.seconds += SENDING_SECONDS * 0.9
    assert pace.is_gentle(spool.sealed(1))
    assert sum(pace.rests(0.3)) == pytest.approx(0.3)
    assert sum(pace.rests(60)) == pytest.approx(PATIENCE_SECONDS), "else one that waited for a lock is followed by more"
    clock.seconds += SENDING_SECONDS * 0.2
    assert not pace.is_gentle(spool.sealed(1))
    assert list(pace.rests(0.3)) == []


def test_a_rest_ends_with_the_stream(spool: Spool, clock: Clock) -> None:
    """Who has sent the last one is not waited for, neither from the end of the batch on nor in a rest."""
    pace = Pace(spool)
    sealed(spool, b"one", "1.2.1")
    assert pace.is_gentle(spool.sealed(1))
    rests = pace.rests(60)
    assert 0 < next(rests) < SENDING_SECONDS
    clock.seconds += SENDING_SECONDS * 0.9
    sealed(spool, b"another", "1.2.2")
    clock.seconds += SENDING_SECONDS * 0.9
    assert 0 < next(rests) < SENDING_SECONDS, "another has come meanwhile"
    clock.seconds += SENDING_SECONDS * 0.2
    assert list(rests) == []
    assert list(pace.rests(60)) == []


def test_what_is_filed_at_once_is_rested_for_too(spool: Spool, clock: Clock) -> None:
    """Where nothing waits after a batch somebody may be sending all the same."""
    pace = Pace(spool)
    only = sealed(spool, b"one", "1.2.1").arrival
    assert pace.is_gentle(spool.sealed(1))
    spool.remove([only])
    assert sum(pace.rests(0.3)) == pytest.approx(0.3)


def test_the_newest_counts_and_not_the_batch(spool: Spool, clock: Clock) -> None:
    """Filing may be behind by several batches; somebody is sending all the same."""
    sealed(spool, b"first", "1.2.1")
    clock.seconds += PATIENCE_SECONDS * 0.9
    sealed(spool, b"last", "1.2.2")
    assert Pace(spool).is_gentle(spool.sealed(1))


def test_a_stream_without_end_does_not_stop_filing(spool: Spool, clock: Clock) -> None:
    """What has waited for long enough is filed with all there is, whoever sends."""
    sealed(spool, b"first", "1.2.1")
    clock.seconds += PATIENCE_SECONDS * 1.1
    sealed(spool, b"last", "1.2.2")
    assert not Pace(spool).is_gentle(spool.sealed(2))


def test_a_clock_set_back_slows_nothing_down(spool: Spool, clock: Clock) -> None:
    """What seems to come from the future says nothing of who is sending now."""
    sealed(spool, b"first")
    clock.seconds -= 3600
    assert not Pace(spool).is_gentle(spool.sealed(1))


def test_nothing_waits(spool: Spool) -> None:
    """Then nobody is stood back for."""
    pace = Pace(spool)
    assert not pace.is_gentle(spool.sealed(1))
    assert list(pace.rests(1.0)) == []
