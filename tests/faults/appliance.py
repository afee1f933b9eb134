"""What befalls the appliance of the headline run: kills, stops, locks and restarts; one at a time to each part."""

import os
import random
import signal
import sqlite3
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

from tests.faults.senders import Notes
from tests.support.appliance import RunningAppliance, wait_until

OF_THE_APPLIANCE = (
    "kill -9 of receive",
    "kill -9 of work",
    "kill -9 of serve",
    "receive stopped and continued",
    "work stopped and continued",
    "database locked",
)
RESTART = "restart"
PARTS = ("receive", "work", "database")
UP_SECONDS = 60.0
LATEST_SECONDS = 0.03  # after a study began; it takes about that long
LONGEST_STOP_SECONDS = 1.5
LONGEST_LOCK_SECONDS = 2.0

YAML = """
appliance: {{ae_title: MICROPACS, listen: "127.0.0.1:{{port}}", data: ./data}}
sources:
  room1: {{ae_title: ROOM1, host: 127.0.0.1}}
  room2: {{ae_title: ROOM2, host: 127.0.0.1}}
destinations:
  pacs: {{ae_title: PACS, host: 127.0.0.1, port: {pacs}, retry: {retry}}}
  reading: {{ae_title: READING, host: 127.0.0.1, port: {reading}, retry: {retry}}}
  research: {{ae_title: RESEARCH, host: 127.0.0.1, port: {research}, retry: {retry}}}
normalise:
  - name: eight digits
    when: {{PatientID: {{matches: '\\d{{1,7}}'}}}}
    edit: [pad: {{keyword: PatientID, width: 8, with: "0"}}]
routes:
  - {{name: everything at once, to: [pacs]}}
  - {{name: CT when the study is quiet, when: {{Modality: CT}}, after: study quiet 1s, to: [reading]}}
  - {{name: PET without the name, when: {{Modality: PT}}, edit: [blank: [PatientName]], to: [research]}}
archive: {{original_attributes: no, free_space: 100MB}}
"""
RETRY = "{first: 1s, factor: 1, longest: 1s}"
DESTINATIONS = ("pacs", "reading", "research")


def yaml(ports: dict[str, int]) -> str:
    """The configuration: everything as it is to one, CT to the second, PET without its name to the third."""
    return YAML.format(**ports, retry=RETRY)


class Battered:
    """A running appliance; to each of its parts one thing happens at a time, whoever asks for it."""

    def __init__(self, folder: Path, ports: dict[str, int], faults: Notes) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.running = RunningAppliance(folder, yaml(ports))
        self._faults = faults
        self._parts = {part: threading.Lock() for part in PARTS}

    def start(self) -> None:
        """Start it; one that an interrupted run left behind is ended before."""
        _end_serving(self.running.file)
        self.running.start()

    def stop(self) -> None:
        """Stop it in good order."""
        with self._having(PARTS):
            self.running.stop()

    def suffer(self, fault: str, study: int, chance: random.Random) -> None:
        """Let one of the faults happen, and wait until both roles run again."""
        parts = [part for part in PARTS if part in fault.split()]
        with self._having(parts or PARTS):
            roles = self.running.roles()
            time.sleep(chance.uniform(0.0, LATEST_SECONDS))
            if fault == RESTART:
                assert self.running.stop() == 0, "a restart that was no clean stop"
                self.running.start()
            elif fault == "kill -9 of serve":
                self.running.kill("serve")
                self.running.start()
            elif fault.startswith("kill"):
                role = fault.split()[-1]
                os.kill(roles[role], signal.SIGKILL)
                wait_until(lambda: self._is_again(role, roles[role]), UP_SECONDS, f"{fault}: the role to come back")
            elif fault == "database locked":
                self._lock(chance.uniform(0.3, LONGEST_LOCK_SECONDS))
            else:
                _pause(roles[fault.split()[0]], chance.uniform(0.1, LONGEST_STOP_SECONDS))
            self._faults.write(kind=fault, study=study)

    def _is_again(self, role: str, killed: int) -> bool:
        """Whether it runs, and not only because the signal has not arrived yet."""
        return self.running.roles().get(role, killed) != killed and self.running._up()

    def _having(self, parts: Sequence[str]) -> ExitStack:
        """Nothing else happens to these parts."""
        with ExitStack() as stack:
            for part in parts:
                stack.enter_context(self._parts[part])
            return stack.pop_all()

    def _lock(self, seconds: float) -> None:
        database = sqlite3.connect(self.running.data / "micropacs.db", timeout=30, isolation_level=None)
        try:
            database.execute("BEGIN EXCLUSIVE")
            time.sleep(seconds)
            database.execute("ROLLBACK")
        finally:
            database.close()


def _pause(process: int, seconds: float) -> None:
    os.kill(process, signal.SIGSTOP)
    try:
        time.sleep(seconds)
    finally:
        os.kill(process, signal.SIGCONT)


def _end_serving(configuration: Path) -> None:
    """End the `serve` of an earlier run that was given this very file."""
    for arguments in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            if {b"serve", os.fsencode(configuration)} <= set(arguments.read_bytes().split(b"\0")):
                os.kill(int(arguments.parent.name), signal.SIGTERM)
                wait_until(lambda path=arguments: _is_over(path), UP_SECONDS, "the earlier serve to end")


def _is_over(arguments: Path) -> bool:
    try:
        return not arguments.read_bytes()
    except OSError:
        return True
