"""Instances without end through one appliance, good ones and all kinds of bad ones, while its processes are measured.

`python -m tests.faults.soaking --instances N --folder F` prints how memory, descriptors and threads went. Compares no
instance with another: that does the headline run.
"""

import argparse
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import combinations, count
from pathlib import Path
from statistics import median

from tests.faults.calling import Call, NoAnswerError
from tests.faults.receiving import Receiver
from tests.faults.studies import INSTANCES, Study, make_study
from tests.support.appliance import RunningAppliance, wait_until
from tests.support.dcmtk import storescp
from tests.support.ports import free_port

YAML = """
appliance: {{ae_title: MICROPACS, listen: "127.0.0.1:{{port}}", data: ./data}}
sources:
  room1: {{ae_title: ROOM1, host: 127.0.0.1}}
  room2: {{ae_title: ROOM2, host: 127.0.0.1}}
destinations:
  pacs: {{ae_title: PACS, host: 127.0.0.1, port: {pacs}, retry: {{first: 1s, factor: 1, longest: 1s}}}}
  research: {{ae_title: RESEARCH, host: 127.0.0.1, port: {research}, retry: {{first: 1s, factor: 1, longest: 1s}}}}
normalise:
  - name: eight digits
    when: {{PatientID: {{matches: '\\d{{1,7}}'}}}}
    edit: [pad: {{keyword: PatientID, width: 8, with: "0"}}]
routes:
  - {{name: everything at once, to: [pacs]}}
  - name: some of it without the name when the study is quiet
    when: {{PatientID: {{matches: '\\d*[37]'}}}}
    edit: [blank: [PatientName]]
    after: study quiet 1s
    to: [research]
"""
SCANNERS = 3
KINDS, AWAY = 20, 100  # of so many studies each has one that has this trouble, or that a destination does not take
ABORTED, CUT, OTHER_CONTENT, TWICE, REFUSED, REJECTED = range(3, 3 + 6)  # by its number
MOST_AHEAD = 600  # instances that may be acknowledged and not filed, or not sent to research, which is slow
UNSETTLED = "select count(*) from deliveries where destination = '{}' and state in ('waiting', 'due', 'leased')"
SAMPLES = 240
PATIENCE_SECONDS = 120.0


@dataclass(frozen=True)
class Process:
    """What one process holds: resident kB, those of its own, open descriptors, threads.

    Pages of files, as of programs and libraries, are not its own: others have them as well, and come and go.
    """

    rss: int
    own: int
    descriptors: int
    threads: int


@dataclass(frozen=True)
class Sample:
    """How things were when so many instances had been acknowledged."""

    instances: int
    seconds: float
    processes: Mapping[str, Process]
    spool_files: int
    database_kb: int


