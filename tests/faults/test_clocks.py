"""The clock is set while an appliance runs, and it becomes summer and winter: nothing is stuck, early or doubled."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from tests.faults.calling import Call
from tests.faults.receiving import Receiver
from tests.faults.senders import noted
from tests.faults.studies import CT, Instance, make_instance
from tests.support.appliance import RunningAppliance, wait_until
from tests.support.clocks import SetClock, needs_faketime
from tests.support.extent import EVERY_POINT, extent
from tests.support.figures import figure
from tests.support.ports import free_port

pytestmark = [needs_faketime, pytest.mark.slow, pytest.mark.xdist_group("faults")]

WAIT_SECONDS = 8.0  # of a study until it is quiet, of a destination until it is tried again
SLOW_SECONDS = extent(2.0, 35.0)  # on the wire: in full, longer than it takes to find expired leases
LATE_SECONDS = 30.0 + SLOW_SECONDS  # what has not come by then is stuck
BEFORE_SECONDS = 4.0
DAY = 86400.0
BERLIN = "Europe/Berlin"
NOON = datetime(2026, 3, 11, 12, tzinfo=ZoneInfo(BERLIN))
TO_SUMMER = datetime(2026, 3, 29, 3, tzinfo=ZoneInfo(BERLIN))
TO_WINTER = datetime(2026, 10, 25, 2, fold=1, tzinfo=ZoneInfo(BERLIN))
AT_TWO, AT_THREE = "two", "three"  # destinations that are open from then on for half an hour
NAMES = ("now", "down", "slow", "quiet", AT_TWO, AT_THREE)
CHANGES = [(TO_SUMMER, AT_THREE, AT_TWO), (TO_WINTER, AT_TWO, AT_THREE)]
YAML = """
appliance: {{ae_title: MICROPACS, listen: "127.0.0.1:{{port}}", data: ./data}}
sources: {{room1: {{ae_title: ROOM1, host: 127.0.0.1}}}}
destinations:
  now: {{ae_title: NOW, host: 127.0.0.1, port: {now}}}
  down: {{ae_title: DOWN, host: 127.0.0.1, port: {down}, retry: {{first: {wait}, factor: 1, longest: 1h}}}}
  slow: {{ae_title: SLOW, host: 127.0.0.1, port: {slow}}}
  quiet: {{ae_title: QUIET, host: 127.0.0.1, port: {quiet}}}
  two: {{ae_title: TWO, host: 127.0.0.1, port: {two}, window: "02:00-02:30"}}
  three: {{ae_title: THREE, host: 127.0.0.1, port: {three}, window: "03:00-03:30"}}
routes:
  - {{name: at once, to: [now, down, slow, two, three]}}
  - {{name: when quiet, after: study quiet {wait}, to: [quiet]}}
