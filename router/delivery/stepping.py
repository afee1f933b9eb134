"""A wall clock that is set while we run: what waits goes on waiting as long as it had to. It reads no configuration."""

from collections.abc import Callable
from datetime import datetime, timedelta
from threading import Lock

import sqlalchemy as sa
import structlog

from archive import Database
from router.delivery.leasing import LEASE
from router.delivery.listing import names_in_queue
from router.delivery.states import State
from router.delivery.tables import deliveries, destinations, quiet_periods
from router.delivery.transactions import write

STEP = timedelta(seconds=1)  # less is no step: no wait is meant so exactly
AT_ONE_MOMENT = 0.1  # seconds: two clocks that were read so near to each other can be compared

log = structlog.get_logger(__name__)


class SteppedClock:
    """Compares the wall clock with one that only goes on, and moves the due times of the queue when it was set.

    Times of other machines are moved as well: that what is due too far ahead is due at once (see `leasing`), and that a
    quiet time which began in the future begins anew (see `quiet`), keeps this harmless.
    """

    def __init__(
        self, database: Database, holder: str, now: Callable[[], datetime], steady: Callable[[], float]
    ) -> None:
        self._database = database
        self._holder = holder
        self._now = now
        self._steady = steady
        self._guard = Lock()
        _, self._began_at = self._read()

    def now(self) -> datetime:
        """The wall clock, once the queue goes by it; for whoever asks what is due. SQLAlchemyError."""
        with self._guard:
            now, began_at = self._read()
            step = began_at - self._began_at
            if abs(step) >= STEP:
                moved = write(self._database, lambda connection: move(connection, now, step, self._holder))
                log.warning("the clock was set, what waits goes on waiting", seconds=step.total_seconds(), moved=moved)
                self._began_at = began_at
            return now

    def _read(self) -> tuple[datetime, datetime]:
        """The wall clock, and what it would have shown when the steady clock was at 0."""
        while True:
            steady, now = self._steady(), self._now()
            if self._steady() - steady < AT_ONE_MOMENT:
                return now, now - timedelta(seconds=steady)


def move(connection: sa.Connection, now: datetime, step: timedelta, holder: str) -> int:
    """Move what was due after the moment of the step by the step, and prolong our leases; how many waits were moved."""
    before = now - step
    waiting = quiet_periods.c.released_at.is_(None) & (quiet_periods.c.last_arrival_at <= before)
    is_due = deliveries.c.destination.in_(names_in_queue(connection)) & (deliveries.c.state == State.DUE)
    moved = _move(connection, step, quiet_periods.c.release_at, waiting, before, also=quiet_periods.c.last_arrival_at)
    moved += _move(connection, step, destinations.c.retry_at, destinations.c.failures > 0, before)
    moved += _move(connection, step, deliveries.c.due_at, is_due, before)
    ours = (deliveries.c.lease_holder == holder) & (deliveries.c.state == State.LEASED)
    connection.execute(sa.update(deliveries).where(ours).values(lease_until=now + LEASE))
    return moved


def _move(
    connection: sa.Connection,
    step: timedelta,
    due: sa.Column[datetime],
    chosen: sa.ColumnElement[bool],
    before: datetime,
    also: sa.Column[datetime] | None = None,
) -> int:
    table = due.table
    [key] = table.primary_key
    columns = [due] if also is None else [due, also]
    rows = connection.execute(sa.select(key, *columns).where(chosen, due > before).with_for_update()).all()
    for row in rows:
        values = {column.name: moment + step for column, moment in zip(columns, row[1:], strict=True)}
        connection.execute(sa.update(table).where(key == row[0]).values(values))
    return len(rows)
