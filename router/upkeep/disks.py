"""Watches the disks, and tells of each change once: in the log, and in the journal as soon as that can be written."""

import logging
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import structlog
from sqlalchemy.exc import DBAPIError

from archive import Database, synchronises
from router.disks import Disk, Health
from router.journal import Event, Journal

DISK = "disk"
SYNCHRONISING = "synchronising"
NOT_SYNCHRONISED = (
    "this machine does not synchronise: fsync does nothing here, so a power cut takes what is acknowledged; "
    "start the appliance without what suppresses it, such as libeatmydata in LD_PRELOAD"
)
_EVER = datetime(2000, 1, 1, tzinfo=UTC)

log = structlog.get_logger(__name__)


class DiskWatch:
    """Knows what was told last, over restarts too. Used by one thread."""

    def __init__(self, look: Callable[[], Sequence[Disk]], database: Database, journal: Journal) -> None:
        self._look = look
        self._database = database
        self._journal = journal
        self._known: dict[str, Health] = {}  # by use
        self._untold: list[Event] = []

    def begin(self) -> None:
        """Tell whether this machine synchronises, if that was told otherwise the last time, and look."""
        if last_synchronising(self._journal) is not synchronises():
            self._untold.append(Event(SYNCHRONISING, detail={"synchronises": synchronises()}))
        for _, detail in self._journal.of_kind(DISK, _EVER):
            self._known.update(dict.fromkeys(detail["uses"], _health(detail["health"])))
        self.step()

    def step(self) -> None:
        """Look once."""
        for disk in self._look():
            self._compare(disk)
        if not self._untold:
            return
        try:
            with self._database.begin() as connection:
                self._journal.write(connection, self._untold)
            self._untold.clear()
        except DBAPIError:  # its own disk may be the one that is full: the log has told it
            pass

    def _compare(self, disk: Disk) -> None:
        before = {use: self._known.get(use, Health.GOOD) for use in disk.uses}
        after = {use: disk.health_after(health) for use, health in before.items()}
        uses = [use for use in disk.uses if after[use] is not before[use]]
        self._known |= after
        if not uses:
            return
        log.log(logging.INFO if disk.health is Health.GOOD else logging.ERROR, str(disk))
        detail = {"uses": uses, "health": str(disk.health), "free": disk.free, "since": datetime.now(UTC).isoformat()}
        self._untold.append(Event(DISK, detail=detail))


def last_synchronising(journal: Journal) -> bool:
    """Whether the appliance could synchronise when it was started last."""
    told = journal.of_kind(SYNCHRONISING, _EVER)
    return bool(told[-1][1]["synchronises"]) if told else True


def _health(words: str) -> Health:
    return next((health for health in Health if str(health) == words), Health.GOOD)
