"""One ahead: what is at hand before it is asked for, and what goes wrong on the way."""

import pytest

from router.senders.ahead import Ahead


def test_no_more_than_the_next_one_is_made_ready() -> None:
    """However often it is prepared, one item is taken in advance; all come in order, then none."""
    taken: list[int] = []

    def load(item: int) -> str:
        taken.append(item)
        return str(item)

    ahead = Ahead(iter(range(4)), load)
    assert ahead.take() == "0"
    for _ in range(3):
        ahead.prepare()
    assert taken == [0, 1]
    assert [ahead.take(), ahead.take(), ahead.take(), ahead.take()] == ["1", "2", "3", None]


def test_an_error_waits_for_its_turn() -> None:
    """Preparing raises nothing; who takes what could not be prepared gets the error."""
    ahead = Ahead(iter([1, 0]), lambda item: 1 // item)
    assert ahead.take() == 1
    ahead.prepare()
    with pytest.raises(ZeroDivisionError):
        ahead.take()
