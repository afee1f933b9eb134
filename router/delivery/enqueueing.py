"""New deliveries enter the queue, in the transaction that files their instances. Decides nothing about routes."""

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa

from router.delivery.delivery import NewDelivery
from router.delivery.quiet import Place, QuietKey, await_quiet
from router.delivery.states import State
from router.delivery.tables import deliveries, destinations

_AT_ONCE = Place(State.DUE, None, None)


def enqueue(connection: sa.Connection, new: Sequence[NewDelivery], now: datetime) -> int:
    """Insert those of `new` that are not in the queue yet (one row an instance and destination); how many that were."""
    fresh = _not_yet_known(connection, new)
    if not fresh:
        return 0
    keys = {key: each.dispatch for each in fresh if (key := _quiet_key(each))}
    places = await_quiet(connection, keys, now) if keys else {}
    failures = _line_failures(connection, {each.dispatch.destination for each in fresh})
    rows = []
    for each in fresh:
        key = _quiet_key(each)
        place = places[key] if key else _AT_ONCE
        rows.append(_row(each, place, failures.get(each.dispatch.destination, 0), now))
    connection.execute(sa.insert(deliveries), rows)
    return len(rows)


def _not_yet_known(connection: sa.Connection, new: Sequence[NewDelivery]) -> list[NewDelivery]:
    by_key = {(each.instance_id, each.dispatch.destination): each for each in reversed(new)}
    query = sa.select(deliveries.c.instance_id, deliveries.c.destination).where(
        deliveries.c.instance_id.in_({each.instance_id for each in new})
    )
    for instance_id, destination in connection.execute(query):
        by_key.pop((instance_id, destination), None)
    return list(reversed(by_key.values()))


def _quiet_key(new: NewDelivery) -> QuietKey | None:
    dispatch = new.dispatch
    if dispatch.scope == "instance":
        return None
    scope_id = new.study_id if dispatch.scope == "study" else new.series_id
    return QuietKey(dispatch.scope, scope_id, dispatch.route, dispatch.destination)


def _line_failures(connection: sa.Connection, names: set[str]) -> dict[str, int]:
    query = sa.select(destinations.c.name, destinations.c.failures_in_all).where(destinations.c.name.in_(names))
    return {row.name: row.failures_in_all for row in connection.execute(query)}


def _row(new: NewDelivery, place: Place, line_failures: int, now: datetime) -> dict[str, object]:
    is_due = place.state is State.DUE
    return {
        "instance_id": new.instance_id,
        "study_id": new.study_id,
        "series_id": new.series_id,
        "destination": new.dispatch.destination,
        "route": new.dispatch.route,
        "revision": new.revision,
        "priority": int(new.dispatch.priority),
        "state": place.state,
        "quiet_period_id": place.quiet_period_id,
        "created_at": now,
        "due_since": now if is_due else None,
        "due_at": now if is_due else None,
        "attempts": 0,
        "line_failures_before": line_failures,
        "token": 0,
        "reason": place.reason,
        "settled_at": now if place.state is State.IGNORED else None,
    }
