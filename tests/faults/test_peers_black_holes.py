"""Destinations that are there and say nothing any more: how soon that is noticed, and what others notice of it.

MICROPACS_DEFAULT_TIMEOUTS=1 measures with the timeouts of a destination that sets none, which takes minutes.
"""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pytest

from tests.faults.answering import Pace, Script, answering
from tests.faults.beside import Beside, PeerProcess, peer_process
from tests.faults.destinations import STEADY, destination, digests, site
from tests.support.appliance import RunningAppliance, wait_until
from tests.support.extent import extent
from tests.support.figures import figure
from tests.support.namespaces import namespace, needs_namespaces

pytestmark = pytest.mark.slow

HAS_DEFAULTS = bool(os.environ.get("MICROPACS_DEFAULT_TIMEOUTS", extent("", "1")))
TIMEOUTS = "" if HAS_DEFAULTS else ", timeouts: {connect: 2s, pdu: 2s, response: 2s}"
LONGEST_SECONDS = 62.0 if HAS_DEFAULTS else 4.0  # the timeout, and two more for the peer to close
TOLERANCE_SECONDS = 6.0  # a busy machine
MANY, PIXEL_BYTES = 16, 500_000
SMALL = Pace(piece=16384, buffer=8192)  # so that much of an instance is under way when it stops


def _noticed(appliance: RunningAppliance) -> tuple[float, str] | None:
    """When the destination in trouble was first found to be, and what is said of it."""
    [(since, why)] = appliance.sql("select failing_since, last_error from destinations where name = 'trouble'")
    return (datetime.fromisoformat(f"{since}+00:00").timestamp(), str(why)) if since else None


def _tried(appliance: RunningAppliance) -> list[str]:
    """What came of the attempts that did not deliver."""
    rows = appliance.sql("select reason from attempts where destination = 'trouble' and outcome <> 'delivered'")
    return [str(reason) for (reason,) in rows]


def _to_be_sent(port: int) -> int | None:
    """How many bytes wait to be taken in at a port, wherever it is, by an established connection; None without one."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]]
    found = [int(row[4][:8], 16) for row in rows if row[2].endswith(f":{port:04X}") and row[3] == "01"]
    return max(found, default=None)


def _is_within_an_instance(port: int) -> bool:
    """Whether a good part of one is still to be sent; looked for, for as long as a busy machine takes for several."""
    deadline = time.monotonic() + 30
    while (_to_be_sent(port) or 0) < PIXEL_BYTES // 20 and time.monotonic() < deadline:
        time.sleep(0.001)
    return time.monotonic() < deadline


@dataclass(frozen=True)
class Fault:
    """What happens to the peer, in the middle of an instance or, `idle`, while it has no association."""

    name: str
    begin: Callable[[], None]
    end: Callable[[], None]
    why: str
    idle: bool = False


def _go_through(appliance: RunningAppliance, beside: Beside, peer: PeerProcess, fault: Fault) -> None:
    """It is noticed in time, delays nobody else, and ends without loss."""
    usual = beside.p95()
    wait_until(lambda: len(peer.copies()) >= len(beside.sent), 30, "the peer to have what came before its trouble")
    if fault.idle:
        wait_until(lambda: _to_be_sent(peer.port) is None, 30, "the association to be released")
    began = 0.0

    def begin() -> None:
        nonlocal began
        if fault.idle or _is_within_an_instance(peer.port):
            fault.begin()
            began = time.time()

    beginning = threading.Thread(target=begin)
    if fault.idle:
        begin()
    try:
        troubled = beside.p95(lambda index: beginning.start() if index == MANY // 3 and not fault.idle else None)
        if not fault.idle:
            beginning.join()
        assert began, "no instance was ever found under way"
        wait_until(lambda: _noticed(appliance), LONGEST_SECONDS + 30, "the trouble to be noticed")
        since, why = _noticed(appliance) or (0.0, "")
    finally:
        fault.end()
    p95s = f"p95 beside it {troubled:.3f} s, without {usual:.3f} s"
    figure(f"{fault.name}: noticed after {since - began:.1f} s ({why}); {p95s}, n = {MANY} each")
    assert 0 < since - began < LONGEST_SECONDS + TOLERANCE_SECONDS
    assert not fault.idle or fault.why in why
    assert troubled < max(2 * usual, usual + 1.5)
    appliance.delivered("trouble", len(beside.sent), 60)
    if not fault.idle:  # of a lot that was delivered in part the destination is called failed at the next attempt only
        assert any(fault.why in reason for reason in _tried(appliance)), _tried(appliance)
    copies = peer.copies()
    assert {uid: {sha256} for uid, sha256 in copies} == digests(beside.sent)
    again = len(copies) - len(beside.sent)
    figure(f"{fault.name}: all n = {len(beside.sent)} delivered once it was back, {again} sent again")


@contextmanager
def _site(folder: Path, peer: PeerProcess) -> Iterator[tuple[RunningAppliance, Beside]]:
    """An appliance with one destination that gets into trouble and one that does not."""
    script = Script()
    with answering({"GOOD": script}) as good:
        settings = {
            "good": destination("GOOD", good),
            "trouble": destination("TROUBLE", peer.port, f"{STEADY}{TIMEOUTS}", peer.host),
        }
        with site(folder, settings) as appliance:
            yield appliance, Beside(appliance, script, MANY, PIXEL_BYTES)


def test_a_peer_that_stops_in_the_middle(tmp_path: Path) -> None:
    """Its process is stopped while it reads an instance: its connections stay, and nothing comes any more."""
    with (
        peer_process(tmp_path, "TROUBLE", pace=SMALL) as peer,
        _site(tmp_path / "site", peer) as (appliance, beside),
    ):
        send = peer.process.send_signal
        stop, go_on = (lambda: send(signal.SIGSTOP)), (lambda: send(signal.SIGCONT))
        _go_through(appliance, beside, peer, Fault("stopped", stop, go_on, "did not answer"))


@needs_namespaces
def test_a_line_that_is_cut_and_a_peer_that_answers_no_call(tmp_path: Path) -> None:
    """The line is pulled in the middle of an instance; later whoever connects gets no answer at all."""
    with (
        namespace() as away,
        peer_process(tmp_path, "TROUBLE", pace=SMALL, host=away.far, command=away.command()) as peer,
        _site(tmp_path / "site", peer) as (appliance, beside),
    ):
        cut, mend = (lambda: away.line(up=False)), (lambda: away.line(up=True))
        _go_through(appliance, beside, peer, Fault("line cut", cut, mend, "did not answer"))
        deaf, hears = (lambda: away.deaf(deaf=True)), (lambda: away.deaf(deaf=False))
        _go_through(appliance, beside, peer, Fault("no answer to a call", deaf, hears, "cannot be reached", idle=True))
