"""A lease whose commit failed and may have been made: what it took is sent all the same, and nobody else loses his."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa

from archive import Stored
from router.delivery import Leased, State
from router.delivery.packing import Packer
from tests.support.deliveries import DELIVERED, LATER, Bench, Retry
from tests.support.departures import CT, Departures, one_peer
from tests.support.scripted import Script, scripted


@contextmanager
def _failing(engine: sa.Engine, times: int, *, is_made: bool, thread: str = "Main") -> Iterator[None]:
    """The next commits of threads of this name fail, as where the disk does, and were made or not."""
    left = times

    def fail(connection: sa.Connection) -> None:
        nonlocal left
        if left and threading.current_thread().name.startswith(thread):
            left -= 1
            driver = connection.connection.dbapi_connection
            assert driver is not None
            driver.commit() if is_made else driver.rollback()
            raise sa.exc.OperationalError("COMMIT", {}, Exception("disk I/O error"))

    sa.event.listen(engine, "commit", fail)
    try:
        yield
    finally:
        sa.event.remove(engine, "commit", fail)
    assert left == 0


def _undecided(bench: Bench, *, is_made: bool) -> None:
    with (
        _failing(bench.database.engine, 1, is_made=is_made),
        pytest.raises(sa.exc.OperationalError),
    ):
        bench.queue.lease("pacs", 10)


@pytest.mark.parametrize("is_made", [True, False])
def test_what_is_undecided_is_leased_with_the_next(bench: Bench, *, is_made: bool) -> None:
    """It costs neither time nor an attempt, whether the commit was made or not."""
    bench.put([1, 2])
    _undecided(bench, is_made=is_made)
    assert set(bench.states().values()) == {State.LEASED if is_made else State.DUE}
    bench.clock.advance(2)
    leased = bench.queue.lease("pacs", 10)
    assert [(each.instance_id, each.attempts) for each in leased] == [(1, 0), (2, 0)]
    assert bench.settle(leased, DELIVERED) == 2


def test_others_keep_theirs(bench: Bench) -> None:
    """Neither what this process leased before, nor what another did, nor another destination's is given back."""
    for study, destination in enumerate(("pacs", "pacs", "pacs", "other"), 1):
        bench.put([study], destination, study=study)
    kept = bench.queue.lease("pacs", 10)
    bench.clock.advance(1)
    there = bench.other("there").lease("pacs", 10)
    elsewhere = bench.queue.lease("other", 10)
    _undecided(bench, is_made=True)
    bench.clock.advance(1)
    again = bench.queue.lease("pacs", 10)
    assert [each.instance_id for each in (*kept, *there, *elsewhere, *again)] == [1, 2, 4, 3]
    assert bench.settle([*kept, *there, *elsewhere, *again], DELIVERED) == 4


def test_an_undecided_probe_may_go_at_once(bench: Bench) -> None:
    """The line does not wait for an answer that nobody will bring."""
    bench.put([1, 2])
    bench.settle(bench.queue.lease("pacs", 1), LATER)
    bench.queue.configure(["pacs"])
    bench.queue.destination_failed("pacs", "cannot be reached", Retry(), 0)
    bench.clock.advance(40)
    _undecided(bench, is_made=True)
    bench.clock.advance(2)
    assert [each.is_probe for each in bench.queue.lease("pacs", 10)] == [True]


def test_a_line_sends_what_was_undecided(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The thread of a connection goes on with it after its rest, and sends each once."""
    monkeypatch.setattr("router.delivery.worker.TROUBLE_SECONDS", 0.1)
    script = Script()
    with scripted(script, [CT]) as port:
        departures = Departures(tmp_path, one_peer(port))
        kept = departures.keep(3)
        departures.enqueue(kept, "pacs")
        with _failing(departures.database.engine, 3, is_made=True, thread="line"), departures.sending():
            departures.wait_for(State.DELIVERED)
    assert sorted(script.requests) == sorted(each.sop_instance_uid for each in kept)


def test_what_was_leased_before_the_trouble_goes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lot that could not be sent is given back at once: it does not wait until the line has nothing else to do."""
    monkeypatch.setattr("router.delivery.worker.TROUBLE_SECONDS", 0.1)
    stored, fails = Packer.stored, iter([True])

    def stored_later(packer: Packer, leased: Sequence[Leased]) -> Mapping[int, Stored]:
        if next(fails, False):
            raise sa.exc.OperationalError("select", {}, Exception("database is locked"))
        return stored(packer, leased)

    monkeypatch.setattr(Packer, "stored", stored_later)
    script = Script()
    with scripted(script, [CT]) as port:
        departures = Departures(tmp_path, one_peer(port))
        older, newer = departures.keep(3, study="1.2.1"), departures.keep(3, study="1.2.2")
        departures.enqueue([*older, *newer], "pacs")
        with departures.sending():
            departures.wait_for(State.DELIVERED)
    assert script.requests == [each.sop_instance_uid for each in (*older, *newer)]
