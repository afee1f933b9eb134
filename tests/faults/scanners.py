"""Scanners that send small studies as fast as they are answered, and log every answer. They try nothing again."""

import threading
import time
from pathlib import Path
from typing import Self

from tests.faults.calling import Call, NoAnswerError
from tests.faults.senders import Notes
from tests.faults.studies import Study, make_study

SCANNERS = 4


class Scanners:
    """Four of them, from the start of the block to its end. `log` is as the checker reads it, with times."""

    def __init__(self, port: int, seed: int, log: Path, rest_seconds: float = 0.0, first: int = 0) -> None:
        """`rest_seconds` is how long each rests between two studies, `first` the number of the first study."""
        self.first = first
        self._port = port
        self._rest_seconds = rest_seconds
        self._seed = seed
        self._log = log
        self._notes = Notes(log)
        self._ending = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(first + number,)) for number in range(SCANNERS)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        for thread in self._threads:
            thread.join()
        self.close()

    def close(self) -> None:
        """Log no more."""
        self._notes.close()

    def _run(self, number: int) -> None:
        while not self._ending.wait(self._rest_seconds):
            self.send(make_study(self._seed, number))
            number += SCANNERS

    def send(self, study: Study) -> None:
        """Send one study in an association of its own; where that ends early, a line says what had no answer."""
        left = list(study.instances)
        began = time.monotonic()
        status = None
        try:
            call = Call(self._port, study.source, left[0].sop_class_uid)
            while left:
                status, began = None, time.monotonic()
                status = call.store(left[0])
                self._note(study, left.pop(0).uid, status, began)
            call.release()
        except NoAnswerError:
            for instance in left[:1]:
                self._note(study, instance.uid, None, began)

    def _note(self, study: Study, uid: str, status: int | None, began: float) -> None:
        instance = next(each for each in study.instances if each.uid == uid)
        self._notes.write(
            uid=uid,
            sha256=instance.sha256,
            answer=status,
            source=study.source,
            study=study.number,
            bare=instance.bare,
            to=dict(instance.to),
            at=began,
            seconds=time.monotonic() - began,
        )
