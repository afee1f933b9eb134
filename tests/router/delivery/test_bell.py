"""What is ordered in one program is heard in another at once."""

from pathlib import Path

from router.delivery import Bell, Queue
from tests.support.deliveries import Bench


def test_a_ring_is_heard_once_by_each_who_listens(tmp_path: Path) -> None:
    """Each has a bell of its own on the same file, and hears what came since it asked last, not what was before."""
    command = Bell(tmp_path / "bell")
    command.ring()
    first, second = Bell(tmp_path / "bell"), Bell(tmp_path / "bell")
    assert not first.has_rung()
    command.ring()
    assert [first.has_rung(), second.has_rung(), first.has_rung()] == [True, True, False]
    for _ in range(3):
        command.ring()
        assert first.has_rung()


def test_nobody_fails_for_want_of_a_bell(tmp_path: Path) -> None:
    """A folder that is away costs only the quick way."""
    bell = Bell(tmp_path / "away" / "bell")
    bell.ring()
    assert not bell.has_rung()


def test_orders_ring(bench: Bench, tmp_path: Path) -> None:
    """Resuming a destination and trying again do; looking does not."""
    listener = Bell(tmp_path / "bell")
    queue = Queue(bench.database, "a command", bench.clock, bell=Bell(tmp_path / "bell"))
    queue.configure(["pacs"])
    queue.pause("pacs", "for a test")
    queue.overview()
    assert not listener.has_rung()
    assert queue.resume("pacs")
    assert listener.has_rung()
    queue.retry("pacs")
    assert listener.has_rung()
