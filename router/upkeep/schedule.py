"""What the work role does at intervals. The queue is not here: its due times stand in the database.

It rests by the monotonic clock, so that a clock set back or forward neither stops nor hurries it.
"""

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import structlog

from archive import Archive, ArchiveError
from router.delivery import Digests, Queue
from router.telemetry import tell_interruption
from router.upkeep.disks import DiskWatch
from router.upkeep.verification import Rounds

MANIFEST_SECONDS = 2
MANIFEST_QUIET = timedelta(seconds=3)
MANIFESTS_AT_ONCE = 20
SPOILT_SECONDS = 60.0  # after which a manifest that could not be written is tried again
RESCUE_SECONDS = 15
CLOCK_SECONDS = 30
VERIFY_SECONDS = 10
DISK_SECONDS = 3
FOLD_SECONDS = 600
FOLD_AFTER = timedelta(hours=1)
LEFT_OVER_FOR = timedelta(hours=1)  # longer than any lot of deliveries is under way

log = structlog.get_logger(__name__)


class Upkeep:
    """Writes the manifests of studies that changed, frees expired leases, folds settled deliveries into receipts.

    `digests` are those of copies that were sent and not digested yet.

    With `rounds` it verifies the archive, too, as often as these say; with `disks` it watches them.
    """

    def __init__(
        self,
        archive: Archive,
        queue: Queue,
        digests: Digests,
        rounds: Rounds | None = None,
        disks: DiskWatch | None = None,
    ) -> None:
        self._archive = archive
        self._queue = queue
        self._digests = digests
        self._rounds = rounds
        self._disks = disks
        self._stop = threading.Event()
        self._spoilt: dict[int, float] = {}  # study id: until when (monotonic) its manifest is left alone
        self._threads = [
            threading.Thread(target=self._repeat, args=(work, seconds), name=work.__name__, daemon=True)
            for work, seconds in (
                (self.manifests, MANIFEST_SECONDS),
                (self.rescue, RESCUE_SECONDS),
                (self.remember_clock, CLOCK_SECONDS),
                (self.verify, VERIFY_SECONDS),
                (self.watch_disks, DISK_SECONDS),
                (self.fold, FOLD_SECONDS),
                (self.remove_leftovers, FOLD_SECONDS),
            )
        ]

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Let running work end, start no more."""
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def manifests(self) -> None:
        """Write `manifest.json` of the studies that have changed and been quiet for a moment."""
        now = time.monotonic()
        self._spoilt = {study_id: until for study_id, until in self._spoilt.items() if until > now}
        limit = MANIFESTS_AT_ONCE + len(self._spoilt)
        for study_id in self._archive.stale_manifests(datetime.now(UTC) - MANIFEST_QUIET, limit):
            if self._stop.is_set():
                return
            if study_id not in self._spoilt:
                self._write_manifest(study_id)

    def rescue(self) -> None:
        """Give back the deliveries whose lease has expired."""
        freed = self._queue.rescue()
        if freed:
            log.warning("leases expired", deliveries=freed)

    def remember_clock(self) -> None:
        """Let the next start notice that the clock was set."""
        self._queue.remember_clock()

    def verify(self) -> None:
        """Verify the files whose turn it is."""
        if self._rounds is not None:
            self._rounds.step(self._stop.is_set)

    def watch_disks(self) -> None:
        """Look how the disks are."""
        if self._disks is not None:
            self._disks.step()

    def fold(self) -> None:
        """Fold deliveries settled some time ago into one receipt a study and destination."""
        self._queue.fold(datetime.now(UTC) - FOLD_AFTER, self._digests.complete)

    def remove_leftovers(self) -> None:
        """Remove files that another version took the place of some time ago: nobody reads them any more."""
        removed = self._archive.remove_leftovers(datetime.now(UTC) - LEFT_OVER_FOR)
        if removed:
            log.info("older versions removed", files=removed)

    def _write_manifest(self, study_id: int) -> None:
        """Write one; a study whose folder fails waits, so that it does not keep the others waiting."""
        try:
            self._archive.write_manifest(study_id, {"deliveries": self._queue.receipts(study_id)})
        except ArchiveError as error:
            log.warning("manifest cannot be written", study=study_id, reason=str(error))
            self._spoilt[study_id] = time.monotonic() + SPOILT_SECONDS

    def _repeat(self, work: Callable[[], None], seconds: float) -> None:
        while not self._stop.wait(seconds):
            self._once(work)

    def _once(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception as error:  # noqa: BLE001 - the border of a work loop
            tell_interruption(log, work.__name__, error)
