"""Deliveries that wait for their study or series to be quiet."""

from datetime import timedelta

import pytest

from router.delivery import State
from tests.support.deliveries import Bench


def test_a_study_is_released_whole_when_nothing_came_for_t(bench: Bench) -> None:
    """Every instance begins the quiet time anew; when it has passed, all that waited are due together."""
    for instance in range(3):
        bench.put([instance], scope="study", quiet=60, series=instance)
        bench.clock.advance(59)
        assert bench.queue.release_quiet() == 0
    assert bench.queue.lease("pacs", 10) == []
    bench.clock.advance(1)
    assert bench.queue.release_quiet() == 3
    assert [each.instance_id for each in bench.queue.lease("pacs", 10)] == [0, 1, 2]


def test_series_studies_routes_and_destinations_are_quiet_by_themselves(bench: Bench) -> None:
    """What comes for one of them does not keep another waiting."""
    bench.put([1], scope="series", quiet=60, series=1)
    bench.put([2], "other", scope="study", quiet=60)
    bench.put([3], scope="study", quiet=60, study=2)
    bench.put([4], scope="study", quiet=60, route="another")
    bench.clock.advance(30)
    bench.put([5], scope="series", quiet=60, series=2)
    bench.put([6], scope="study", quiet=60)
    bench.clock.advance(30)
    assert bench.queue.release_quiet() == 4
    assert sorted(i for i, state in bench.states().items() if state is State.WAITING) == [5, 6]


@pytest.mark.parametrize(("late", "state"), [("hold", State.HELD), ("ignore", State.IGNORED)])
def test_late_ones_are_held_or_ignored_where_the_route_says_so(bench: Bench, late: str, state: State) -> None:
    """After the quiet time, `late: hold` keeps a newcomer for a person and `late: ignore` does not send it."""
    bench.put([1], scope="study", quiet=60, late=late)
    bench.clock.advance(60)
    bench.queue.release_quiet()
    bench.clock.advance(3600)
    bench.put([2], scope="study", quiet=60, late=late)
    assert bench.states() == {1: State.DUE, 2: state}


def test_a_late_one_starts_a_new_quiet_time_and_goes_alone(bench: Bench) -> None:
    """By default a newcomer waits for quiet again and is then sent without the others."""
    bench.put([1], scope="study", quiet=60)
    bench.clock.advance(60)
    bench.queue.release_quiet()
    bench.queue.lease("pacs", 10)
    bench.put([2], scope="study", quiet=60)
    assert bench.queue.release_quiet() == 0
    bench.clock.advance(60)
    assert bench.queue.release_quiet() == 1
    assert [each.instance_id for each in bench.queue.lease("pacs", 10)] == [2]


def test_nothing_is_released_while_filing_lags_behind(bench: Bench) -> None:
    """What still lies in the spool may break the quiet, so a quiet time that ends after it is not over."""
    bench.put([1], scope="study", quiet=60, late="ignore")
    oldest_in_spool = bench.clock() + timedelta(seconds=59)
    bench.clock.advance(300)
    assert bench.queue.release_quiet(filed_through=oldest_in_spool) == 0
    bench.put([2], scope="study", quiet=60, late="ignore")
    bench.clock.advance(60)
    assert bench.queue.release_quiet(filed_through=bench.clock()) == 2


def test_a_clock_set_back_begins_the_quiet_time_anew(bench: Bench) -> None:
    """A study does not wait a day because the clock went back a day."""
    bench.put([1], scope="study", quiet=60)
    bench.clock.advance(-86400)
    assert bench.queue.release_quiet() == 0
    bench.clock.advance(60)
    assert bench.queue.release_quiet() == 1


def test_cancelled_while_waiting_stays_cancelled(bench: Bench) -> None:
    """What a person cancelled is not released."""
    bench.put([1], scope="study", quiet=60)
    bench.queue.cancel("anna")
    bench.clock.advance(60)
    assert bench.queue.release_quiet() == 0
    assert bench.states() == {1: State.CANCELLED}
