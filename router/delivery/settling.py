"""Answers enter the queue: one transaction for many, each fenced by its token. It computes no waits (see backoff)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import sqlalchemy as sa

from router.delivery.delivery import Settlement
from router.delivery.outcomes import STATE_AFTER, Kind
from router.delivery.states import SETTLED, TRANSITIONS, State
from router.delivery.tables import attempts, deliveries, destinations

_row = sa.Row[tuple[object, ...]]

_ROWS = (
    sa.select(
        *(deliveries.c[name] for name in ("id", "token", "state", "destination", "study_id", "due_at", "attempts"))
    )
    .where(deliveries.c.id.in_(sa.bindparam("ids", expanding=True)))
    .order_by(deliveries.c.id)
    .with_for_update()
)
_SETTLE = (
    sa.update(deliveries)
    .where(deliveries.c.id == sa.bindparam("settled_id"))
    .values(
        {
            name: sa.bindparam(f"new_{name}")
            for name in ("state", "due_at", "attempts", "reason", "settled_at", "status", "digest_sent", "bytes_sent")
        }
        | {"lease_holder": None, "lease_until": None}
    )
)


@dataclass(frozen=True, slots=True)
class Settled:
    """How many answers were entered, and the studies of which something was delivered by them."""

    count: int
    study_ids: frozenset[int]


def settle(connection: sa.Connection, settlements: Sequence[Settlement]) -> Settled:
    """Enter what became of leased deliveries that are still ours.

    What somebody else holds by now, or what was settled before, is left alone, so entering an answer twice is harmless.
    """
    ids = sorted({each.delivery_id for each in settlements})
    rows = {row.id: row for row in connection.execute(_ROWS, {"ids": ids})}
    valid = [each for each in _last_of_each(settlements) if _is_ours(each, rows.get(each.delivery_id))]
    if valid:
        connection.execute(_SETTLE, [_changes(each, rows[each.delivery_id]) for each in valid])
        connection.execute(sa.insert(attempts), [_attempt(each, rows[each.delivery_id]) for each in valid])
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


def _changes(settlement: Settlement, row: _row) -> dict[str, object]:
    outcome = settlement.outcome
    state = STATE_AFTER[outcome.kind]
    due_at = row.due_at
    if state is State.DUE:
        due_at = settlement.at + timedelta(seconds=settlement.wait_seconds)
    is_delivered = state is State.DELIVERED
    return {
        "settled_id": row.id,
        "new_state": state,
        "new_due_at": due_at,
        "new_attempts": row.attempts + 1,
        "new_reason": outcome.reason or None,
        "new_settled_at": settlement.at if is_delivered else None,
        "new_status": outcome.status,
        "new_digest_sent": settlement.digest if is_delivered else None,
        "new_bytes_sent": settlement.size if is_delivered else None,
    }


def _attempt(settlement: Settlement, row: _row) -> dict[str, object]:
    return {
        "delivery_id": row.id,
        "destination": row.destination,
        "started_at": settlement.at - timedelta(seconds=settlement.seconds),
        "seconds": settlement.seconds,
        "outcome": settlement.outcome.kind,
        "status": settlement.outcome.status,
        "reason": settlement.outcome.reason,
    }


def _note_success(connection: sa.Connection, settlements: Sequence[Settlement], rows: dict[int, _row]) -> None:
    latest = {
        rows[each.delivery_id].destination: each.at for each in settlements if each.outcome.kind is Kind.DELIVERED
    }
    for destination, at in latest.items():
        connection.execute(sa.update(destinations).where(destinations.c.name == destination).values(last_success_at=at))
