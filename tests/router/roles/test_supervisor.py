"""How long the supervisor lets a role that has ended rest. That it starts it again is shown by the scenarios."""

import pytest

from router.roles.supervisor import LONGEST_RESTART_SECONDS, rest_seconds


def test_the_first_time_it_may_have_been_an_accident() -> None:
    """A role that ends once is started again at once."""
    assert rest_seconds(failures=1) == 0.0


@pytest.mark.parametrize(("failures", "longest"), [(2, 1.0), (3, 2.0), (5, 10.0), (50, 10.0)])
def test_a_role_that_ends_again_and_again_starts_ever_less_often(failures: int, longest: float) -> None:
    """What counts is from start to start: how long it ran is no rest it has to make as well."""
    at_once, after_a_while = rest_seconds(failures), rest_seconds(failures, ran_seconds=0.5)
    assert 0.0 < at_once <= min(longest, LONGEST_RESTART_SECONDS)
    assert after_a_while == pytest.approx(at_once - 0.5)
    assert rest_seconds(failures + 1) >= at_once


def test_a_role_that_ran_for_long_does_not_rest() -> None:
    """However often it ended before."""
    assert rest_seconds(failures=50, ran_seconds=LONGEST_RESTART_SECONDS) == 0.0
