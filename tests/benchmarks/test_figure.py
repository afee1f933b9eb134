"""Benchmark figures: medians, ratios and verdicts."""

import pytest

from benchmarks.figure import Bound, Figure, at_least, at_most, ours_alone, ours_to_peer, peer_to_ours


def test_ours_to_peer_divides_medians() -> None:
    """One slow round on either side changes nothing."""
    figure = ours_to_peer("x", "s", [1.0, 9.0, 1.2], [0.5, 0.6, 7.0], "storescp")
    assert (figure.ours, figure.peer) == (1.2, 0.6)
    assert figure.ratio == pytest.approx(2.0)
    assert figure.samples == {"ours": [1.0, 9.0, 1.2], "peer": [0.5, 0.6, 7.0]}


def test_peer_to_ours_says_how_many_times_faster_ours_is() -> None:
    """Its ratio is the other way round."""
    assert peer_to_ours("x", "s", [2.0], [60.0], "storescp").ratio == pytest.approx(30.0)


def test_without_a_ratio_ours_is_judged() -> None:
    """A figure that stands alone is held against its bounds itself."""
    figure = ours_alone("x", "ms", [0.4, 0.2, 0.6], at_most(0.5), at_most(0.3))
    assert figure.judged == 0.4
    assert figure.verdict == "reached"


@pytest.mark.parametrize(
    ("ratio", "reach", "beyond", "verdict"),
    [
        (1.0, at_most(1.4), at_most(1.1), "beyond"),
        (1.1, at_most(1.4), at_most(1.1), "beyond"),
        (1.2, at_most(1.4), at_most(1.1), "reached"),
        (1.5, at_most(1.4), at_most(1.1), "missed"),
        (45.0, at_least(25), at_least(40), "beyond"),
        (30.0, at_least(25), at_least(40), "reached"),
        (20.0, at_least(25), at_least(40), "missed"),
        (1.0, at_most(1.2), None, "reached"),
        (1.0, None, None, ""),
    ],
)
def test_verdict(ratio: float, reach: Bound | None, beyond: Bound | None, verdict: str) -> None:
    """A bound that is just met is met; without one there is no verdict."""
    assert Figure("x", "s", 5.0, 5.0, "peer", ratio, reach, beyond).verdict == verdict
