"""What a delivery costs does not depend on how many wait."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from archive import Database
from router.delivery import State
from rules import Priority
from tests.support.deliveries import DELIVERED, LATER, PARKED, Bench
from tests.support.plans import executed, scans


@pytest.fixture
def embedded(tmp_path: Path) -> Iterator[Bench]:
    """A queue on SQLite, which tells its plans."""
    database = Database(f"sqlite:///{tmp_path / 'queue.db'}")
    yield Bench(database)
    database.dispose()


def test_no_statement_of_a_delivery_reads_the_queue_through(embedded: Bench) -> None:
    """Entering, leasing, settling, quiet times, rescue, looking and folding ask by index only."""
    queue = embedded.queue
    queue.configure(["pacs"])
    with scans(embedded.database) as scanned:
        embedded.put(range(6))
        embedded.put([1, 900])
        embedded.put([10], scope="study", quiet=60)
        embedded.put([11], scope="series", quiet=60, late="hold")
        embedded.clock.advance(60)
        assert queue.release_quiet() == 2
        leased = queue.lease("pacs", 3)
        embedded.settle(leased[:1], DELIVERED)
        embedded.settle(leased[1:2], LATER, 60)
        queue.give_back(leased[2:])
        queue.lease("pacs", 3)
        queue.renew(leased)
        embedded.clock.advance(500)
        assert queue.rescue() == 3
        assert queue.rescue(own=True) == 0
        queue.listing()
        queue.listing(destination="pacs", states=[State.DUE])
        queue.listing(study_id=1)
        queue.overview()
        queue.fold(embedded.clock())
        queue.receipts(1)
    assert scanned == []


def test_the_listing_is_in_order_of_sending_over_all_lines(bench: Bench) -> None:
    """Urgent first, then the oldest, whatever its destination and state, and no more than asked for."""
    bench.put([1, 2], "b", priority=Priority.LOW)
    bench.put([3, 4], "a")
    bench.put([5], "c", priority=Priority.HIGH)
    bench.put([6], "b", scope="study", quiet=60)
    bench.settle(bench.queue.lease("a", 1), PARKED)
    listed = bench.queue.listing()
    assert [each.instance_id for each in listed] == [5, 3, 4, 6, 1, 2]
    assert [each.instance_id for each in bench.queue.listing(limit=4)] == [5, 3, 4, 6]
    assert [each.instance_id for each in bench.queue.listing(destination="b")] == [6, 1, 2]
    assert [each.instance_id for each in bench.queue.listing(states=[State.PARKED])] == [3]


def test_the_overview_counts_every_state_and_tells_the_oldest(bench: Bench) -> None:
    """Counts by destination and state; the oldest is the oldest undelivered one of whatever priority."""
    began = bench.clock()
    bench.put([1], "a", priority=Priority.LOW)
    bench.clock.advance(60)
    bench.put([2, 3, 4], "a", priority=Priority.HIGH)
    bench.put([5], "b")
    bench.settle(bench.queue.lease("b", 1), DELIVERED)
    a, b = bench.queue.overview()
    assert (a.destination, a.counts, a.oldest_at) == ("a", {State.DUE: 4}, began)
    assert (b.destination, b.counts, b.oldest_at) == ("b", {State.DELIVERED: 1}, None)
    bench.settle(bench.queue.lease("a", 9), DELIVERED)
    bench.settle(bench.queue.lease("a", 9), PARKED)
    a, _ = bench.queue.overview()
    assert (a.counts, a.oldest_at) == ({State.DELIVERED: 3, State.PARKED: 1}, None)


def test_only_whole_groups_are_folded(bench: Bench) -> None:
    """A study of which something is pending, or settled a moment ago, stays; the others are folded in one go."""
    for study in range(1, 5):
        bench.put([10 * study, 10 * study + 1], study=study)
    for _ in range(3):
        bench.settle(bench.queue.lease("pacs", 2), DELIVERED)
    bench.clock.advance(60)
    bench.settle(bench.queue.lease("pacs", 1), DELIVERED)
    bench.put([12], study=1)
    before = bench.clock() - timedelta(seconds=30)
    assert bench.queue.fold(before) == 4
    assert bench.states() == {
        10: State.DELIVERED,
        11: State.DELIVERED,
        12: State.DUE,
        40: State.DELIVERED,
        41: State.DUE,
    }
    assert bench.queue.fold(before) == 0


def test_many_are_folded_a_few_at_a_time(bench: Bench) -> None:
    """Of more than are looked at in one go all are folded, but for the study with something pending."""
    for study in range(1, 21):
        instances = range(100 * study, 100 * study + 60)
        bench.put(instances, study=study, priority=Priority.LOW if study % 7 else Priority.HIGH)
    while leased := bench.queue.lease("pacs", 2000):
        bench.settle(leased, DELIVERED)
    bench.put([5000], study=12)
    bench.clock.advance(60)
    assert bench.queue.fold(bench.clock()) == 19 * 60
    assert set(bench.states()) == {*range(1200, 1260), 5000}
    assert [each["instances"] for study in (1, 12, 20) for each in bench.queue.receipts(study)] == [60, 61, 60]


def test_what_cannot_be_old_enough_is_not_read(bench: Bench) -> None:
    """To fold what was settled an hour ago, no more than the beginning of what was made since is looked at."""
    for study in range(1, 31):
        bench.put(range(50 * study, 50 * study + 50), study=study)
        bench.clock.advance(1)
    while leased := bench.queue.lease("pacs", 2000):
        bench.settle(leased, DELIVERED)
    with executed(bench.database) as statements:
        assert bench.queue.fold(bench.clock() - timedelta(seconds=29)) == 0
    assert 0 < sum("max(CASE" in each for each in statements) <= 11, "studies that were looked at"
    bench.clock.advance(-100)
    assert bench.queue.fold(bench.clock() - timedelta(hours=1)) == 1500, "the clock was set back"
