"""Many small studies through one appliance, a fault in every one, and what became of them.

The folder holds everything: what was sent, what came, which studies are through. Started again in the same folder it
goes on where it was interrupted.
"""

import json
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults.appliance import DESTINATIONS, OF_THE_APPLIANCE, RESTART, Battered
from tests.faults.checker import Verdict, check
from tests.faults.receiving import Receiver
from tests.faults.relayed import Relayed
from tests.faults.senders import OF_SCANNERS, Notes, Senders, fired, noted
from tests.faults.studies import make_study
from tests.support.appliance import RunningAppliance
from tests.support.ports import free_port

OF_RECEIVERS = (
    "receiver refuses",
    "receiver rejects",
    "receiver aborts",
    "receiver answers slowly",
    "receiver is down",
)
OF_THE_LINE = ("delivery cut at a byte", "answer of the destination swallowed")
FAULTS = OF_THE_APPLIANCE + OF_SCANNERS + OF_RECEIVERS + OF_THE_LINE
REAL = "pacs"  # is storescp behind a relay, the others do as they are told
SCANNERS = 8
LONGEST_DOWN_SECONDS = 3.0
DRAIN_SECONDS = 600.0
PROGRESS_SECONDS = 10.0
MOST_UNDER_WAY = 300  # deliveries; each trouble takes a destination a second, and is to meet another delivery
LOOK_SECONDS = 1.0  # at how many they are


@dataclass
class Result:
    """What the table shows."""

    seed: int
    studies: int
    seconds: float
    faults: Counter[str]
    verdict: Verdict
    unacknowledged: int
    left: int
    disk: int
    errors: list[str] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        """Whether nothing at all is wrong, and nothing is left under way."""
        wrong = sum(self.verdict.counts().values()) + self.unacknowledged + self.left + self.verdict.under_way
        return wrong == 0 and not self.errors