archive: {{free_space: 100MB, verify: every 5s}}
"""


@dataclass
class Round:
    """What one change of the clock brought about."""

    stuck: int = 0
    early: int = 0
    doubled: int = 0


@dataclass
class Site:
    """An appliance with its clock and its destinations."""

    appliance: RunningAppliance
    clock: SetClock
    receivers: dict[str, Receiver]
    folder: Path
    studies: list[Instance] = field(default_factory=list)

    def send(self) -> tuple[str, float]:
        """One instance of a new study; its UID, and when (monotonic) it was begun."""
        study = f"2.25.60{len(self.studies)}"
        self.studies.append(make_instance(study, f"{study}.1", f"{study}.2"))
        began = time.monotonic()
        call = Call(self.appliance.port, "ROOM1", CT)
        assert call.store(self.studies[-1]) == 0
        call.release()
        return self.studies[-1].uid, began

    def copies(self, name: str, uid: str) -> list[float]:
        """When (monotonic) the destination got it."""
        ledger = self.folder / name / "copies.jsonl"
        return [each["at"] for each in noted(ledger) if each["uid"] == uid]

    def arrives(self, uid: str, began: float, found: Round) -> None:
        """At all destinations that have no opening hours, and in the manifest; what was sent at `began`, not early."""
        for name in ("now", "down", "slow", "quiet"):
            self.came(name, uid, began + WAIT_SECONDS * (name in {"down", "quiet"}), found)
        stale = "select manifest_stale from studies where study_instance_uid = ?"
        found.stuck += not _in_time(lambda: self.appliance.sql(stale, uid.rpartition(".")[0]) == [(0,)])

    def came(self, name: str, uid: str, earliest: float, found: Round) -> None:
        """It comes, not before this, and once."""
        found.stuck += not _in_time(lambda: bool(self.copies(name, uid)))
        copies = self.copies(name, uid)
        found.early += bool(copies) and copies[0] < earliest
        found.doubled += len(copies) > 1

    def verified_at(self) -> datetime:
        """When the round of verification began that is under way, or was the last."""
        [(began_at,)] = self.appliance.sql("select began_at from verification")
        return datetime.fromisoformat(str(began_at)).replace(tzinfo=UTC)

    def has_failed(self) -> bool:
        """Whether `down` was tried in vain."""
        return self.appliance.count("select failures from destinations where name = 'down'") > 0


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """An appliance at noon in Berlin."""
    folder = tmp_path_factory.mktemp("clocks")
    (folder / "site").mkdir()
    clock = SetClock(folder, BERLIN)
    clock.set(NOON)
    ports = {name: free_port() for name in NAMES}
    receivers = {name: Receiver(folder / name, name, port, lambda _: None) for name, port in ports.items()}
    receivers["slow"].slow_seconds = SLOW_SECONDS
    yaml = YAML.format(**ports, wait=f"{WAIT_SECONDS:g}s")
    try:
        with RunningAppliance(folder / "site", yaml, clock.environment) as appliance:
            yield Site(appliance, clock, receivers, folder)
    finally:
        for receiver in receivers.values():
            receiver.close()


def _waiting(site: Site) -> tuple[str, float]:
    """An instance that waits everywhere: for quiet, for the next attempt, for an answer, for an opening hour."""
    site.receivers["down"].stop()
    site.receivers["slow"].trouble("answers slowly")
    uid, began = site.send()
    wait_until(lambda: site.copies("now", uid) and site.has_failed(), 90, "it to be tried everywhere")
    return uid, began


def _in_time(comes_about: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + LATE_SECONDS
    while not comes_about() and time.monotonic() < deadline:
        time.sleep(0.05)
    return comes_about()


@pytest.mark.parametrize("step", [DAY, -DAY], ids=["forward", "back"])
def test_the_clock_is_set_by_a_day(site: Site, step: float) -> None:
    """What waits goes on waiting as long as it had to and no longer; opening hours are those of the clock as it is."""
    site.clock.set(NOON)
    found = Round()
    first, began = _waiting(site)
    left = began + WAIT_SECONDS - time.monotonic()
    site.clock.step(step)
    is_set = site.clock.now()
    site.receivers["down"].start()
    second, then = site.send()
    site.arrives(first, began, found)
    for name, earliest in (("now", then), ("quiet", then + WAIT_SECONDS), ("down", began + WAIT_SECONDS)):
        site.came(name, second, earliest, found)
    found.early += sum(len(site.copies(name, uid)) for name in (AT_TWO, AT_THREE) for uid in (first, second))
    if EVERY_POINT:
        found.stuck += not _in_time(lambda: is_set <= site.verified_at() <= site.clock.now())
    figure(
        f"clock set by {step:+g} s, {left:.1f} s before what waited was due, n = {len(site.studies)} studies: {found}"
    )
    assert found == Round()
    sent = [each.uid for each in site.studies]
    assert [uid for (uid,) in site.appliance.sql("select sop_instance_uid from instances order by arrival")] == sent
    filed = "select study_instance_uid from journal join studies on studies.id = journal.study_id where kind = 'filed'"
    assert [f"{study}.2" for (study,) in site.appliance.sql(f"{filed} order by journal.id")] == sent
    assert site.appliance.run("status").returncode == 0


@pytest.mark.parametrize(("change", "opens", "stays"), extent(CHANGES[1:], CHANGES))
def test_it_becomes_summer_and_winter(site: Site, change: datetime, opens: str, stays: str) -> None:
    """Waits are as long as ever; at 2:00 it is 3:00 and what opens then does, at 3:00 it is 2:00 once more."""
    site.clock.set(change.astimezone(UTC) - timedelta(seconds=BEFORE_SECONDS))
    changes = time.monotonic() + BEFORE_SECONDS
    found = Round()
    uid, began = _waiting(site)
    site.receivers["down"].start()
    site.came(opens, uid, changes, found)
    site.arrives(uid, began, found)
    found.early += len(site.copies(stays, uid))
    figure(f"it became {change:%H:%M %Z}: {found}")
    assert found == Round()
