"""What a destination without trouble sees while others are in trouble, and peers in processes of their own."""

import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.faults.answering import Pace, Script
from tests.faults.calling import Call
from tests.faults.studies import CT, Instance, make_series
from tests.support.appliance import REPOSITORY, RunningAppliance, wait_until
from tests.support.ports import free_port

PACE_SECONDS = 0.05  # between two instances of the scanner


class Beside:
    """What a destination without trouble sees: a scanner sends at a steady pace, and each delay is measured."""

    def __init__(self, appliance: RunningAppliance, script: Script, instances: int, pixel_bytes: int) -> None:
        """Each study has so many instances, each with so many bytes of pixels."""
        self._appliance = appliance
        self._script = script
        self._instances = instances
        self._pixel_bytes = pixel_bytes
        self.sent: list[Instance] = []

    def p95(self, after: Callable[[int], None] = lambda _: None) -> float:
        """Send a study and give the 95th percentile of the seconds from its Success to its copy at the destination."""
        call = Call(self._appliance.port, "ROOM1", CT)
        answered: dict[str, float] = {}
        for index, instance in enumerate(make_series(15, len(self.sent), self._instances, self._pixel_bytes)):
            assert call.store(instance) == 0
            answered[instance.uid] = time.time()
            self.sent.append(instance)
            after(index)
            time.sleep(PACE_SECONDS)
        call.release()
        wait_until(lambda: len(self._script.requests) >= len(self.sent), 60, "the other destination to have it all")
        delays = [each.at - answered[each.uid] for each in self._script.requests if each.uid in answered]
        return statistics.quantiles(delays, n=20)[-1]


@dataclass(frozen=True)
class PeerProcess:
    """A peer in a process of its own."""

    process: "subprocess.Popen[bytes]"
    host: str
    port: int
    ledger: Path

    def copies(self) -> list[tuple[str, str]]:
        """The UID and digest of each copy it took."""
        lines = self.ledger.read_text(encoding="utf-8").splitlines() if self.ledger.exists() else []
        return [(uid, sha256) for uid, sha256 in (line.split() for line in lines)]


@contextmanager
def peer_process(
    folder: Path,
    title: str,
    *,
    pace: Pace | None = None,
    seconds: float = 0.0,
    host: str = "127.0.0.1",
    command: Sequence[str] = (),
) -> Iterator[PeerProcess]:
    """It reads at this pace and answers after so many seconds; `command` is what it is to be run by."""
    pace = pace or Pace()
    port, ledger = free_port(), folder / title
    program = [sys.executable, "-m", "tests.faults.answering", host, str(port), title, str(ledger)]
    settings = map(str, (pace.piece, pace.buffer, seconds))
    process = subprocess.Popen([*command, *program, *settings], cwd=REPOSITORY)
    try:
        yield PeerProcess(process, host, port, ledger)
    finally:
        process.send_signal(signal.SIGCONT)
        process.terminate()
        process.wait()
