"""Destinations that are there and say nothing any more: how soon that is noticed, and what others notice of it.

MICROPACS_DEFAULT_TIMEOUTS=1 measures with the timeouts of a destination that sets none, which takes minutes.
"""

import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pytest

from tests.faults.answering import Script, answering, noted
from tests.faults.calling import Call
from tests.faults.destinations import STEADY, destination, digests, site
from tests.faults.studies import CT, Instance, make_series
from tests.support.appliance import REPOSITORY, RunningAppliance, wait_until
from tests.support.namespaces import namespace, needs_namespaces
from tests.support.ports import free_port

pytestmark = pytest.mark.slow

HAS_DEFAULTS = bool(os.environ.get("MICROPACS_DEFAULT_TIMEOUTS"))
TIMEOUTS = "" if HAS_DEFAULTS else ", timeouts: {connect: 2s, pdu: 2s, response: 2s}"
LONGEST_SECONDS = 62.0 if HAS_DEFAULTS else 4.0  # the timeout, and two more for the peer to close
TOLERANCE_SECONDS = 4.0  # a busy machine
MANY = 16
PIXEL_BYTES = 500_000


class Beside:
    """What a destination without trouble sees: a scanner sends at a steady pace, and each delay is measured."""

    def __init__(self, appliance: RunningAppliance, script: Script) -> None:
        self._appliance = appliance
        self._script = script
        self.sent: list[Instance] = []

    def p95(self, study: int, after: Callable[[int], None] = lambda _: None) -> float:
        """Send a study and give the 95th percentile of the seconds from its Success to its copy at the destination."""
        call = Call(self._appliance.port, "ROOM1", CT)
        answered: dict[str, float] = {}
        for index, instance in enumerate(make_series(15, study, MANY, PIXEL_BYTES)):
            assert call.store(instance) == 0
            answered[instance.uid] = time.time()
            self.sent.append(instance)
            after(index)
            time.sleep(0.05)
        call.release()
        wait_until(lambda: len(self._script.requests) >= len(self.sent), 30, "the other destination to have it all")
        delays = [each.at - answered[each.uid] for each in self._script.requests if each.uid in answered]
        return statistics.quantiles(delays, n=20)[-1]


@contextmanager
def _peer(command: Sequence[str], host: str, ledger: Path) -> Iterator[tuple["subprocess.Popen[bytes]", int]]:
    """A peer in a process of its own that reads through a small buffer, so that it can be stopped in the middle."""
    port = free_port()
    program = [sys.executable, "-m", "tests.faults.answering", host, str(port), "TROUBLE", str(ledger)]
    process = subprocess.Popen([*command, *program, "16384", "8192"], cwd=REPOSITORY)
    try:
        yield process, port
    finally:
        process.send_signal(signal.SIGCONT)
        process.terminate()
        process.wait()


def _noticed(appliance: RunningAppliance) -> tuple[float, str] | None:
    """When the destination in trouble was first found to be, and what is said of it."""
    [(since, why)] = appliance.sql("select failing_since, last_error from destinations where name = 'trouble'")
    return (datetime.fromisoformat(f"{since}+00:00").timestamp(), str(why)) if since else None


def _is_connected(port: int) -> bool:
    """Whether we have an established connection to a port, wherever it is."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]]
    return any(row[2].endswith(f":{port:04X}") and row[3] == "01" for row in rows)


@dataclass(frozen=True)
class Fault:
    """What happens to the peer at `port`; in the middle of an instance, or `idle`, while it has no association."""

    name: str
    port: int
    begin: Callable[[], None]
    end: Callable[[], None]
    why: str
    idle: bool = False


def _go_through(appliance: RunningAppliance, beside: Beside, ledger: Path, fault: Fault) -> None:
    """It is noticed in time, delays nobody else, and ends without loss."""
    usual = beside.p95(len(beside.sent))
    wait_until(lambda: len(noted(ledger)) >= len(beside.sent), 30, "the peer to have what came before its trouble")
    if fault.idle:
        wait_until(lambda: not _is_connected(fault.port), 30, "the association to be released")
    began = 0.0

    def begin(index: int) -> None:
        nonlocal began
        if index == (-1 if fault.idle else MANY // 3):
            fault.begin()
            began = time.time()

    begin(-1)
    try:
        troubled = beside.p95(len(beside.sent), begin)
        wait_until(lambda: _noticed(appliance), LONGEST_SECONDS + 30, "the trouble to be noticed")
        since, why = _noticed(appliance) or (0.0, "")
    finally:
        fault.end()
    p95s = f"p95 beside it {troubled:.3f} s, without {usual:.3f} s"
    print(f"{fault.name}: noticed after {since - began:.1f} s ({why}); {p95s}")
    assert 0 < since - began < LONGEST_SECONDS + TOLERANCE_SECONDS
    assert fault.why in why
    assert troubled < max(3 * usual, usual + 1.0)
    appliance.delivered("trouble", len(beside.sent), 60)
    copies = noted(ledger)
    assert {uid: {sha256} for uid, sha256, _ in copies} == digests(beside.sent)
    print(f"{fault.name}: all delivered once it was back, {len(copies) - len(beside.sent)} sent again so far")


@contextmanager
def _site(folder: Path, host: str, port: int) -> Iterator[tuple[RunningAppliance, Beside]]:
    """An appliance with one destination in trouble and one without."""
    script = Script()
    with answering({"GOOD": script}) as good:
        settings = {
            "good": destination("GOOD", good),
            "trouble": destination("TROUBLE", port, f"{STEADY}{TIMEOUTS}", host),
        }
        with site(folder, settings) as appliance:
            yield appliance, Beside(appliance, script)


def test_a_peer_that_stops_in_the_middle(tmp_path: Path) -> None:
    """Its process is stopped while it reads an instance: its connections stay, and nothing comes any more."""
    ledger = tmp_path / "ledger"
    with (
        _peer([], "127.0.0.1", ledger) as (process, port),
        _site(tmp_path / "site", "127.0.0.1", port) as (appliance, beside),
    ):
        stop, go_on = (lambda: process.send_signal(signal.SIGSTOP)), (lambda: process.send_signal(signal.SIGCONT))
        _go_through(appliance, beside, ledger, Fault("stopped", port, stop, go_on, "did not answer"))


@needs_namespaces
def test_a_line_that_is_cut_and_a_peer_that_answers_no_call(tmp_path: Path) -> None:
    """The line is pulled in the middle of an instance; later whoever connects gets no answer at all."""
    ledger = tmp_path / "ledger"
    with (
        namespace() as away,
        _peer(away.command(), away.far, ledger) as (_, port),
        _site(tmp_path / "site", away.far, port) as (appliance, beside),
    ):
        cut, mend = (lambda: away.line(up=False)), (lambda: away.line(up=True))
        _go_through(appliance, beside, ledger, Fault("line cut", port, cut, mend, "did not answer"))
        deaf, hears = (lambda: away.deaf(deaf=True)), (lambda: away.deaf(deaf=False))
        _go_through(appliance, beside, ledger, Fault("no answer to a call", port, deaf, hears, "reached", idle=True))
