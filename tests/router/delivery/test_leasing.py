"""Who may send what, and for how long."""

import threading

import sqlalchemy as sa

from router.delivery import Leased, State
from router.delivery.tables import deliveries
from rules import Priority
from tests.support.deliveries import DELIVERED, LATER, Bench


def test_urgent_first_then_oldest_one_study_at_a_time(bench: Bench) -> None:
    """A lease takes one study of the highest priority, the oldest first, and never mixes studies or priorities."""
    bench.put([1, 2], study=1)
    bench.put([3], study=2)
    bench.put([4], study=1)
    bench.put([5], study=3, priority=Priority.HIGH)
    bench.put([6], study=4, priority=Priority.LOW)
    bench.put([7], study=1, priority=Priority.HIGH)
    leases = [[each.instance_id for each in bench.queue.lease("pacs", 10)] for _ in range(6)]
    assert leases == [[5], [7], [1, 2, 4], [3], [6], []]


def test_lease_is_limited(bench: Bench) -> None:
    """No more is leased than asked for."""
    bench.put(range(10))
    assert [len(bench.queue.lease("pacs", 4)) for _ in range(4)] == [4, 4, 2, 0]


def test_what_failed_before_goes_last(bench: Bench) -> None:
    """Within a lease an instance that has failed already comes after those that have not been tried."""
    bench.put([1, 2, 3])
    bench.settle(bench.queue.lease("pacs", 1), LATER)
    assert [each.instance_id for each in bench.queue.lease("pacs", 10)] == [2, 3, 1]


def test_destinations_do_not_wait_for_each_other(bench: Bench) -> None:
    """Each destination has its own line of the same instances."""
    bench.put([1], "a")
    bench.put([1], "b")
    assert [len(bench.queue.lease(name, 10)) for name in ("a", "b", "c")] == [1, 1, 0]


def test_enqueueing_twice_changes_nothing(bench: Bench) -> None:
    """The same instance filed again, as after a crash, is not sent again."""
    assert bench.put([1, 2, 2]) == 2
    bench.settle(bench.queue.lease("pacs", 10), DELIVERED)
    assert bench.put([1, 2, 3]) == 1
    assert bench.states() == {1: State.DELIVERED, 2: State.DELIVERED, 3: State.DUE}


def test_given_back_is_due_at_once_and_uncounted(bench: Bench) -> None:
    """What was leased and not tried costs no attempt."""
    bench.put([1])
    bench.queue.give_back(bench.queue.lease("pacs", 1))
    again = bench.queue.lease("pacs", 1)
    assert [each.attempts for each in again] == [0]


def test_an_expired_lease_is_rescued_and_its_holder_fenced_out(bench: Bench) -> None:
    """A holder that was away too long loses its lease, and its late answer no longer counts."""
    bench.put([1])
    late = bench.queue.lease("pacs", 1)
    assert bench.queue.rescue() == 0
    bench.clock.advance(121)
    assert bench.queue.rescue() == 1
    current = bench.other("there").lease("pacs", 1)
    bench.queue.give_back(late)
    assert bench.settle(late, LATER) == 0
    assert bench.states() == {1: State.LEASED}
    assert bench.settle(current, DELIVERED) == 1
    assert bench.settle(current, DELIVERED) == 0


def test_a_renewed_lease_is_not_rescued(bench: Bench) -> None:
    """A long batch keeps its lease as long as its holder lives."""
    bench.put([1])
    leased = bench.queue.lease("pacs", 1)
    for _ in range(10):
        bench.clock.advance(60)
        bench.queue.renew(leased)
        assert bench.queue.rescue() == 0


def test_a_restart_frees_only_its_own_leases(bench: Bench) -> None:
    """At start a process frees what its last life held, and leaves other machines alone."""
    bench.put([1], "a")
    bench.put([2], "b")
    bench.queue.lease("a", 1)
    bench.other("there").lease("b", 1)
    assert bench.queue.rescue(own=True) == 1
    assert bench.states() == {1: State.DUE, 2: State.LEASED}


def test_a_lease_of_nobody_comes_back(bench: Bench) -> None:
    """What is leased without an end is held by nobody, and becomes due again."""
    bench.put([1])
    bench.queue.lease("pacs", 1)
    with bench.database.begin() as connection:
        connection.execute(sa.update(deliveries).values(lease_until=None, lease_holder=None))
    assert bench.queue.rescue() == 1
    assert bench.states() == {1: State.DUE}


def test_a_clock_set_back_a_day_stops_nothing(bench: Bench) -> None:
    """Due times and leases set before the clock went back are not waited for."""
    bench.put([1, 2])
    bench.settle(bench.queue.lease("pacs", 1), LATER, wait_seconds=30)
    bench.queue.lease("pacs", 1)
    bench.clock.advance(-86400)
    assert bench.queue.rescue() == 1
    assert [each.instance_id for each in bench.queue.lease("pacs", 10)] == [2, 1]


def test_eight_connections_never_lease_one_delivery_twice(bench: Bench) -> None:
    """However many connections lease at once, each delivery is in one hand only and none is left."""
    bench.put(range(400), study=1)
    bench.put(range(400, 600), study=2)
    leased: list[Leased] = []
    ended: list[int] = []
    lock = threading.Lock()

    def connection(number: int) -> None:
        queue = bench.other(f"connection {number}")
        while batch := queue.lease("pacs", 7):
            with lock:
                leased.extend(batch)
            bench.settle(batch, DELIVERED)
        with lock:
            ended.append(number)

    threads = [threading.Thread(target=connection, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(ended) == list(range(8)), "a connection failed"
    leased += bench.queue.lease("pacs", 600)
    assert sorted(each.instance_id for each in leased) == list(range(600))
