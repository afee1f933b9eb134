"""Scanners that meet with every fault, try again until each instance is acknowledged, and log every answer."""

import json
import random
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

from tests.faults.calling import Call, NoAnswerError
from tests.faults.studies import Instance, Study, make_study

PATIENCE_SECONDS = 180.0
AGAIN_SECONDS = 0.2
OF_SCANNERS = (
    "scanner aborts in the middle",
    "connection cut at a byte",
    "response swallowed",
    "same instance twice at once",
    "same UID, other content",
)


class Notes:
    """JSON lines of a file, from several threads; a line that an interruption cut is ended when it goes on."""

    def __init__(self, path: Path) -> None:
        cut = path.exists() and not path.read_bytes().endswith(b"\n")
        self._file = path.open("a", encoding="utf-8")
        self._file.write("\n" * cut)
        self._guard = threading.Lock()

    def write(self, **values: Any) -> None:
        """One line, handed to the system at once."""
        with self._guard:
            self._file.write(json.dumps(values) + "\n")
            self._file.flush()

    def close(self) -> None:
        """No more."""
        self._file.close()


def noted(path: Path) -> list[dict[str, Any]]:
    """The whole lines of a file of notes."""
    found = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else []:
        try:
            found.append(json.loads(line))
        except ValueError:
            continue
    return found


def fired(path: Path) -> Counter[str]:
    """How often each fault came about."""
    return Counter(each["kind"] for each in noted(path))


class Senders:
    """Sends studies to `port`. `log` gets a line for every instance that was sent, `faults` one for every fault."""

    def __init__(self, port: int, seed: int, log: Notes, faults: Notes) -> None:
        self._port = port
        self._seed = seed
        self._log = log
        self._faults = faults
        self.ended = threading.Event()  # set where the run is interrupted: nothing more is tried

    def send(self, study: Study, fault: str, chance: random.Random) -> None:
        """Send a study, with a fault of the scanner's if it is one, until all of it is acknowledged."""
        at = chance.randrange(len(study.instances))
        for index, instance in enumerate(study.instances):
            if index == at and fault in OF_SCANNERS[:3]:
                self._broken(study, instance, fault, chance)
            if index == at and fault == OF_SCANNERS[3]:
                self._twice(study, instance)
        self._all(study, study.instances)
        if fault == OF_SCANNERS[4]:
            other = make_study(self._seed, study.number, "other").instances[at]
            self._all(study, (other,))
            self._faults.write(kind=fault, study=study.number)

    def _all(self, study: Study, instances: tuple[Instance, ...]) -> None:
        """Send in one association, and in another what the first left over, until everything is acknowledged."""
        left = list(instances)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while left and time.monotonic() < deadline and not self.ended.is_set():
            try:
                call = Call(self._port, study.source, left[0].sop_class_uid)
                while left and self._store(call, study, left[0]):
                    left.pop(0)
                call.release()
            except NoAnswerError:
                pass
            if left:
                time.sleep(AGAIN_SECONDS)

    def _store(self, call: Call, study: Study, instance: Instance) -> bool:
        """Send one and log the answer; whether it is acknowledged."""
        status = None
        try:
            status = call.store(instance)
        finally:
            self._note(study, instance, status)
        return status == 0

    def _note(self, study: Study, instance: Instance, status: int | None) -> None:
        self._log.write(
            uid=instance.uid,
            sha256=instance.sha256,
            answer=status,
            source=study.source,
            study=study.number,
            bare=instance.bare,
            to=dict(instance.to),
        )

    def _broken(self, study: Study, instance: Instance, fault: str, chance: random.Random) -> None:
        """One association that ends badly; what it sent is sent again afterwards."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline and not self.ended.is_set():
            try:
                call = Call(self._port, study.source, instance.sop_class_uid)
                self._break(call, study, instance, fault, chance)
            except NoAnswerError:  # it fell into another fault
                time.sleep(AGAIN_SECONDS)
            else:
                self._faults.write(kind=fault, study=study.number)
                return

    def _break(self, call: Call, study: Study, instance: Instance, fault: str, chance: random.Random) -> None:
        self._note(study, instance, None)
        if fault == OF_SCANNERS[0]:
            call.send(call.beginning(instance, 2 * chance.randrange(len(instance.data) // 2)))
            call.abort()
            return
        message = call.message(instance)
        if fault == OF_SCANNERS[2]:
            call.send(message)
            call.status()  # the answer is there, but nobody hears of it
            call.reset()
            return
        call.send(message[: chance.randrange(1, len(message))])
        if chance.random() < 0.5:
            call.reset()
        else:
            call.close()

    def _twice(self, study: Study, instance: Instance) -> None:
        """The same instance over two associations at the same time."""
        start = threading.Barrier(2)

        def one() -> None:
            start.wait()
            self._all(study, (instance,))

        other = threading.Thread(target=one)
        other.start()
        one()
        other.join()
        self._faults.write(kind=OF_SCANNERS[3], study=study.number)
