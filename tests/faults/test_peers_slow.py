"""Destinations that read byte by byte, answer late, or lie behind a thin line: they cost time and nothing else.

MICROPACS_ANSWER_SECONDS=30 lets the late one take so long, and makes all instances ten times larger.
"""

import os
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.faults.answering import Pace, Script, answering
from tests.faults.beside import Beside, PeerProcess, peer_process
from tests.faults.destinations import STEADY, destination, digests, send, site
from tests.faults.studies import Instance, make_series
from tests.support.appliance import RunningAppliance
from tests.support.extent import extent
from tests.support.figures import figure
from tests.support.namespaces import namespace, needs_namespaces

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the memory of a process is read from /proc"),
]

ANSWER_SECONDS = float(os.environ.get("MICROPACS_ANSWER_SECONDS", extent(0.5, 30)))
TIMES = 10 if ANSWER_SECONDS >= 30 else 1
MANY, PIXEL_BYTES = 10, extent(30_000, 60_000) * TIMES
LARGE_BYTES = extent(600_000, 1_500_000) * TIMES
CEILING_BYTES = 64_000_000
LONGEST_SECONDS = 200 + MANY * ANSWER_SECONDS * 4


def _memory(appliance: RunningAppliance, what: str) -> int:
    """Bytes of the work role that are in memory now (VmRSS), or were at most (VmHWM)."""
    status = Path(f"/proc/{appliance.roles()['work']}/status").read_text(encoding="ascii")
    return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith(f"{what}:"))


def _drained(appliance: RunningAppliance, peers: Mapping[str, PeerProcess], beside: Beside) -> None:
    """Everything arrived everywhere, whole, once and at the first attempt."""
    for name in peers:
        appliance.delivered(name, len(beside.sent), LONGEST_SECONDS)
    for name, peer in peers.items():
        copies = peer.copies()
        assert {uid: {sha256} for uid, sha256 in copies} == digests(beside.sent), name
        assert len(copies) == len(beside.sent), f"{name} got some twice"
    assert appliance.sql("select destination, reason from attempts where outcome <> 'delivered'") == []


def _settings(good: int, peers: Mapping[str, PeerProcess], more: str = "") -> dict[str, str]:
    return {"good": destination("GOOD", good)} | {
        name: destination(name.upper(), peer.port, f"{STEADY}{more}", peer.host) for name, peer in peers.items()
    }


def _measure(
    appliance: RunningAppliance, beside: Beside, peers: Mapping[str, PeerProcess], large: Sequence[Instance] = ()
) -> None:
    """What it takes in memory, and the good destination's delay with the slow ones paused and with them served."""
    idle = _memory(appliance, "VmRSS")
    for name in peers:
        assert appliance.run("queue", "pause", "--destination", name).returncode == 0
    send(appliance, large)
    beside.sent.extend(large)
    usual = beside.p95()
    for name in peers:
        assert appliance.run("queue", "resume", "--destination", name).returncode == 0
    began = time.monotonic()
    slowed = beside.p95()
    undelivered = appliance.count("select count(*) from deliveries where state <> 'delivered'")
    assert undelivered > 0, "they were not slow enough to be beside them"
    _drained(appliance, peers, beside)
    seconds = time.monotonic() - began
    grown = _memory(appliance, "VmHWM") - idle
    copies = len(peers) * len(beside.sent)
    figure(
        f"{' and '.join(peers)}: n = {copies} copies, backlog {undelivered}, drained in {seconds:.1f} s, work grew by "
        f"{grown / 1e6:.1f} MB; p95 of the good one beside them {slowed:.3f} s, without {usual:.3f} s"
    )
    assert grown < CEILING_BYTES
    assert slowed < max(2 * usual, usual + 1.5)


def test_one_byte_at_a_time_and_late_answers(tmp_path: Path) -> None:
    """A peer with the smallest receive buffer that reads single bytes, and one that thinks long before it answers."""
    script = Script()
    with ExitStack() as stack:
        peers = {
            "drip": stack.enter_context(peer_process(tmp_path, "DRIP", pace=Pace(piece=1, buffer=1))),
            "late": stack.enter_context(peer_process(tmp_path, "LATE", seconds=ANSWER_SECONDS)),
        }
        good = stack.enter_context(answering({"GOOD": script}))
        appliance = stack.enter_context(site(tmp_path / "site", _settings(good, peers)))
        _measure(appliance, Beside(appliance, script, MANY, PIXEL_BYTES), peers)


@needs_namespaces
def test_a_line_of_one_megabit(tmp_path: Path) -> None:
    """Each PDU has its time, so an instance may take longer than the timeout of one, and is not given up."""
    script = Script()
    with ExitStack() as stack:
        away = stack.enter_context(namespace())
        away.slow("1mbit")
        peer = stack.enter_context(peer_process(tmp_path, "FAR", host=away.far, command=away.command()))
        good = stack.enter_context(answering({"GOOD": script}))
        settings = _settings(good, {"far": peer}, ", timeouts: {pdu: 2s}")
        appliance = stack.enter_context(site(tmp_path / "site", settings))
        large = make_series(16, 1, 1, LARGE_BYTES)
        _measure(appliance, Beside(appliance, script, MANY, PIXEL_BYTES), {"far": peer}, large)
