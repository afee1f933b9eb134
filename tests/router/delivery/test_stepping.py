"""A wall clock that is set while deliveries wait: none of them is due earlier or later than it would have been."""

import pytest

from router.delivery import Queue, State
from tests.support.deliveries import DELIVERED, LATER, Bench, Retry, settlement

DAY = 86400.0
STEPS = pytest.mark.parametrize("step", [DAY, -DAY, 20.0, -20.0])


@STEPS
def test_a_quiet_time_is_as_long_as_it_was(bench: Bench, step: float) -> None:
    """Neither is it over at once nor does it begin anew."""
    queue = bench.stepping()
    bench.put([1], scope="study", quiet=60)
    bench.clock.go_on(30)
    bench.clock.advance(step)
    assert queue.release_quiet() == 0
    bench.clock.go_on(29)
    assert queue.release_quiet() == 0
    bench.clock.go_on(1)
    assert queue.release_quiet() == 1


def assert_due_after_a_minute(bench: Bench, queue: Queue, step: float) -> None:
    """The one delivery is leased no earlier and no later, though the clock is set by `step` meanwhile."""
    bench.clock.go_on(30)
    bench.clock.advance(step)
    assert queue.lease("pacs", 10) == []
    bench.clock.go_on(29)
    assert queue.lease("pacs", 10) == []
    bench.clock.go_on(1)
    assert len(queue.lease("pacs", 10)) == 1


@STEPS
def test_a_destination_that_failed_is_tried_again_when_it_would_have_been(bench: Bench, step: float) -> None:
    """The wait of the whole line is as long as it was."""
    queue = bench.stepping()
    queue.configure(["pacs"])
    bench.put([1])
    queue.destination_failed("pacs", "gone", Retry(first=60.0), 0)
    assert_due_after_a_minute(bench, queue, step)


@STEPS
def test_a_delivery_that_failed_is_tried_again_when_it_would_have_been(bench: Bench, step: float) -> None:
    """The wait of one delivery is as long as it was."""
    queue = bench.stepping()
    bench.put([1])
    queue.settle([settlement(each, LATER, bench.clock(), 60.0) for each in queue.lease("pacs", 10)])
    assert_due_after_a_minute(bench, queue, step)


@STEPS
def test_what_is_on_the_wire_is_not_leased_again(bench: Bench, step: float) -> None:
    """A lease has not expired because the clock went forward, nor for ever because it went back."""
    queue = bench.stepping()
    bench.put([1, 2])
    [mine] = queue.lease("pacs", 1)
    bench.clock.advance(step)
    assert queue.rescue() == 0
    assert bench.states()[mine.instance_id] is State.LEASED
    bench.clock.go_on(120)
    assert queue.rescue() == 1


def test_what_came_after_the_step_is_not_moved(bench: Bench) -> None:
    """A quiet time that began by the new clock before the step was noticed ends by the new clock."""
    queue = bench.stepping()
    bench.clock.advance(DAY)
    bench.put([1], scope="study", quiet=60)
    assert queue.release_quiet() == 0
    bench.clock.go_on(60)
    assert queue.release_quiet() == 1


def test_a_clock_that_runs_a_little_fast_is_let_be(bench: Bench) -> None:
    """Less than a second is no step."""
    queue = bench.stepping()
    bench.put([1], scope="study", quiet=60)
    bench.clock.go_on(59)
    bench.clock.advance(0.9)
    assert queue.release_quiet() == 0
    bench.clock.go_on(0.1)
    assert queue.release_quiet() == 1


def test_receipts_are_not_late_by_a_day(bench: Bench) -> None:
    """What was settled before the clock went back folds as soon as what was settled long ago."""
    bench.put([1])
    bench.settle(bench.queue.lease("pacs", 10), DELIVERED)
    bench.clock.advance(-DAY)
    assert bench.queue.fold(bench.clock()) == 1
