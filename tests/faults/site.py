"""An appliance with four scanners and one destination, and whether all that was acknowledged to them is there."""

import statistics
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from tests.faults.checker import Verdict, sound
from tests.faults.scanners import SCANNERS, Scanners
from tests.faults.senders import noted
from tests.faults.studies import make_study
from tests.support.appliance import RunningAppliance, wait_until
from tests.support.dcmtk import storescp
from tests.support.servers import rows

SEED = 20
FILED = "select count(*) from instances"
DRAIN_SECONDS = 180.0

_YAML = """
appliance: {{ae_title: MICROPACS, listen: "127.0.0.1:{{port}}", data: ./data, database: "{url}"}}
sources:
  room1: {{ae_title: ROOM1, host: 127.0.0.1}}
  room2: {{ae_title: ROOM2, host: 127.0.0.1}}
destinations:
  reading: {{ae_title: READING, host: 127.0.0.1, port: {reading}, retry: {{first: 1s, factor: 1, longest: 1s}}}}
normalise:
  - name: eight digits
    when: {{PatientID: {{matches: '\\d{{1,7}}'}}}}
    edit: [pad: {{keyword: PatientID, width: 8, with: "0"}}]
routes:
  - {{name: CT, when: {{Modality: CT}}, to: [reading]}}
archive: {{original_attributes: no, free_space: 100MB}}
"""


class Site:
    """All of it in one folder; CT goes to the destination `reading`, PET only into the archive."""

    def __init__(self, folder: Path, url: str | None, reading: int) -> None:
        self.url = url = url or f"sqlite:///{folder / 'site' / 'data' / 'micropacs.db'}"
        self._folder = folder
        self._log = folder / "sent.jsonl"
        (folder / "site").mkdir()
        self.appliance = RunningAppliance(folder / "site", _YAML.format(url=url, reading=reading))

    def scanners(self, rest_seconds: float = 0.0) -> Scanners:
        """Four scanners to be let loose, when those before have ended."""
        sent = max((each["study"] + 1 for each in self._noted()), default=0)
        return Scanners(self.appliance.port, SEED, self._log, rest_seconds, -(-sent // SCANNERS) * SCANNERS)

    def send(self, studies: int) -> None:
        """One scanner sends so many more studies."""
        scanner = self.scanners()
        for number in range(scanner.first, scanner.first + studies):
            scanner.send(make_study(SEED, number))
        scanner.close()

    def ask(self, query: str) -> Sequence[Sequence[Any]]:
        """Rows of its database, by plain SQL."""
        return rows(self.url, query)

    def count(self, query: str) -> int:
        """The single number that a query gives."""
        return int(self.ask(query)[0][0])

    def answers(self) -> list[int | None]:
        """What the scanners were answered: a status each, None where there was none, or no association."""
        return [each["answer"] for each in self._noted()]

    def seconds(self, since: float, until: float) -> tuple[int, float, float]:
        """How many answers were waited for between two moments (monotonic), the median and the longest wait (s)."""
        found = [each["seconds"] for each in self._noted() if since <= each["at"] < until]
        return len(found), statistics.median(found), max(found)

    def drain(self, seconds: float = DRAIN_SECONDS) -> float:
        """Wait until the spool is empty and everything is delivered; the seconds it took."""
        began = time.monotonic()
        unsettled = "select count(*) from deliveries where state <> 'delivered'"
        acknowledged = self.answers().count(0)
        # What the database says costs little to ask; to count the spool all of it is read.
        wait_until(lambda: self.count(FILED) >= acknowledged, seconds, "all to be filed")
        wait_until(lambda: self.appliance.waiting() == 0, seconds, "the spool to be empty")
        wait_until(lambda: self.count(unsettled) == 0, seconds, "all to be delivered")
        return time.monotonic() - began

    def check(self, strangers: Sequence[str] = ()) -> Verdict:
        """After `drain`: nothing lost, doubled, altered or misrouted, and filed in the order each scanner sent it.

        `strangers` are SOP instance UIDs in the index that nobody sent.
        """
        receivers = {"reading": self._folder / "reading"}
        sent = self.answers().count(0)
        verdict = sound(self._log, self.appliance.data, receivers, sent, url=self.url, strangers=strangers)
        acknowledged = defaultdict(list)
        for each in self._noted():
            if each["answer"] == 0:
                acknowledged[each["study"] % SCANNERS].append(each["uid"])
        place = {
            uid: number for number, (uid,) in enumerate(self.ask("select sop_instance_uid from instances order by id"))
        }
        for scanner, uids in acknowledged.items():
            assert uids == sorted(uids, key=place.__getitem__), f"not filed in the order in which {scanner} sent"
        return verdict

    def _noted(self) -> list[Any]:
        return list(noted(self._log)) if self._log.exists() else []


@contextmanager
def site(folder: Path, url: str | None = None, reading: int | None = None) -> Iterator[Site]:
    """A site whose appliance runs, until the end of the block; its database is `url`, or lies in its data folder.

    `reading` is the port of the destination, which writes into `folder / "reading"`, where that is not a usual one.
    """
    with storescp(folder / "reading") if reading is None else nullcontext(reading) as port:
        there = Site(folder, url, port)
        with there.appliance:
            wait_until(lambda: "working" in there.appliance.log.read_text(), 120, "the appliance to have its database")
            yield there
