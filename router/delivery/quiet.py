"""Quiet times: deliveries that wait until nothing new has come for their series or study. The clock is handed in."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from archive import Database
from router.delivery.states import State
from router.delivery.tables import deliveries, destinations, quiet_periods
from router.delivery.transactions import write
from rules import Dispatch

AT_ONCE = 200
CLOCK_SLACK = timedelta(seconds=5)  # an arrival further in the future than this was stamped before the clock went back


_PERIODS = (
    sa.select(quiet_periods)
    .where(quiet_periods.c.scope.in_(sa.bindparam("scopes", expanding=True)))  # the index begins with it
    .where(quiet_periods.c.scope_id.in_(sa.bindparam("scope_ids", expanding=True)))
    .where(quiet_periods.c.route.in_(sa.bindparam("routes", expanding=True)))
    .where(quiet_periods.c.destination.in_(sa.bindparam("names", expanding=True)))
    .order_by(quiet_periods.c.id)
    .with_for_update()
)


_PENDING = sa.select(quiet_periods).where(quiet_periods.c.released_at.is_(None))
_OVER = _PENDING.where(quiet_periods.c.release_at <= sa.bindparam("until"))
_AHEAD = _PENDING.where(quiet_periods.c.last_arrival_at > sa.bindparam("slack"))
_ANY_OVER, _ANY_AHEAD = _OVER.limit(1), _AHEAD.limit(1)
_SOME_OVER, _SOME_AHEAD = (
    each.order_by(quiet_periods.c.release_at, quiet_periods.c.id).limit(AT_ONCE).with_for_update(skip_locked=True)
    for each in (_OVER, _AHEAD)
)


@dataclass(frozen=True, slots=True)
class QuietKey:
    """Which deliveries become due together: `scope_id` is a study or series of the archive."""

    scope: str
    scope_id: int
    route: str
    destination: str


@dataclass(frozen=True, slots=True)
class Place:
    """What a new delivery begins as."""

    state: State
    quiet_period_id: int | None
    reason: str | None


def await_quiet(
    connection: sa.Connection, arrivals: Mapping[QuietKey, Dispatch], now: datetime
) -> dict[QuietKey, Place]:
    """Something came for each key: its quiet time begins anew, unless it is over and late ones are not sent."""
    known = _lock_periods(connection, arrivals)
    return {key: _arrive(connection, key, arrivals[key], known.get(key), now) for key in sorted(arrivals, key=_order)}


def _arrive(
    connection: sa.Connection,
    key: QuietKey,
    dispatch: Dispatch,
    period: sa.Row[tuple[object, ...]] | None,
    now: datetime,
) -> Place:
    if period is not None and period.released_at is not None and dispatch.late != "send":
        state = State.HELD if dispatch.late == "hold" else State.IGNORED
        return Place(state, None, f"came after the {key.scope} had been quiet")
    times = {
        "quiet_seconds": dispatch.quiet_seconds,
        "late": dispatch.late,
        "last_arrival_at": now,
        "release_at": now + timedelta(seconds=dispatch.quiet_seconds),
        "released_at": None,
    }
    if period is not None:
        connection.execute(sa.update(quiet_periods).where(quiet_periods.c.id == period.id).values(times))
        return Place(State.WAITING, period.id, None)
    row = {"scope": key.scope, "scope_id": key.scope_id, "route": key.route, "destination": key.destination}
    inserted = connection.execute(sa.insert(quiet_periods).values(row | times)).inserted_primary_key
    assert inserted is not None
    return Place(State.WAITING, inserted[0], None)


def _lock_periods(connection: sa.Connection, keys: Collection[QuietKey]) -> dict[QuietKey, sa.Row[tuple[object, ...]]]:
    sought = {
        "scopes": sorted({key.scope for key in keys}),
        "scope_ids": sorted({key.scope_id for key in keys}),
        "routes": sorted({key.route for key in keys}),
        "names": sorted({key.destination for key in keys}),
    }
    rows = connection.execute(_PERIODS, sought).all()
    return {QuietKey(row.scope, row.scope_id, row.route, row.destination): row for row in rows}


def _order(key: QuietKey) -> tuple[str, int, str, str]:
    return key.scope, key.scope_id, key.route, key.destination


def release_quiet(database: Database, now: datetime, filed_through: datetime | None = None) -> int:
    """Make due what has been quiet long enough; the number of deliveries released.

    Where filing lags behind, `filed_through` says up to which moment every arrival has been filed: nothing whose quiet
    time ends later is released, for what breaks the quiet may still lie in the spool.
    """
    until = now if filed_through is None else min(now, filed_through)
    moments = {"until": until, "slack": now + CLOCK_SLACK}
    with database.read() as connection:  # asked several times a second: nothing is mostly the answer
        if not any(connection.execute(which, moments).first() for which in (_ANY_OVER, _ANY_AHEAD)):
            return 0

    def release(connection: sa.Connection) -> int:
        released = _release(connection, connection.execute(_SOME_OVER, moments).all(), now)
        for period in connection.execute(
            _SOME_AHEAD, moments
        ).all():  # the clock went back: the quiet time begins anew by the clock as it is
            times = {"last_arrival_at": now, "release_at": now + timedelta(seconds=period.quiet_seconds)}
            connection.execute(sa.update(quiet_periods).where(quiet_periods.c.id == period.id).values(times))
        return released

    return write(database, release)


def _release(connection: sa.Connection, periods: Collection[sa.Row[tuple[object, ...]]], now: datetime) -> int:
    # Where late ones are sent, a late one finds no period and begins another: the row has done its work.
    done = [period.id for period in periods if period.late == "send"]
    kept = [period.id for period in periods if period.late != "send"]
    connection.execute(sa.delete(quiet_periods).where(quiet_periods.c.id.in_(done)))
    connection.execute(sa.update(quiet_periods).where(quiet_periods.c.id.in_(kept)).values(released_at=now))
    return connection.execute(
        sa.update(deliveries)
        .where(deliveries.c.quiet_period_id.in_([*done, *kept]), deliveries.c.state == State.WAITING)
        .values(
            state=State.DUE,
            quiet_period_id=None,
            due_at=now,
            due_since=now,
            line_failures_before=failures_in_all(deliveries.c.destination),
        )
    ).rowcount


def failures_in_all(name: sa.ColumnElement[str]) -> sa.ColumnElement[int]:
    """How often the line of the destination `name` has failed until now, as SQL."""
    counted = sa.select(destinations.c.failures_in_all).where(destinations.c.name == name).scalar_subquery()
    return sa.func.coalesce(counted, 0)