class Headline:
    """One run in a folder."""

    def __init__(self, folder: Path, seed: int, studies: int, between_restarts: int = 50) -> None:
        """`studies` is how many there are to be in the end, with those of earlier starts in this folder."""
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        state = self._state(seed)
        self._seed = int(state["seed"])
        self._studies = studies
        self._between_restarts = between_restarts
        self._errors: list[str] = []
        self._faults = Notes(folder / "faults.jsonl")
        self._log = Notes(folder / "sent.jsonl")
        self._through = Notes(folder / "through.jsonl")
        self._guard = threading.Lock()
        ports = state["ports"]
        self._real = Relayed(folder / REAL, ports[REAL], self._note)
        self._receivers = {
            name: Receiver(folder / name, name, port, self._note) for name, port in ports.items() if name != REAL
        }
        self._appliance = Battered(folder / "site", state["ports"], self._faults)
        self._senders = Senders(self._appliance.running.port, self._seed, self._log, self._faults)

    def run(self, until: float | None = None, say: Callable[[str], None] = print) -> Result:
        """Send, wait until all is delivered, check. `until` is when to begin no more studies (monotonic)."""
        began = time.monotonic()
        try:
            self._appliance.start()
            self._send(until, say)
            left = self._drain(say)
        finally:
            self._appliance.stop()
            for receiver in (self._real, *self._receivers.values()):
                receiver.close()
            for notes in (self._log, self._faults, self._through):
                notes.close()
        return self._result(began, left)

    def _state(self, seed: int) -> dict[str, object]:
        """Seed and ports of the run in this folder, begun now or earlier."""
        path = self._folder / "run.json"
        if not path.exists():
            path.write_text(json.dumps({"seed": seed, "ports": {name: free_port() for name in DESTINATIONS}}))
        return json.loads(path.read_text())

    def _note(self, kind: str) -> None:
        self._faults.write(kind=kind)

    def _send(self, until: float | None, say: Callable[[str], None]) -> None:
        through = {each["study"] for each in noted(self._folder / "through.jsonl")}
        numbers = (number for number in range(self._studies) if number not in through)
        running: set[Future[None]] = set()
        done, told = len(through), time.monotonic()
        looked = told
        with ThreadPoolExecutor(SCANNERS) as pool:
            try:
                for number in numbers:
                    if (until is not None and time.monotonic() > until) or self._errors:
                        break
                    if time.monotonic() - looked > LOOK_SECONDS:
                        self._let_destinations_catch_up()
                        looked = time.monotonic()
                    running.add(pool.submit(self._one, number))
                    if len(running) >= SCANNERS:
                        finished, running = wait(running, return_when=FIRST_COMPLETED)
                        done += len(finished)
                    if time.monotonic() - told > PROGRESS_SECONDS:
                        told = time.monotonic()
                        say(f"{done} of {self._studies} studies sent")
            except KeyboardInterrupt:
                self._senders.ended.set()
                raise

    def _let_destinations_catch_up(self) -> None:
        """However fast scanners are: else the troubles of a destination come faster than it could get over them."""
        deadline = time.monotonic() + DRAIN_SECONDS
        while _left(self._appliance.running) > MOST_UNDER_WAY and time.monotonic() < deadline:
            time.sleep(LOOK_SECONDS)

    def _one(self, number: int) -> None:
        """One study with its fault."""
        try:
            chance = random.Random(f"{self._seed}/fault/{number}")
            fault = self.fault_of(self._seed, number)
            study = make_study(self._seed, number)
            beside = [fault] if fault in OF_THE_APPLIANCE else []
            beside += [RESTART] if (number + 1) % self._between_restarts == 0 else []
            threads = [threading.Thread(target=self._suffer, args=(each, number, chance)) for each in beside]
            if fault in OF_RECEIVERS + OF_THE_LINE:
                threads += self._trouble(fault, sorted(study.instances[0].to), chance)
            for thread in threads:
                thread.start()
            self._senders.send(study, fault, random.Random(f"{self._seed}/scanner/{number}"))
            for thread in threads:
                thread.join()
            if not self._senders.ended.is_set():
                self._through.write(study=number, fault=fault)
        except Exception as error:  # noqa: BLE001 - whatever it is, the run must not look as if nothing had been
            self._errors.append(f"study {number}: {error!r}")

    @staticmethod
    def fault_of(seed: int, number: int) -> str:
        """The fault of a study: every round of as many studies as there are faults has each once, in any order."""
        turn, place = divmod(number, len(FAULTS))
        return random.Random(f"{seed}/turn/{turn}").sample(FAULTS, len(FAULTS))[place]

    def _suffer(self, fault: str, number: int, chance: random.Random) -> None:
        try:
            self._appliance.suffer(fault, number, chance)
        except Exception as error:  # noqa: BLE001 - as above
            self._errors.append(f"{fault} in study {number}: {error!r}")

    def _trouble(self, fault: str, to: list[str], chance: random.Random) -> list[threading.Thread]:
        """Tell one of the study's receivers what to do; being down takes a thread."""
        if fault == "receiver is down":
            name = chance.choice(to)
            receiver = self._real if name == REAL else self._receivers[name]
            return [threading.Thread(target=receiver.down, args=(chance.uniform(0.2, LONGEST_DOWN_SECONDS),))]
        if fault in OF_THE_LINE:
            self._real.trouble(fault, chance)
        else:
            self._receivers[chance.choice([name for name in to if name != REAL])].trouble(fault.partition(" ")[2])
        return []

    def _drain(self, say: Callable[[str], None]) -> int:
        """Wait until nothing is in the spool or under way; how much is left if that takes too long."""
        deadline = time.monotonic() + DRAIN_SECONDS
        told = time.monotonic()
        while (left := _left(self._appliance.running)) and time.monotonic() < deadline:
            if time.monotonic() - told > PROGRESS_SECONDS:
                told = time.monotonic()
                say(f"{left} instances or deliveries under way")
            time.sleep(0.5)
        return left

    def _result(self, began: float, left: int) -> Result:
        log = self._folder / "sent.jsonl"
        verdict = check(log, self._appliance.running.data, {name: self._folder / name for name in DESTINATIONS})
        through = {each["study"] for each in noted(self._folder / "through.jsonl")}
        acknowledged = {(each["uid"], each["sha256"]) for each in noted(log) if each["answer"] == 0}
        expected = {
            (instance.uid, instance.sha256)
            for number in through
            for instance in make_study(self._seed, number).instances
        }
        seconds = time.monotonic() - began
        with (self._folder / "seconds.txt").open("a", encoding="utf-8") as durations:
            durations.write(f"{seconds:.0f}\n")
        return Result(
            seed=self._seed,
            studies=len(through),
            seconds=sum(map(float, (self._folder / "seconds.txt").read_text().split())),
            faults=fired(self._folder / "faults.jsonl"),
            verdict=verdict,
            unacknowledged=len(expected - acknowledged),
            left=left,
            disk=_disk_used(self._folder),
            errors=self._errors,
        )


def _left(appliance: RunningAppliance) -> int:
    """What waits in the spool, and the deliveries that are not settled."""
    unsettled = "select count(*) from deliveries where state in ('waiting', 'due', 'leased')"
    return appliance.waiting() + appliance.count(unsettled)


def _disk_used(folder: Path) -> int:
    """Bytes on disk below the folder, in blocks as they are given out."""
    return sum(path.lstat().st_blocks * 512 for path in folder.rglob("*"))
