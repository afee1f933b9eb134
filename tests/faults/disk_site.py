"""An appliance with three destinations, and scanners that send, whatever happens to its disks, until all is taken."""

import json
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Self

from tests.faults.appliance import DESTINATIONS, yaml
from tests.faults.checker import sound
from tests.faults.receiving import Receiver
from tests.faults.senders import Notes, Senders, noted
from tests.faults.studies import Study, make_study
from tests.support.appliance import RunningAppliance, wait_until
from tests.support.ports import free_port

SUCCESS, OUT_OF_RESOURCES = 0x0000, 0xA700
PATIENCE_SECONDS = 180


class Site:
    """Everything in one folder. `database` is where the database lies if not in the data folder."""

    def __init__(self, folder: Path, free_space: str = "100kB", database: Path | None = None) -> None:
        folder.mkdir(exist_ok=True)
        self._folder = folder
        ports = {name: free_port() for name in DESTINATIONS}
        configuration = yaml(ports).replace("free_space: 100MB", f"free_space: {free_space}")
        self.appliance = RunningAppliance(folder, configuration)
        if database is not None:
            configuration = configuration.replace("data: ./data", f"data: ./data, database: 'sqlite:///{database}'")
            self.appliance.write(configuration)
            self.appliance.data.mkdir(exist_ok=True)
            (self.appliance.data / "micropacs.db").symlink_to(database)  # where tests look for it
        self._receivers = {name: Receiver(folder / name, name, port, lambda _: None) for name, port in ports.items()}
        self._log = Notes(folder / "sent.jsonl")
        self._faults = Notes(folder / "faults.jsonl")
        self._senders = Senders(self.appliance.port, 7, self._log, self._faults)
        self._scanners: list[threading.Thread] = []
        self._expected: list[Study] = []

    def __enter__(self) -> Self:
        self.appliance.start()
        wait_until(self.appliance._has_tables, PATIENCE_SECONDS, "the database to be made")
        return self

    def __exit__(self, *_: object) -> None:
        self._senders.ended.set()
        self.appliance.stop()
        for scanner in self._scanners:
            scanner.join()
        for receiver in self._receivers.values():
            receiver.close()
        self._log.close()
        self._faults.close()

    def send(self, count: int, pixel_bytes: int = 512) -> None:
        """Let a scanner send so many new studies, each instance until it is taken; waits for nothing."""
        first = len(self._expected)
        studies = [make_study(7, number, pixel_bytes=pixel_bytes) for number in range(first, first + count)]
        self._expected += studies

        def run() -> None:
            for study in studies:
                self._senders.send(study, "", random.Random(study.number))

        self._scanners.append(threading.Thread(target=run))
        self._scanners[-1].start()

    def says(self, words: str) -> Callable[[], bool]:
        """Whether the log has said these words since now."""
        length = len(self.appliance.log.read_text())
        return lambda: words in self.appliance.log.read_text()[length:]

    def answers(self) -> Counter[int | None]:
        """How often each status was answered so far, None for no answer."""
        return Counter(each["answer"] for each in noted(self._folder / "sent.jsonl"))

    def is_sent(self) -> bool:
        """Whether everything is taken."""
        return not any(scanner.is_alive() for scanner in self._scanners)

    def sent(self) -> None:
        """Wait until everything is taken."""
        for scanner in self._scanners:
            scanner.join(PATIENCE_SECONDS)
            assert not scanner.is_alive(), "the scanner cannot get its studies through"

    def settle(self) -> float:
        """Wait until everything is taken, filed and delivered; the seconds that took."""
        began = time.monotonic()
        self.sent()
        wait_until(self._is_settled, PATIENCE_SECONDS, "all to be filed and delivered")
        return time.monotonic() - began

    def check(self) -> None:
        """Nothing acknowledged is lost, doubled, altered or misrouted, and nothing half is left."""
        receivers = {name: self._folder / name for name in DESTINATIONS}
        sent = sum(len(study.instances) for study in self._expected)
        sound(self._folder / "sent.jsonl", self.appliance.data, receivers, sent)
        wait_until(lambda: not self._unfinished(), PATIENCE_SECONDS, "nothing half to be left")

    def _unfinished(self) -> list[Path]:
        """What is half; for a moment that may be a manifest that upkeep just writes."""
        return [path for room in ("spool", "archive") for path in (self.appliance.data / room / "incoming").iterdir()]

    def found(self) -> str:
        """After `check`, in words."""
        answers = self.answers()
        return f"{answers[OUT_OF_RESOURCES]} A700, of n = {answers[SUCCESS]} Success 0 wrong, 0 lost"

    def disk_events(self) -> list[str]:
        """What the journal tells of disks: `spool is full`."""
        rows = self.appliance.sql("select detail from journal where kind = 'disk' order by id")
        details = [json.loads(str(detail)) for (detail,) in rows]
        return [f"{', '.join(detail['uses'])} is {detail['health']}" for detail in details]

    def _is_settled(self) -> bool:
        copies = sum(len(instance.to) for study in self._expected for instance in study.instances)
        delivered = self.appliance.count("select count(*) from deliveries where state = 'delivered'")
        return delivered == copies and self.appliance.waiting() == 0
