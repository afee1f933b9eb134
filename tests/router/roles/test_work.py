"""The work role: what it concludes from the spool, and when its threads rest."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from router.appliance import Appliance
from router.config import load
from router.roles import work
from tests.support.arrivals import RECEIVED_AT, sealed


@pytest.fixture
def appliance(tmp_path: Path) -> Iterator[Appliance]:
    """An appliance without processes."""
    file = tmp_path / "micropacs.yaml"
    file.write_text("appliance: {data: ./data}\narchive: {free_space: 1MB}\n", encoding="utf-8")
    appliance = Appliance.open(load(file))
    yield appliance
    appliance.close()


def test_quiet_waits_for_what_the_spool_holds(appliance: Appliance) -> None:
    """All is filed only when nothing waits; where the oldest entries vanish while they are looked at, nothing is."""
    assert work._filed_through(appliance) is None
    entry = sealed(appliance.spool, bytes(5_000_000))  # so large that it has a file of its own
    assert work._filed_through(appliance) == RECEIVED_AT
    entry.path.write_bytes(b"no file of ours any more")
    through = work._filed_through(appliance)
    assert through is not None
    assert through < datetime.now(UTC) - timedelta(days=365_000)


def test_who_is_told_how_long_rests_so_long() -> None:
    """After what was done, by the time it took; and as always where there was nothing to do."""
    stop = threading.Event()
    done = iter((0, 2, 1))
    took: list[float] = []

    def rests(seconds: float) -> list[float]:
        took.append(seconds)
        if len(took) == 2:
            stop.set()
        return []

    work._loop("filing", lambda: next(done), 0.001, stop, lambda: None, rests_after=rests).join(60)
    assert len(took) == 2
    assert all(0 <= seconds < 60 for seconds in took)
    assert list(done) == []


def test_nothing_is_done_while_it_rests() -> None:
    """The next step comes when the rest is over, or never where the order to stop comes first."""
    stop, resting = threading.Event(), threading.Event()
    steps: list[int] = []

    def step() -> int:
        steps.append(1)
        return 1

    def rests(_: float) -> list[float]:
        resting.set()
        return [0.001, 3600.0, 3600.0]

    thread = work._loop("filing", step, 0.001, stop, lambda: None, rests_after=rests)
    assert resting.wait(60)
    stop.set()
    thread.join(60)
    assert not thread.is_alive()
    assert steps == [1]


def test_trouble_in_a_rest_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the disk cannot be asked whether somebody is sending, the next step comes all the same."""
    monkeypatch.setattr(work, "TROUBLE_SECONDS", 0.001)
    stop = threading.Event()
    steps: list[int] = []

    def step() -> int:
        steps.append(1)
        if len(steps) == 3:
            stop.set()
        return 1

    def rests(_: float) -> list[float]:
        raise OSError("gone")

    work._loop("filing", step, 0.001, stop, lambda: None, rests_after=rests).join(60)
    assert len(steps) == 3
