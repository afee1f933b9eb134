"""The queue as a person sees it: each delivery with the reason why it waits, each destination with its counts."""

from collections.abc import Collection, Mapping
from datetime import datetime

import sqlalchemy as sa

from archive import Database
from router.delivery.delivery import LineState, Listed
from router.delivery.states import State
from router.delivery.tables import deliveries, destinations, quiet_periods

_row = sa.Row[tuple[object, ...]]
_UNDELIVERED = (State.WAITING, State.DUE, State.LEASED)


def listing(
    database: Database,
    now: datetime,
    *,
    destination: str | None = None,
    study_id: int | None = None,
    states: Collection[State] = (),
    limit: int = 1000,
) -> list[Listed]:
    """The deliveries chosen (all states if none are named), in the order they would be sent, each with its reason."""
    query = (
        sa.select(deliveries, quiet_periods.c.scope, quiet_periods.c.release_at)
        .outerjoin(quiet_periods, quiet_periods.c.id == deliveries.c.quiet_period_id)
        .order_by(deliveries.c.priority, deliveries.c.id)
        .limit(limit)
    )
    if destination is not None:
        query = query.where(deliveries.c.destination == destination)
    if study_id is not None:
        query = query.where(deliveries.c.study_id == study_id)
    if states:
        query = query.where(deliveries.c.state.in_(states))
    with database.read() as connection:
        lines = {row.name: row for row in connection.execute(sa.select(destinations))}
        return [_listed(row, lines.get(row.destination), now) for row in connection.execute(query)]


def _listed(row: _row, line: _row | None, now: datetime) -> Listed:
    return Listed(
        delivery_id=row.id,
        instance_id=row.instance_id,
        study_id=row.study_id,
        destination=row.destination,
        route=row.route,
        state=State(row.state),
        attempts=row.attempts,
        created_at=row.created_at,
        due_at=row.due_at,
        status=row.status,
        reason=_reason(row, line, now),
    )


def _reason(row: _row, line: _row | None, now: datetime) -> str:
    if row.state == State.WAITING:
        return f"waits until the {row.scope} is quiet, at the earliest at {_clock(row.release_at)}"
    if row.state == State.LEASED:
        return "is being sent"
    if row.state != State.DUE:
        return row.reason or ""
    if line is None or not line.configured:
        return "destination is not configured"
    if line.paused:
        return f"destination is paused: {line.paused_reason}" if line.paused_reason else "destination is paused"
    if line.failures:
        times = "once" if line.failures == 1 else f"{line.failures} times in a row"
        until = f", next attempt at {_clock(line.retry_at)}" if line.retry_at and line.retry_at > now else ""
        return f"destination failed {times}: {line.last_error}{until}"
    if row.due_at > now:
        return f"{row.reason or 'failed'}, next attempt at {_clock(row.due_at)}"
    return row.reason or "is due"


def _clock(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M:%S UTC")


def overview(database: Database) -> list[LineState]:
    """Every destination, by name: those configured, and those the queue still knows deliveries for."""
    counting = sa.select(
        deliveries.c.destination,
        deliveries.c.state,
        sa.func.count().label("deliveries"),
        sa.func.min(deliveries.c.created_at).label("oldest"),
    ).group_by(deliveries.c.destination, deliveries.c.state)
    with database.read() as connection:
        lines = {row.name: row for row in connection.execute(sa.select(destinations))}
        counts: dict[str, dict[State, int]] = {name: {} for name, row in lines.items() if row.configured}
        oldest: dict[str, datetime] = {}
        for row in connection.execute(counting):
            state = State(row.state)
            counts.setdefault(row.destination, {})[state] = row.deliveries
            if state in _UNDELIVERED:
                oldest[row.destination] = min(row.oldest, oldest.get(row.destination, row.oldest))
    return [_line_state(name, lines.get(name), counts[name], oldest.get(name)) for name in sorted(counts)]


def _line_state(name: str, line: _row | None, counts: Mapping[State, int], oldest_at: datetime | None) -> LineState:
    return LineState(
        destination=name,
        is_configured=line is not None and line.configured,
        is_paused=line is not None and line.paused,
        paused_reason=line.paused_reason if line else None,
        failures=line.failures if line else 0,
        failing_since=line.failing_since if line else None,
        retry_at=line.retry_at if line else None,
        last_error=line.last_error if line else None,
        last_success_at=line.last_success_at if line else None,
        counts=counts,
        oldest_at=oldest_at,
    )
