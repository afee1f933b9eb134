"""What is ordered in one program is heard in another at once."""

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from router.delivery import Bell, Queue
from tests.support.deliveries import Bench

_SOON = 20.0


def _hears(bell: Bell, act: Callable[[], object]) -> bool:
    """Whether who listens hears what `act` rings."""
    heard, enough = threading.Event(), threading.Event()
    bell.listen(heard.set, enough)
    act()
    enough.set()
    return heard.wait(_SOON)


def test_the_last_who_listens_is_rung(tmp_path: Path) -> None:
    """Also when a process that listened before has died and left its port behind."""
    bell, died = Bell(tmp_path / "bell"), threading.Event()
    bell.listen(died.set, died)
    assert _hears(bell, bell.ring)
    assert not died.is_set()
    assert [path.name for path in tmp_path.iterdir()] == ["bell"]


@pytest.mark.parametrize("port", [None, "", "no port", "1e3", "99999999999999999999", "70000", "-1"])
def test_nobody_fails_for_want_of_a_bell(tmp_path: Path, port: str | None) -> None:
    """Where nobody listens, or the file is not what it should be, only the quick way is lost."""
    if port is not None:
        (tmp_path / "bell").write_text(port, "ascii")
    Bell(tmp_path / "bell").ring()
    assert _hears(Bell(tmp_path / "bell"), Bell(tmp_path / "bell").ring)


def test_where_it_cannot_be_heard_that_is_told(tmp_path: Path) -> None:
    """A folder that is away is an OSError for who wants to listen."""
    with pytest.raises(OSError, match="away"):
        Bell(tmp_path / "away" / "bell").listen(lambda: None, threading.Event())


@pytest.mark.parametrize("order", ["resume", "retry"])
def test_orders_ring(bench: Bench, tmp_path: Path, order: str) -> None:
    """Resuming a destination and trying again do."""
    bell = Bell(tmp_path / "bell")
    queue = Queue(bench.database, "a command", bench.clock, bell=bell)
    queue.configure(["pacs"])
    assert queue.pause("pacs", "for a test")
    assert _hears(bell, lambda: getattr(queue, order)("pacs"))
