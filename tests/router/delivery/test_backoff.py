"""How long to wait, and when to stop."""

from datetime import UTC, datetime, timedelta

import pytest

from router.delivery.backoff import reason_to_give_up, wait_seconds
from tests.support.deliveries import GiveUp, Retry

NOW = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("failures", "seconds"),
    [(1, 30), (2, 60), (3, 120), (4, 240), (5, 480), (6, 960), (7, 1920), (8, 3600), (10**6, 3600)],
)
def test_waits_double_up_to_the_longest(failures: int, seconds: float) -> None:
    """With the default settings the waits are 30 s, 1, 2, 4, 8, 16, 32 minutes and then always one hour."""
    assert wait_seconds(Retry(), failures) == seconds


def test_factor_one_waits_always_the_same() -> None:
    """A factor of 1 means a steady interval, however many failures there were."""
    assert [wait_seconds(Retry(first=5, factor=1), failures) for failures in (1, 2, 10**9)] == [5, 5, 5]


def test_72_hours_of_outage_cost_less_than_80_probes() -> None:
    """A destination that is down for three days is probed a bounded number of times."""
    waited, failures = 0.0, 0
    while waited < 72 * 3600:
        failures += 1
        waited += wait_seconds(Retry(), failures)
    assert failures < 80


@pytest.mark.parametrize(
    ("give_up", "attempts", "due_hours_ago", "gives_up"),
    [
        (GiveUp(), 10**6, 10**5, False),
        (GiveUp(attempts=3), 2, 1000, False),
        (GiveUp(attempts=3), 3, 0, True),
        (GiveUp(seconds=3600), 1000, 0.9, False),
        (GiveUp(seconds=3600), 1, 1, True),
    ],
)
def test_gives_up_as_configured(give_up: GiveUp, attempts: int, due_hours_ago: float, gives_up: bool) -> None:
    """`never` never gives up; a number counts attempts, a duration counts from when the delivery became due."""
    why = reason_to_give_up(Retry(give_up=give_up), attempts, NOW - timedelta(hours=due_hours_ago), NOW)
    assert (why is not None) is gives_up
