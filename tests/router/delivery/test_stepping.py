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
    assert queue.release_quiet() == 0
    bench.clock.advance(step)
    assert queue.release_quiet() == 0
    bench.clock.go_on(29)
    assert queue.release_quiet() == 0
    bench.clock.go_on(1)
    assert queue.release_quiet() == 1


def assert_due_after_a_minute(bench: Bench, queue: Queue, step: float) -> None:
    """The one delivery is leased no earlier and no later, though the clock is set by `step` meanwhile."""
    bench.clock.go_on(30)
    assert queue.lease("pacs", 10) == []
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


@STEPS
def test_what_came_after_the_step_is_not_moved(bench: Bench, step: float) -> None:
    """A quiet time that began by the new clock before the step was noticed ends by the new clock."""
    queue = bench.stepping()
    bench.clock.advance(step)
    bench.clock.go_on(1)
    bench.put([1], scope="study", quiet=60)
    bench.clock.go_on(1)
    assert queue.release_quiet() == 0
    bench.clock.go_on(58)
    assert queue.release_quiet() == 0
    bench.clock.go_on(1)
    assert queue.release_quiet() == 1


@STEPS
def test_an_answer_that_came_after_the_step_is_not_moved(bench: Bench, step: float) -> None:
    """A delivery that failed by the new clock before the step was noticed is tried again by the new clock."""
    queue = bench.stepping()
    bench.put([1])
    leased = queue.lease("pacs", 10)
    bench.clock.advance(step)
    queue.settle([settlement(each, LATER, bench.clock(), 60.0) for each in leased])
    bench.clock.go_on(59)
    assert queue.lease("pacs", 10) == []
    bench.clock.go_on(1)
    assert len(queue.lease("pacs", 10)) == 1


@pytest.mark.parametrize("step", [DAY, -DAY, 1200.0, -1200.0])
def test_what_waits_in_the_line_is_not_held_up(bench: Bench, step: float) -> None:
    """Nor what is enqueued between the step and the moment it is noticed."""
    queue = bench.stepping()
    bench.put([1])
    bench.clock.go_on(5)
    bench.clock.advance(step)
    bench.put([2])
    bench.clock.go_on(0.5)
    assert {each.instance_id for each in queue.lease("pacs", 10)} == {1, 2}


@STEPS
@pytest.mark.parametrize("down", [0.0, 20.0])
def test_a_clock_that_is_set_while_nothing_runs(bench: Bench, step: float, down: float) -> None:
    """The next start notices; what has not become due meanwhile goes on waiting as long as it had to."""
    before = bench.stepping()
    before.configure(["pacs", "station"])
    bench.put([1], scope="study", quiet=60)
    bench.put([2], "station")
    before.destination_failed("station", "gone", Retry(first=60.0), 0)
    before.remember_clock()
    bench.clock.go_on(down)
    bench.clock.advance(step)
    told: list[tuple[float, int]] = []
    queue = bench.stepping(told=told)
    queue.go_on()
    assert queue.rescue(own=True) == 0
    assert [seconds for seconds, _ in told] == [step]
    bench.clock.go_on(59 - down)
    assert queue.release_quiet() == 0
    assert queue.lease("station", 1) == []
    bench.clock.go_on(1)
    assert queue.release_quiet() == 1
    assert len(queue.lease("station", 1)) == 1
    after = bench.stepping(told=told)
    after.go_on()
    after.remember_clock()
    assert len(told) == 1, "it is noticed once"


def test_a_clock_that_shows_less_after_the_machine_was_started_again(bench: Bench) -> None:
    """How long it was off nobody knows: what waits has as long to wait as when the clock was seen last."""
    before = bench.stepping("before")
    bench.put([1], scope="study", quiet=60)
    bench.clock.go_on(30)
    before.remember_clock()
    bench.clock.seconds = 7.0
    bench.clock.advance(-DAY)
    queue = bench.stepping("after")
    queue.go_on()
    assert queue.release_quiet() == 0
    bench.clock.go_on(29)
    assert queue.release_quiet() == 0
    bench.clock.go_on(1)
    assert queue.release_quiet() == 1


@pytest.mark.parametrize("later", [600.0, -60.0])
def test_a_machine_that_was_off(bench: Bench, later: float) -> None:
    """Its clock goes on, or was a little fast: nothing is moved, and what became due meanwhile is due."""
    before = bench.stepping("before")
    bench.put([1], scope="study", quiet=60)
    before.remember_clock()
    bench.clock.seconds = 7.0
    bench.clock.advance(later)
    told: list[tuple[float, int]] = []
    queue = bench.stepping("after", told)
    queue.go_on()
    assert queue.release_quiet() == (1 if later > 0 else 0)
    assert told == []


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
