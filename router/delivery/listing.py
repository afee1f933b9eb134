"""The queue as a person sees it: each delivery with the reason why it waits, each destination with its counts."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

import sqlalchemy as sa

from archive import Database
from router.delivery.delivery import LineState, Listed
from router.delivery.outcomes import UNREADABLE
from router.delivery.states import SETTLED, State
from router.delivery.tables import deliveries, destinations, quiet_periods
from rules import Priority

_row = sa.Row[tuple[object, ...]]
IDS_AT_ONCE = 500
_UNDELIVERED = (State.WAITING, State.DUE, State.LEASED)
_ROWS = sa.select(deliveries, quiet_periods.c.scope, quiet_periods.c.release_at).outerjoin(
    quiet_periods, quiet_periods.c.id == deliveries.c.quiet_period_id
)
_NEXT_NAME = sa.select(sa.func.min(deliveries.c.destination)).where(deliveries.c.destination > sa.bindparam("after"))
_place = sa.and_(deliveries.c.destination == sa.bindparam("destination"), deliveries.c.state == sa.bindparam("state"))
_IN_LINE = (
    sa.select(deliveries.c.priority, deliveries.c.id)
    .where(_place)
    .order_by(deliveries.c.priority, deliveries.c.id)
    .limit(sa.bindparam("limit", type_=sa.Integer))
)
_COUNT = sa.select(sa.func.count()).select_from(deliveries).where(_place)
_LOOKED_AT = 10_000  # of a line, from its front, where what was tried stands: it may be a million long
_FRONT = (
    sa.select(deliveries.c.reason)
    .where(_place)
    .order_by(deliveries.c.priority, deliveries.c.id)
    .limit(_LOOKED_AT)
    .subquery()
)
_UNREADABLE = (
    sa.select(sa.func.count()).select_from(_FRONT).where(_FRONT.c.reason.startswith(UNREADABLE.reason, autoescape=True))
)
_BY_REVISION = (
    sa.select(deliveries.c.revision, sa.func.count().label("deliveries")).where(_place).group_by(deliveries.c.revision)
)
_OLDEST = sa.select(deliveries.c.created_at).where(
    deliveries.c.id
    == sa.select(sa.func.min(deliveries.c.id))
    .where(_place, deliveries.c.priority == sa.bindparam("priority"))
    .scalar_subquery()
)


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
    with database.read() as connection:
        lines = {row.name: row for row in connection.execute(sa.select(destinations))}
        if study_id is None:
            names = names_in_queue(connection) if destination is None else [destination]
            ids = _first_in_line(connection, [(name, state) for name in names for state in states or State], limit)
            parts = (ids[start : start + IDS_AT_ONCE] for start in range(0, len(ids), IDS_AT_ONCE))
            rows = [row for some in parts for row in connection.execute(_ROWS.where(deliveries.c.id.in_(some)))]
        else:
            rows = list(connection.execute(_of_study(study_id, destination, states, limit)))
    rows.sort(key=lambda row: (row.priority, row.id))
    return [_listed(row, lines.get(row.destination), now) for row in rows]


def _of_study(
    study_id: int, destination: str | None, states: Collection[State], limit: int
) -> sa.Select[tuple[object, ...]]:
    query = _ROWS.where(deliveries.c.study_id == study_id).order_by(deliveries.c.priority, deliveries.c.id).limit(limit)
    if destination is not None:
        query = query.where(deliveries.c.destination == destination)
    return query.where(deliveries.c.state.in_(states)) if states else query


def names_in_queue(connection: sa.Connection) -> list[str]:
    """The destinations the queue knows deliveries for, found by stepping from one to the next in the index."""
    names: list[str] = []
    while (name := connection.scalar(_NEXT_NAME, {"after": names[-1] if names else ""})) is not None:
        names.append(name)
    return names


def pending_by_revision(database: Database) -> list[tuple[str, str, int]]:
    """How many deliveries to a destination, decided by a revision, are neither delivered nor given up."""
    counts: Counter[tuple[str, str]] = Counter()
    with database.read() as connection:
        for name in names_in_queue(connection):
            for state in set(State) - SETTLED:
                for row in connection.execute(_BY_REVISION, {"destination": name, "state": state}):
                    counts[name, row.revision] += row.deliveries
    return [(name, revision, count) for (name, revision), count in sorted(counts.items())]


def unreadable(database: Database) -> int:
    """How many deliveries are tried again later because the kept file could not be read."""
    with database.read() as connection:
        places = [{"destination": name, "state": State.DUE} for name in names_in_queue(connection)]
        return sum(connection.scalar(_UNREADABLE, place) or 0 for place in places)


def _first_in_line(connection: sa.Connection, places: Sequence[tuple[str, State]], limit: int) -> list[int]:
    """The ids of those that would be sent first of these destinations and states, at most `limit`."""
    found: list[tuple[int, int]] = []
    for name, state in places:
        rows = connection.execute(_IN_LINE, {"destination": name, "state": state, "limit": limit})
        found += [(row.priority, row.id) for row in rows]
    return [delivery_id for _, delivery_id in sorted(found)[:limit]]


def _listed(row: _row, line: _row | None, now: datetime) -> Listed:
    return Listed(
        delivery_id=row.id,
        instance_id=row.instance_id,
        study_id=row.study_id,
        destination=row.destination,
        route=row.route,
        revision=row.revision,
        state=State(row.state),
        attempts=row.attempts,
        created_at=row.created_at,
        due_at=row.due_at,
        status=row.status,
        reason=_reason(row, line, now),
        is_outdated=row.outdated,
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
    with database.read() as connection:
        lines = {row.name: row for row in connection.execute(sa.select(destinations))}
        counts: dict[str, dict[State, int]] = {name: {} for name, row in lines.items() if row.configured}
        for name in names_in_queue(connection):
            places = {state: {"destination": name, "state": state} for state in State}
            counted = {state: connection.scalar(_COUNT, place) for state, place in places.items()}
            counts[name] = {state: count for state, count in counted.items() if count}
        oldest = {name: _oldest(connection, name, counts[name]) for name in counts}
    return [_line_state(name, lines.get(name), counts[name], oldest[name]) for name in sorted(counts)]


def _oldest(connection: sa.Connection, name: str, states: Collection[State]) -> datetime | None:
    """When the oldest undelivered one to this destination was filed: of each state and priority the first in line."""
    places = [
        {"destination": name, "state": state, "priority": int(priority)}
        for state in _UNDELIVERED
        for priority in Priority
        if state in states
    ]
    times = (connection.scalar(_OLDEST, place) for place in places)
    return min((time for time in times if time is not None), default=None)


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
