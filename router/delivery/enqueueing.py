"""New deliveries enter the queue, in the transaction that files their instances. Decides nothing about routes."""

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa

from archive import Database
from router.delivery.delivery import NewDelivery
from router.delivery.quiet import Place, QuietKey, await_quiet
from router.delivery.states import State
from router.delivery.tables import deliveries, destinations

_AT_ONCE = Place(State.DUE, None, None)
_COLUMNS = (
    "instance_id",
    "study_id",
    "series_id",
    "destination",
    "route",
    "revision",
    "made_from",
    "priority",
    "state",
    "quiet_period_id",
    "created_at",
    "due_since",
    "due_at",
    "attempts",
    "line_failures_before",
    "token",
    "reason",
    "settled_at",
)
_KNOWN = sa.select(deliveries.c.instance_id, deliveries.c.destination)
_IN_SPAN = _KNOWN.where(deliveries.c.instance_id.between(sa.bindparam("first"), sa.bindparam("last")))
_AMONG = _KNOWN.where(deliveries.c.instance_id.in_(sa.bindparam("instance_ids", expanding=True)))
_FAILURES = sa.select(destinations.c.name, destinations.c.failures_in_all)


def enqueue(database: Database, connection: sa.Connection, new: Sequence[NewDelivery], now: datetime) -> int:
    """Insert those of `new` that are not in the queue yet (one row an instance and destination); how many that were."""
    fresh = _not_yet_known(connection, new)
    if not fresh:
        return 0
    keys = {key: each.dispatch for each in fresh if (key := _quiet_key(each))}
    places = await_quiet(connection, keys, now) if keys else {}
    failures = {row.name: row.failures_in_all for row in connection.execute(_FAILURES)}
    rows = []
    for each in fresh:
        key = _quiet_key(each)
        place = places[key] if key else _AT_ONCE
        rows.append(_row(each, place, failures.get(each.dispatch.destination, 0), now))
    database.insert_rows(connection, deliveries, _COLUMNS, rows)
    return len(rows)


def _not_yet_known(connection: sa.Connection, new: Sequence[NewDelivery]) -> list[NewDelivery]:
    by_key = {(each.instance_id, each.dispatch.destination): each for each in reversed(new)}
    ids = sorted({each.instance_id for each in new})
    span = {"first": ids[0], "last": ids[-1]}
    is_dense = ids[-1] - ids[0] < 2 * len(ids)  # as always, but for repetition: what was just filed has ids in a row
    found = connection.execute(_IN_SPAN, span) if is_dense else connection.execute(_AMONG, {"instance_ids": ids})
    for instance_id, destination in found:
        by_key.pop((instance_id, destination), None)
    return list(reversed(by_key.values()))


def _quiet_key(new: NewDelivery) -> QuietKey | None:
    dispatch = new.dispatch
    if dispatch.scope == "instance":
        return None
    scope_id = new.study_id if dispatch.scope == "study" else new.series_id
    return QuietKey(dispatch.scope, scope_id, dispatch.route, dispatch.destination)


def _row(new: NewDelivery, place: Place, line_failures: int, now: datetime) -> tuple[object, ...]:
    """The values of _COLUMNS, in their order."""
    dispatch = new.dispatch
    due_at = now if place.state is State.DUE else None
    return (
        new.instance_id,
        new.study_id,
        new.series_id,
        dispatch.destination,
        dispatch.route,
        new.revision,
        new.made_from,
        int(dispatch.priority),
        str(place.state),
        place.quiet_period_id,
        now,
        due_at,
        due_at,
        0,
        line_failures,
        0,
        place.reason,
        now if place.state is State.IGNORED else None,
    )
