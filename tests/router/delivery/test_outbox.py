"""The sent ledger: an answer is on file at once and entered once."""

import json
import threading
import time
from collections.abc import Collection
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DatabaseError

from router.delivery import Queue, Settlement, State
from router.delivery import outbox as ledger
from router.delivery.outbox import GROUP, Outbox, ledger_path, recover
from tests.support.deliveries import DELIVERED, LATER, Bench, settlement


def test_answers_are_entered_in_groups(bench: Bench, tmp_path: Path) -> None:
    """The last of a group says that it is time; what is left is entered on demand, and the file is then empty."""
    bench.put(range(GROUP + 6))
    outbox = Outbox(ledger_path(tmp_path / "outbox", "here", 1), bench.queue)
    leased = bench.queue.lease("pacs", GROUP + 6)
    assert [outbox.note(settlement(each, DELIVERED, bench.clock())) for each in leased[:GROUP]].index(True) == GROUP - 1
    outbox.flush()
    assert list(bench.states().values()).count(State.DELIVERED) == GROUP
    for each in leased[GROUP:]:
        outbox.note(settlement(each, DELIVERED, bench.clock()))
    outbox.flush()
    assert set(bench.states().values()) == {State.DELIVERED}
    assert ledger_path(tmp_path / "outbox", "here", 1).stat().st_size == 0
    outbox.close()
    assert not list((tmp_path / "outbox").iterdir())


def test_what_is_answered_while_others_are_entered_stays_on_file(bench: Bench, tmp_path: Path) -> None:
    """An answer that comes in the middle of an entry waits for none, and is not dropped with those entered."""
    bench.put([1, 2])
    path = ledger_path(tmp_path, "here", 1)
    late: list[Settlement] = []

    def meanwhile(_: sa.Connection, __: Collection[int]) -> None:
        while late:
            outbox.note(late.pop())

    queue = Queue(bench.database, "here", bench.clock, meanwhile)
    outbox = Outbox(path, queue)
    first, second = (settlement(each, DELIVERED, bench.clock()) for each in queue.lease("pacs", 2))
    late.append(second)
    outbox.note(first)
    outbox.flush()
    assert bench.states() == {1: State.DELIVERED, 2: State.LEASED}
    assert len(path.read_bytes().splitlines()) == 2
    outbox.flush()
    assert bench.states() == {1: State.DELIVERED, 2: State.DELIVERED}
    assert path.stat().st_size == 0
    outbox.close()


def test_a_long_ledger_is_entered_to_its_end(bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line that never rests does not grow its ledger for ever: at some length the next answer waits for the entry."""
    monkeypatch.setattr(ledger, "MOST_BYTES", 10)
    bench.put([1, 2])
    path = ledger_path(tmp_path, "here", 1)
    threads: list[threading.Thread] = []

    def meanwhile(_: sa.Connection, __: Collection[int]) -> None:
        if not threads:
            threads.append(threading.Thread(target=outbox.note, args=[second]))
            threads[0].start()
            time.sleep(0.1)

    queue = Queue(bench.database, "here", bench.clock, meanwhile)
    outbox = Outbox(path, queue)
    first, second = (settlement(each, DELIVERED, bench.clock()) for each in queue.lease("pacs", 2))
    outbox.note(first)
    outbox.flush()
    threads[0].join()
    assert [json.loads(line)["delivery_id"] for line in path.read_bytes().splitlines()] == [second.delivery_id]
    outbox.flush()
    outbox.close()
    assert bench.states() == {1: State.DELIVERED, 2: State.DELIVERED}


def test_an_answer_does_not_wait_longer_than_half_a_second(bench: Bench, tmp_path: Path) -> None:
    """A group that is not full is entered after half a second."""
    bench.put([1])
    outbox = Outbox(tmp_path / "here-1.log", bench.queue)
    outbox.note(settlement(bench.queue.lease("pacs", 1)[0], DELIVERED, bench.clock()))
    assert bench.states() == {1: State.LEASED}
    time.sleep(0.55)
    outbox.flush_if_old()
    assert bench.states() == {1: State.DELIVERED}
    outbox.close()


def test_a_killed_process_leaves_its_answers_to_the_next(bench: Bench, tmp_path: Path) -> None:
    """At start the ledger is entered before leases are freed; a line cut short, or entered already, does no harm."""
    bench.put([1, 2, 3])
    killed = Outbox(ledger_path(tmp_path, "here", 7), bench.queue)
    first, second, third = bench.queue.lease("pacs", 3)
    killed.note(settlement(first, DELIVERED, bench.clock()))
    killed.note(settlement(second, LATER, bench.clock(), wait_seconds=30))
    with ledger_path(tmp_path, "here", 7).open("ab") as file:
        file.write(b'{"delivery_id": 3, "tok')
    bench.settle([first], DELIVERED)
    assert recover(tmp_path, bench.queue) == 1
    assert bench.queue.rescue(own=True) == 1
    assert [each.instance_id for each in bench.queue.lease("pacs", 3)] == [third.instance_id]
    assert bench.states() == {1: State.DELIVERED, 2: State.DUE, 3: State.LEASED}
    assert not list(tmp_path.glob("*.log"))


def test_another_holders_ledger_is_left_alone(bench: Bench, tmp_path: Path) -> None:
    """Only this holder's ledgers are taken up."""
    (tmp_path / "there-1.log").write_bytes(b"")
    recover(tmp_path, bench.queue)
    assert [path.name for path in tmp_path.glob("*.log")] == ["there-1.log"]


def test_a_database_that_is_away_loses_no_answer(bench: Bench, tmp_path: Path) -> None:
    """When the entry fails the answers stay on file and pending, and are entered once the database is back."""
    bench.put([1])
    outbox = Outbox(tmp_path / "here-1.log", bench.queue)
    outbox.note(settlement(bench.queue.lease("pacs", 1)[0], DELIVERED, bench.clock()))
    with bench.database.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE deliveries RENAME TO elsewhere")
    with pytest.raises(DatabaseError):
        outbox.flush()
    with bench.database.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE elsewhere RENAME TO deliveries")
    assert (tmp_path / "here-1.log").stat().st_size > 0
    outbox.flush()
    assert bench.states() == {1: State.DELIVERED}
    outbox.close()
