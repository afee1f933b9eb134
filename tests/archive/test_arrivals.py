"""The names of arrivals rise strictly, whoever gives them out, and whatever clocks do."""

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archive.arrivals import ArrivalNames, is_arrival, named_at

NOON = 1_767_268_800_000_000  # 2026-01-01T12:00:00Z, microseconds since 1970
STEPS = st.sampled_from((0, 0, 1, 700, 20_000, -1, -5_000, 3_600_000_000, -3_600_000_000))


class Clock:
    """A wall clock that goes only when it is told to."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> int:
        """Nanoseconds since 1970."""
        return self.now * 1000


def _number_in(path: Path) -> int:
    return int(path.read_bytes()[:16], 16)


@settings(max_examples=60, deadline=None)
@given(turns=st.lists(st.tuples(st.integers(0, 2), st.integers(1, 30), STEPS, st.booleans()), max_size=12))
def test_names_rise_over_all_who_give_them_out(
    tmp_path_factory: pytest.TempPathFactory, turns: list[tuple[int, int, int, bool]]
) -> None:
    """Three of one file, one after the other or in turns, some dying between: each name is above all before it.

    Nothing is closed by those that die, so that only what they left in the file is known of them.
    """
    path = tmp_path_factory.mktemp("names") / "last-arrival"
    clock = Clock()
    everybody = [ArrivalNames(path, clock=clock) for _ in range(3)]
    names: list[str] = []
    for who, count, step, dies in turns:
        for _ in range(count):
            names.append(everybody[who].next())
            assert _number_in(path) >= named_at(names[-1])
        clock.now += step
        if dies:
            everybody[who] = ArrivalNames(path, clock=clock)
    assert all(map(is_arrival, names))
    assert all(earlier[:16] < later[:16] for earlier, later in pairwise(names))


def test_numbers_are_reserved_where_nobody_else_is(tmp_path: Path) -> None:
    """Who is alone is soon ahead in the file of what it gave out; who is not never is, and nothing is passed over."""
    path = tmp_path / "last-arrival"
    clock = Clock()
    one, other = ArrivalNames(path, clock=clock), ArrivalNames(path, clock=clock)
    for number in range(50):
        assert named_at((one, other)[number % 2].next()) == _number_in(path) == NOON + number
    assert any(named_at(one.next()) < _number_in(path) for _ in range(50))


def test_names_are_above_what_was_there(tmp_path: Path) -> None:
    """What is found in the spool has a name that is passed, before names were reserved and while they are."""
    names = ArrivalNames(tmp_path / "last-arrival", at_least=f"{NOON + 10:016x}00000000", clock=Clock())
    assert named_at(names.next()) == NOON + 11
    for _ in range(50):
        names.next()
    names.go_on_after(f"{NOON + 5_000_000:016x}00000000")
    assert named_at(names.next()) == NOON + 5_000_001
    names.close()
