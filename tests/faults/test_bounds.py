"""The bounds of the headline run's table."""

import pytest

from tests.faults.bounds import upper_bound


@pytest.mark.parametrize(("events", "mean"), [(0, 2.996), (1, 4.744), (2, 6.296), (10, 16.962)])
def test_bounds_are_those_of_the_tables(events: int, mean: float) -> None:
    """The exact 95 % upper limits of a Poisson mean, divided by how many there were; none at all says nothing."""
    assert upper_bound(events, 1000) == pytest.approx(mean / 1000, abs=1e-6)
    assert upper_bound(events, 0) == 1.0
