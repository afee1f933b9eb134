"""Leases whose commit failed, so that nobody knows whether it was made: undone before the next. It leases nothing.

A database that fails or goes away during a commit may have made it. What was taken by it nobody sends.
"""

import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from sqlalchemy.exc import SQLAlchemyError

from archive import Database
from router.delivery.leasing import LEASE, undo


class Undecided:
    """Those of one process, by destination and moment; for any number of threads."""

    def __init__(self, database: Database, holder: str) -> None:
        self._database = database
        self._holder = holder
        self._moments: defaultdict[str, set[datetime]] = defaultdict(set)
        self._lock = threading.Lock()

    @contextmanager
    def leasing(self, destination: str, now: datetime) -> Iterator[None]:
        """Within the block something is leased at this moment; what is undecided is undone before. SQLAlchemyError."""
        self._undo(destination, now)
        try:
            yield
        except SQLAlchemyError:
            with self._lock:
                self._moments[destination].add(now)
            raise

    def _undo(self, destination: str, now: datetime) -> None:
        with self._lock:
            moments = set(self._moments[destination])
        if moments:
            recent = {each for each in moments if abs(now - each) <= LEASE}  # others have expired
            undo(self._database, destination, self._holder, recent)
            with self._lock:
                self._moments[destination] -= moments
