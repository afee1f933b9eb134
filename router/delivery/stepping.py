"""A wall clock that is set: what waits goes on waiting as long as it had to. It reads no configuration."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from threading import Lock

import sqlalchemy as sa
import structlog

from archive import Database
from router.delivery.leasing import LEASE
from router.delivery.listing import names_in_queue
from router.delivery.states import State
from router.delivery.tables import clocks, deliveries, destinations, quiet_periods
from router.delivery.transactions import write

STEP = timedelta(seconds=1)  # less is no step: no wait is meant so exactly
AT_ONE_MOMENT = 0.1  # seconds: two clocks that were read so near to each other can be compared
SLACK = timedelta(minutes=2)  # by which a machine that was started again may find its clock set right
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class SteadyClock:
    """A clock that nobody sets, in seconds. `era` tells which of its starts it counts from, empty if nobody knows."""

    seconds: Callable[[], float]
    era: str


def machine_clock() -> SteadyClock:
    """That of this machine, which counts from when it was started."""
    try:
        era = _BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:  # there is no such thing on Windows and macOS
        era = ""
    return SteadyClock(time.monotonic, era)


class SteppedClock:
    """Compares the wall clock with one that only goes on, and moves the due times of the queue when it was set.

    Times of other machines are moved as well: that what is due too far ahead is due at once (see `leasing`), and that a
    quiet time which began in the future begins anew (see `quiet`), keeps this harmless. `tell` is called, in the same
    transaction, with by how many seconds it was set and how many waits were moved.
    """

    def __init__(
        self,
        database: Database,
        holder: str,
        now: Callable[[], datetime],
        steady: SteadyClock,
        tell: Callable[[sa.Connection, float, int], None],
    ) -> None:
        self._database = database
        self._holder = holder
        self._now = now
        self._steady = steady
        self._tell = tell
        self._guard = Lock()
        begins, self._began_at = self._read()
        self._looked_after = begins - self._began_at  # by the steady clock, the last time that both were read

    def now(self) -> datetime:
        """The wall clock, once the queue goes by it; for whoever asks what is due. SQLAlchemyError."""
        with self._guard:
            now, began_at = self._read()
            step = began_at - self._began_at
            if abs(step) >= STEP:
                since = min(now, began_at + self._looked_after)
                write(self._database, lambda connection: self._step(connection, now, began_at, step, since))
                self._began_at = began_at
            self._looked_after = now - began_at
            return now

    def go_on(self) -> None:
        """Compare with what this holder's last life knew, at start: the clock may have been set meanwhile.

        Where the machine was started since, only a clock that shows less than it did is known to have been set.
        """
        with self._guard, self._database.read() as connection:
            last = connection.execute(sa.select(clocks).where(clocks.c.holder == self._holder)).first()
            now, began_at = self._read()
            if last is not None and last.era and last.era == self._steady.era:
                self._began_at = last.began_at
            elif last is not None and now < last.at - SLACK:
                self._began_at = began_at - (now - last.at)

    def remember(self) -> None:
        """Let the next life of this holder know how the clocks are. SQLAlchemyError."""
        now = self.now()
        with self._guard:
            write(self._database, lambda connection: self._remember(connection, now, self._began_at))

    def _step(
        self, connection: sa.Connection, now: datetime, began_at: datetime, step: timedelta, since: datetime
    ) -> None:
        moved = move(connection, now, step, self._holder, since)
        self._remember(connection, now, began_at)
        self._tell(connection, step.total_seconds(), moved)
        log.warning("the clock was set, what waits goes on waiting", seconds=step.total_seconds(), moved=moved)

    def _remember(self, connection: sa.Connection, now: datetime, began_at: datetime) -> None:
        values = {"at": now, "began_at": began_at, "era": self._steady.era}
        connection.execute(self._database.insert_new(clocks), {"holder": self._holder, **values})
        connection.execute(sa.update(clocks).where(clocks.c.holder == self._holder).values(values))

    def _read(self) -> tuple[datetime, datetime]:
        """The wall clock, and what it would have shown when the steady clock was at 0."""
        while True:
            steady, now = self._steady.seconds(), self._now()
            if self._steady.seconds() - steady < AT_ONE_MOMENT:
                return now, now - timedelta(seconds=steady)


def move(connection: sa.Connection, now: datetime, step: timedelta, holder: str, since: datetime) -> int:
    """Move what is due later by either clock by the step, and prolong our leases; how many waits were moved.

    What became due by the clock as it is now is not moved: after `since`, when that was looked at last, or what had
    not been by the clock before.
    """
    before = now - step
    waiting = quiet_periods.c.released_at.is_(None) & _was(quiet_periods.c.last_arrival_at, before, since, now)
    is_due = deliveries.c.destination.in_(names_in_queue(connection)) & (deliveries.c.state == State.DUE)
    is_due &= _was(deliveries.c.due_since, before, since, now)
    after = min(before, now)
    moved = _move(connection, step, quiet_periods.c.release_at, waiting, after, also=quiet_periods.c.last_arrival_at)
    moved += _move(connection, step, destinations.c.retry_at, destinations.c.failures > 0, after)
    moved += _move(connection, step, deliveries.c.due_at, is_due, after)
    ours = (deliveries.c.lease_holder == holder) & (deliveries.c.state == State.LEASED)
    connection.execute(sa.update(deliveries).where(ours).values(lease_until=now + LEASE))
    return moved


def _was(moment: sa.Column[datetime], before: datetime, since: datetime, now: datetime) -> sa.ColumnElement[bool]:
    """Whether it was by the clock that was set."""
    return (moment <= before) & ((moment <= since) | (moment > now))


def _move(
    connection: sa.Connection,
    step: timedelta,
    due: sa.Column[datetime],
    chosen: sa.ColumnElement[bool],
    after: datetime,
    also: sa.Column[datetime] | None = None,
) -> int:
    table = due.table
    [key] = table.primary_key
    columns = [due] if also is None else [due, also]
    rows = connection.execute(sa.select(key, *columns).where(chosen, due > after).with_for_update()).all()
    for row in rows:
        values = {column.name: moment + step for column, moment in zip(columns, row[1:], strict=True)}
        connection.execute(sa.update(table).where(key == row[0]).values(values))
    return len(rows)
