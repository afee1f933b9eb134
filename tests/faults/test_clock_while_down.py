"""The clock is set while the appliance is not running: what waits has as long to wait as it had, and this is told.

`MICROPACS_EVERY_POINT=1` sets it by a quarter of an hour as well as by a day.
"""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from tests.faults.calling import Call
from tests.faults.studies import CT, make_instance
from tests.support.appliance import RunningAppliance, wait_until
from tests.support.clocks import SetClock, needs_faketime
from tests.support.extent import extent
from tests.support.figures import figure
from tests.support.ports import free_port

pytestmark = [needs_faketime, pytest.mark.slow, pytest.mark.xdist_group("faults")]

DAY = 86400.0
QUARTER = 900.0
NEAR_SECONDS = 1.0  # to which a wait is as long as it was: clocks are compared, not timed
YAML = """
appliance: {{ae_title: MICROPACS, listen: "127.0.0.1:{{port}}", data: ./data}}
sources: {{room1: {{ae_title: ROOM1, host: 127.0.0.1}}}}
destinations:
  down: {{ae_title: DOWN, host: 127.0.0.1, port: {down}, retry: {{first: 20m, factor: 1, longest: 20m}}}}
  quiet: {{ae_title: QUIET, host: 127.0.0.1, port: {down}}}
routes:
  - {{name: at once, to: [down]}}
  - {{name: when quiet, after: study quiet 30m, to: [quiet]}}
archive: {{free_space: 100MB}}
"""
WAITS = {
    "the next attempt": "select retry_at from destinations where name = 'down' and failures > 0",
    "quiet": "select release_at from quiet_periods where released_at is null",
}


@pytest.fixture(scope="module")
def clock(tmp_path_factory: pytest.TempPathFactory) -> SetClock:
    """The appliance's."""
    return SetClock(tmp_path_factory.mktemp("clock"))


@pytest.fixture(scope="module")
def appliance(tmp_path_factory: pytest.TempPathFactory, clock: SetClock) -> Iterator[RunningAppliance]:
    """With an instance that waits for a destination that is down, and for quiet."""
    folder: Path = tmp_path_factory.mktemp("site")
    with RunningAppliance(folder, YAML.format(down=free_port()), clock.environment) as appliance:
        call = Call(appliance.port, "ROOM1", CT)
        assert call.store(make_instance("2.25.61", "2.25.61.1", "2.25.61.2")) == 0
        call.release()
        wait_until(lambda: len(_due(appliance)) == len(WAITS), 60, "it to wait everywhere")
        yield appliance


def _due(appliance: RunningAppliance) -> dict[str, float]:
    """When what waits is due, by the wall clock; without what does not wait."""
    found = {name: appliance.sql(query) for name, query in WAITS.items()}
    return {name: datetime.fromisoformat(f"{rows[0][0]}+00:00").timestamp() for name, rows in found.items() if rows}


@pytest.mark.parametrize("step", extent([DAY, -DAY], [DAY, -DAY, QUARTER, -QUARTER]))
def test_what_waits_goes_on_waiting(appliance: RunningAppliance, clock: SetClock, step: float) -> None:
    """Forward and back: nothing is early and nothing stuck; journal and `status` tell it."""
    told = "select count(*) from journal where kind = 'clock set'"
    before, events = _due(appliance), appliance.count(told)
    appliance.stop()
    clock.step(step)
    appliance.start()
    wait_until(lambda: appliance.count(told) > events, 60, "it to be noticed")
    after = _due(appliance)
    moved = ", ".join(f"{name} {after[name] - before[name]:+.3f} s" for name in after)
    figure(f"clock set by {step:+g} s while down, n = {len(after)} waits moved: {moved}")
    assert after == {name: pytest.approx(due + step, abs=NEAR_SECONDS) for name, due in before.items()}
    assert appliance.count(told) == events + 1
    status = appliance.json("status")
    assert isinstance(status, dict)
    assert status["clock_set"][0]["seconds"] == pytest.approx(step, abs=NEAR_SECONDS)
    words = f"was set {'forward' if step > 0 else 'back'} by {'1d' if abs(step) == DAY else '15m'}"
    assert words in " ".join(appliance.run("status").stdout.split())
