"""The appliance that is measured: served as a user would, and the questions a measurement asks it. Judges nothing."""

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from router.appliance import Appliance
from router.config import load
from tests.support.appliance import RunningAppliance
from tests.support.ports import free_port

SAFE_SECONDS = 300.0
_LOOK_SECONDS = 0.005
_IS_UNDER_WAY = """
    select exists (select 1 from deliveries where destination = 'pacs' and state in ('waiting', 'due', 'leased'))
"""

CONFIGURATION = """\
appliance:
  ae_title: MICROPACS
  listen: "127.0.0.1:{port}"
  data: ./data
  limits: {associations: 200, per_host: 200}
sources:
  scanner: {ae_title: SCANNER, host: 127.0.0.1}
destinations:
  pacs: {ae_title: PACS, host: 127.0.0.1, port: PACS_PORT}
routes:
  - name: all to the PACS
    EDITS
    to: [pacs]
"""
FIVE_EDITS = """edit:
      - set: {InstitutionName: NATIONAL CANCER CENTER}
      - prefix: {AccessionNumber: NM-}
      - pad: {keyword: PatientID, width: 8, with: "0"}
      - blank: [ReferringPhysicianName]
      - suffix: {keyword: StudyDescription, with: " (PET/CT)"}"""


class Site:
    """A running appliance whose one destination is paused, so that what it files is queued and not sent."""

    def __init__(self, running: RunningAppliance) -> None:
        self.running = running
        self.port = running.port
        self._database = sqlite3.connect(f"file:{running.data / 'micropacs.db'}?mode=ro", uri=True, timeout=30)
        self._database.isolation_level = None

    def close(self) -> None:
        """Let the database go."""
        self._database.close()

    def marks(self) -> tuple[int, int]:
        """The highest row of instances and of deliveries: cheap, and equal to their number while nothing is removed."""
        query = "select (select max(id) from instances), (select max(id) from deliveries)"
        instances, deliveries = self._database.execute(query).fetchone()
        return instances or 0, deliveries or 0

    def wait_filed(self, before: tuple[int, int], instances: int) -> None:
        """Until so many more instances are indexed and queued than at `before`; TimeoutError where they never are."""
        deadline = time.monotonic() + SAFE_SECONDS
        while any(now < then + instances for now, then in zip(self.marks(), before, strict=True)):
            if time.monotonic() > deadline:
                raise TimeoutError(f"{self.marks()} instances and deliveries, {before} before, {instances} sent")
            time.sleep(_LOOK_SECONDS)

    def wait_delivered(self) -> None:
        """Until no delivery is under way any more; TimeoutError where one always is."""
        deadline = time.monotonic() + SAFE_SECONDS
        while self._database.execute(_IS_UNDER_WAY).fetchone()[0]:
            if time.monotonic() > deadline:
                raise TimeoutError("deliveries are still under way")
            time.sleep(4 * _LOOK_SECONDS)  # arrivals have the time on them: nothing is lost by looking late

    def states(self) -> dict[str, int]:
        """How many deliveries are in each state."""
        return dict(self._database.execute("select state, count(*) from deliveries group by state"))


@contextmanager
def site(folder: Path, pacs_port: int | None = None, edits: str = "") -> Iterator[Site]:
    """An appliance in a fresh folder; its destination, at `pacs_port` or where nobody listens, is paused."""
    folder.mkdir(parents=True)
    yaml = CONFIGURATION.replace("PACS_PORT", str(pacs_port or free_port())).replace("EDITS", edits)
    with RunningAppliance(folder, yaml) as running:
        running.run("queue", "pause", "--destination", "pacs").check_returncode()
        with closing(Site(running)) as found:
            yield found


@contextmanager
def operator(site: Site) -> Iterator[Appliance]:
    """The appliance as `micropacs queue` opens it, to pause and resume without starting a program."""
    appliance = Appliance.open(load(site.running.file))
    try:
        yield appliance
    finally:
        appliance.close()


def settle_disk() -> None:
    """Write everything to the disk that earlier steps left in memory, so that it is not paid for by the next."""
    os.sync()