class Soak:
    """One run; `samples` grows while it goes on."""

    def __init__(self, folder: Path, instances: int, seed: int, until: float | None = None) -> None:
        """`until` is when to send no more (monotonic), however many there have been."""
        self._until = until
        self._folder = folder
        self._studies = instances // INSTANCES
        self._seed = seed
        self._numbers = count()
        self._guard = threading.Lock()
        self._acknowledged = 0
        self._errors: list[str] = []
        self._asked = 0  # how often the receiver was to be in trouble
        self._over: list[str] = []  # and was
        self.samples: list[Sample] = []
        self.counts: dict[str, int] = {}  # rows of the database in the end

    def run(self) -> None:
        """Send everything, measure meanwhile, wait until it is delivered, and measure what is left."""
        ports = {"pacs": free_port(), "research": free_port()}
        (self._folder / "site").mkdir(parents=True)
        research = Receiver(self._folder / "research", "research", ports["research"], self._over.append)
        with (
            storescp(self._folder / "pacs", writing=("--ignore",), port=ports["pacs"]),
            RunningAppliance(self._folder / "site", YAML.format(**ports)) as appliance,
        ):
            pids = {"serve": appliance.process.pid if appliance.process else 0, **appliance.roles()}
            threads = [threading.Thread(target=self._scan, args=(appliance, research)) for _ in range(SCANNERS)]
            for thread in threads:
                thread.start()
            self._measure(appliance, pids, lambda: any(thread.is_alive() for thread in threads))
            wait_until(lambda: appliance.waiting() == 0, PATIENCE_SECONDS, "the spool to be filed")
            for name in ports:
                wait_until(lambda n=name: appliance.count(UNSETTLED.format(n)) == 0, PATIENCE_SECONDS, "all to be sent")
            self._sample(appliance, pids)
            assert appliance.roles() == {role: pid for role, pid in pids.items() if role != "serve"}, "a role ended"
            self.counts = {
                what: appliance.count(f"select count(*) from {what}") for what in ("instances", "held", "deliveries")
            }
        research.close()
        assert not self._errors, self._errors

    def _measure(self, appliance: RunningAppliance, pids: Mapping[str, int], goes_on: Callable[[], bool]) -> None:
        between = max(1, self._studies * INSTANCES // SAMPLES)
        while goes_on():
            if self._acknowledged >= between * len(self.samples):
                self._sample(appliance, pids)
            time.sleep(0.02)

    def _sample(self, appliance: RunningAppliance, pids: Mapping[str, int]) -> None:
        processes = {role: measured(pid) for role, pid in pids.items()}
        files = sum(len(names) for *_, names in os.walk(appliance.data / "spool"))
        database = (appliance.data / "micropacs.db").stat().st_size // 1024
        self.samples.append(Sample(self._acknowledged, time.monotonic(), processes, files, database))

    def _scan(self, appliance: RunningAppliance, research: Receiver) -> None:
        """One scanner after the other, as this thread."""
        try:
            while not self._is_over() and (number := next(self._numbers)) < self._studies:
                while self._ahead(appliance) > MOST_AHEAD:
                    time.sleep(0.05)
                study = make_study(self._seed, number)
                kind = number % KINDS
                if kind in {ABORTED, CUT}:
                    self._break_off(appliance.port, study, kind)
                away = number % AWAY
                if away in {REFUSED, REJECTED} and len(self._over) == self._asked:  # else it would get nothing at all
                    self._asked += 1
                    research.trouble("refuses" if away == REFUSED else "rejects")
                self._send(appliance.port, study)
                if kind == TWICE:
                    self._send(appliance.port, study)
                if kind == OTHER_CONTENT:
                    self._send(appliance.port, make_study(self._seed, number, "other"))
                with self._guard:
                    self._acknowledged += INSTANCES
        except Exception as error:  # noqa: BLE001 - a thread's error is the run's
            self._errors.append(repr(error))

    def _ahead(self, appliance: RunningAppliance) -> int:
        not_filed = self._acknowledged - appliance.count("select count(*) from instances")
        return max(not_filed, appliance.count(UNSETTLED.format("research")))

    def _is_over(self) -> bool:
        return bool(self._errors) or (self._until is not None and time.monotonic() > self._until)

    def _send(self, port: int, study: Study) -> None:
        call = Call(port, study.source, study.instances[0].sop_class_uid)
        for instance in study.instances:
            status = call.store(instance)
            assert status == 0, f"{status:04x}"
        call.release()

    def _break_off(self, port: int, study: Study, kind: int) -> None:
        instance = study.instances[0]
        with suppress(NoAnswerError):
            call = Call(port, study.source, instance.sop_class_uid)
            if kind == ABORTED:
                call.send(call.beginning(instance, len(instance.data) // 4 * 2))
                call.abort()
            else:
                call.send(call.message(instance)[: len(instance.data) // 2])
                call.reset()


def measured(pid: int) -> Process:
    """What the system says of a process."""
    folder = Path(f"/proc/{pid}")
    status, memory = (dict(_lines(folder / name)) for name in ("status", "smaps_rollup"))
    return Process(
        rss=int(status["VmRSS"].split()[0]),
        own=int(memory["Pss"].split()[0]) - int(memory["Pss_File"].split()[0]),
        descriptors=len(list((folder / "fd").iterdir())),
        threads=int(status["Threads"]),
    )


def _lines(path: Path) -> Iterator[tuple[str, str]]:
    for line in path.read_text().splitlines():
        name, colon, value = line.partition(":")
        if colon:
            yield name, value.strip()


def growth(samples: list[Sample], role: str, what: str) -> float:
    """How much it grows with 1,000 instances: the median over all pairs of samples (Theil and Sen)."""
    seen = [(each.instances, getattr(each.processes[role], what)) for each in samples]
    pairs = combinations(seen, 2)
    return 1000 * median((later - sooner) / (many - few) for (few, sooner), (many, later) in pairs if many > few)


def table(samples: list[Sample]) -> str:
    """What each process held: at the start, at most, at the end, and how it grew in the second half."""
    half = samples[len(samples) // 2 :]
    seconds = samples[-1].seconds - samples[0].seconds
    lines = [
        f"{samples[-1].instances} instances in {seconds:.0f} s",
        f"database: {samples[-1].database_kb} kB",
        f"files in the spool: {max(each.spool_files for each in samples)} at most, {samples[-1].spool_files} last",
        f"{'':8}{'what':12}{'first':>8}{'half-way':>10}{'last':>8}{'most':>8}{'growth a 1,000 instances':>26}",
    ]
    for role in samples[0].processes:
        for what in ("rss", "own", "descriptors", "threads"):
            seen = [getattr(each.processes[role], what) for each in samples]
            cells = (seen[0], seen[len(seen) // 2], seen[-1], max(seen))
            name = what + " kB" * (what in {"rss", "own"})
            numbers = "{:8}{:10}{:8}{:8}".format(*cells)
            lines.append(f"{role:8}{name:12}{numbers}{growth(half, role, what):26.2f}")
    return "\n".join(lines)


def main() -> int:
    """Run it and print the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.soaking")
    parser.add_argument("--instances", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=24)
    parser.add_argument("--minutes", type=float, help="send no more after so long")
    parser.add_argument("--folder", type=Path, required=True, help="a new one")
    chosen = parser.parse_args()
    until = time.monotonic() + 60 * chosen.minutes if chosen.minutes else None
    soak = Soak(chosen.folder.resolve(), chosen.instances, chosen.seed, until)
    try:
        soak.run()
    finally:
        print(table(soak.samples))
        print(soak.counts)
    return 0


if __name__ == "__main__":
    sys.exit(main())
