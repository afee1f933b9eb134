"""Verifies at once an instance that did not leave as it was kept: it is in quarantine before anybody asks for it again.

Called by the lines, each from its own thread. It decides nothing about the delivery.
"""

import threading

import structlog
from sqlalchemy.exc import SQLAlchemyError

from router.upkeep.verification import Verifier, tell

log = structlog.get_logger(__name__)


class Doubt:
    """Of what is found in a row in one study there is one event in the journal."""

    def __init__(self, verifier: Verifier) -> None:
        self._verifier = verifier
        self._study_id: int | None = None
        self._lock = threading.Lock()

    def __call__(self, instance_id: int) -> None:
        """Verify this instance. Raises nothing: what cannot be verified now is noticed again the next time."""
        try:
            with self._lock:
                self._verify(instance_id)
        except (SQLAlchemyError, OSError) as error:
            log.warning("kept file cannot be verified now", instance=instance_id, error=type(error).__name__)

    def _verify(self, instance_id: int) -> None:
        batch = [each for each in self._verifier.archive.instances_after(instance_id - 1, 1) if each.row == instance_id]
        for kept in batch:
            if kept.study_id != self._study_id:
                self._verifier.begin()
                self._study_id = kept.study_id
        tell(self._verifier.verify(batch))
