"""Answers enter the queue: one transaction for many, each fenced by its token. It computes no waits (see backoff)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import sqlalchemy as sa

from archive import Database
from router.delivery.delivery import Settlement
from router.delivery.following import AGAIN
from router.delivery.outcomes import STATE_AFTER, Kind
from router.delivery.states import SETTLED, TRANSITIONS, State
from router.delivery.tables import attempts, deliveries, destinations

_row = sa.Row[tuple[object, ...]]

_ATTEMPT = ("delivery_id", "destination", "started_at", "seconds", "outcome", "status", "reason")
_ROWS = (
    sa.select(
        *(
            deliveries.c[name]
            for name in ("id", "token", "state", "destination", "study_id", "due_at", "attempts", "again")
        )
    )
    .where(deliveries.c.id.in_(sa.bindparam("ids", expanding=True)))
    .order_by(deliveries.c.id)
    .with_for_update()
)
_CHANGED = (
    "state",
    "due_at",
    "attempts",
    "reason",
    "settled_at",
    "status",
    "digest_sent",
    "check_sent",
    "bytes_sent",
    "lease_holder",
    "lease_until",
    "again",
    "id",
)
_SUCCESS = (
    sa.update(destinations)
    .where(destinations.c.name == sa.bindparam("destination"))
    .values(last_success_at=sa.bindparam("at"))
)


@dataclass(frozen=True, slots=True)
class Settled:
    """How many answers were entered, and the studies of which something was delivered by them."""

    count: int
    study_ids: frozenset[int]


def settle(database: Database, connection: sa.Connection, settlements: Sequence[Settlement]) -> Settled:
    """Enter what became of leased deliveries that are still ours.

    What somebody else holds by now, or what was settled before, is left alone, so entering an answer twice is harmless.
    """
    ids = sorted({each.delivery_id for each in settlements})
    rows = {row.id: row for row in connection.execute(_ROWS, {"ids": ids})}
    valid = [each for each in _last_of_each(settlements) if _is_ours(each, rows.get(each.delivery_id))]
    if valid:
        changes = [_changes(each, rows[each.delivery_id]) for each in valid]
        database.update_rows(connection, deliveries, _CHANGED, changes)
        tried = [_attempt(each, rows[each.delivery_id]) for each in valid]
        database.insert_rows(connection, attempts, _ATTEMPT, tried)
        _note_success(connection, valid, rows)
    delivered = (each.delivery_id for each in valid if each.outcome.kind is Kind.DELIVERED)
    return Settled(len(valid), frozenset(rows[delivery_id].study_id for delivery_id in delivered))


def _last_of_each(settlements: Sequence[Settlement]) -> list[Settlement]:
    last = {(each.delivery_id, each.token): each for each in settlements}
    return sorted(last.values(), key=lambda each: each.delivery_id)


def _is_ours(settlement: Settlement, row: _row | None) -> bool:
    if row is None or row.token != settlement.token:
        return False
    before, after = State(row.state), STATE_AFTER[settlement.outcome.kind]
    if before is State.DUE:  # nobody has leased it since, or the token would be another
        return after is State.DELIVERED
    return (before is State.LEASED or before in SETTLED) and after in TRANSITIONS[before]


def _changes(settlement: Settlement, row: _row) -> tuple[object, ...]:
    """The values of _CHANGED, in their order."""
    outcome = settlement.outcome
    state = STATE_AFTER[outcome.kind]
    is_due_again = row.again and state is State.DELIVERED  # it is an older version that was delivered
    if is_due_again:
        state = State.DUE
    due_at = row.due_at
    if state is State.DUE:
        due_at = settlement.at + timedelta(seconds=settlement.wait_seconds)
    is_delivered = state is State.DELIVERED
    return (
        str(state),
        due_at,
        0 if is_due_again else row.attempts + 1,
        AGAIN if is_due_again else outcome.reason or None,
        settlement.at if is_delivered else None,
        outcome.status,
        settlement.digest if is_delivered else None,
        settlement.check if is_delivered else None,
        settlement.size if is_delivered else None,
        None,
        None,
        False,
        row.id,
    )


def _attempt(settlement: Settlement, row: _row) -> tuple[object, ...]:
    """The values of _ATTEMPT, in their order."""
    outcome = settlement.outcome
    started_at = settlement.at - timedelta(seconds=settlement.seconds)
    return row.id, row.destination, started_at, settlement.seconds, str(outcome.kind), outcome.status, outcome.reason


def _note_success(connection: sa.Connection, settlements: Sequence[Settlement], rows: dict[int, _row]) -> None:
    latest = {
        rows[each.delivery_id].destination: each.at for each in settlements if each.outcome.kind is Kind.DELIVERED
    }
    for destination, at in latest.items():
        connection.execute(_SUCCESS, {"destination": destination, "at": at})
