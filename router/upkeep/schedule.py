"""The periodic jobs of the work role. The send queue is not here: its due times stand in the database."""

from datetime import UTC, datetime, timedelta

import structlog
from apscheduler.schedulers.background import BackgroundScheduler

from archive import Archive
from router.delivery import Queue

MANIFEST_SECONDS = 2
MANIFEST_QUIET = timedelta(seconds=3)
MANIFESTS_AT_ONCE = 20
RESCUE_SECONDS = 15
FOLD_SECONDS = 60
FOLD_AFTER = timedelta(hours=1)

log = structlog.get_logger(__name__)


class Upkeep:
    """Writes the manifests of studies that changed, frees expired leases, folds settled deliveries into receipts."""

    def __init__(self, archive: Archive, queue: Queue) -> None:
        self._archive = archive
        self._queue = queue
        self._scheduler = BackgroundScheduler(
            timezone="UTC", job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None}
        )
        for job, seconds in (
            (self.manifests, MANIFEST_SECONDS),
            (self.rescue, RESCUE_SECONDS),
            (self.fold, FOLD_SECONDS),
        ):
            self._scheduler.add_job(job, "interval", seconds=seconds)

    def start(self) -> None:
        """Begin."""
        self._scheduler.start()

    def stop(self) -> None:
        """Let a running job end, start no other."""
        self._scheduler.shutdown(wait=True)

    def manifests(self) -> None:
        """Write `manifest.json` of the studies that have changed and been quiet for a moment."""
        for study_id in self._archive.stale_manifests(datetime.now(UTC) - MANIFEST_QUIET, MANIFESTS_AT_ONCE):
            self._archive.write_manifest(study_id, {"deliveries": self._queue.receipts(study_id)})

    def rescue(self) -> None:
        """Give back the deliveries whose lease has expired."""
        freed = self._queue.rescue()
        if freed:
            log.warning("leases expired", deliveries=freed)

    def fold(self) -> None:
        """Fold deliveries settled some time ago into one receipt a study and destination."""
        self._queue.fold(datetime.now(UTC) - FOLD_AFTER)
