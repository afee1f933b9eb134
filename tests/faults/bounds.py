"""The upper end of what a count of rare events says about their rate. Knows nothing of what is counted."""

import math

CONFIDENCE = 0.95


def upper_bound(events: int, trials: int) -> float:
    """The exact (Poisson) one-sided 95 % upper bound of the rate; with no event that is 3 / n."""
    if trials == 0:
        return 1.0
    low, high = 0.0, 10.0 + 3.0 * (events + 1)
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if _at_most(events, middle) > 1 - CONFIDENCE else (low, middle)
    return min(1.0, high / trials)


def _at_most(events: int, mean: float) -> float:
    """The probability of so many events or fewer."""
    return sum(math.exp(-mean + each * math.log(mean) - math.lgamma(each + 1)) for each in range(events + 1))
