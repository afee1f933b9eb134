"""Follows up a change of kept instances: who has an older version, and sending it that of now. Edits nothing."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from archive import Database, Place
from router.delivery.listing import IDS_AT_ONCE
from router.delivery.quiet import failures_in_all
from router.delivery.states import State
from router.delivery.tables import deliveries, destinations, receipts
from rules import Priority

AGAIN = "sent again: the study was changed"
_HAVE_IT = (State.DELIVERED, State.LEASED, State.CANCELLED)  # what is cancelled may be on the wire


@dataclass(frozen=True, slots=True)
class Holder:
    """A destination that has, or is just being sent, an older version of so many instances of a study."""

    destination: str
    instances: int
    is_configured: bool


def outdate(connection: sa.Connection, study_id: int, instance_ids: Collection[int]) -> None:
    """In the caller's transaction: these instances of a study are kept in another version now."""
    ids = sorted(instance_ids)
    for start in range(0, len(ids), IDS_AT_ONCE):
        some = deliveries.c.instance_id.in_(ids[start : start + IDS_AT_ONCE])
        these = sa.update(deliveries).where(deliveries.c.study_id == study_id, some, deliveries.c.state.in_(_HAVE_IT))
        connection.execute(these.values(outdated=True))
    got_some = receipts.c.outcome.in_((str(State.DELIVERED), "mixed"))
    connection.execute(sa.update(receipts).where(receipts.c.study_id == study_id, got_some).values(outdated=True))


def move(connection: sa.Connection, study_id: int, places: Mapping[int, Place]) -> None:
    """In the caller's transaction: these instances of a study are where `places` says from now on, by their ids.

    Their deliveries go on as they were; what was folded is told of the study they belong to.
    """
    instances_at: dict[Place, list[int]] = {}
    for instance_id, place in sorted(places.items()):
        instances_at.setdefault(place, []).append(instance_id)
    for place, ids in instances_at.items():
        for start in range(0, len(ids), IDS_AT_ONCE):
            some = deliveries.c.instance_id.in_(ids[start : start + IDS_AT_ONCE])
            these = sa.update(deliveries).where(deliveries.c.study_id == study_id, some)
            connection.execute(these.values(study_id=place.study_id, series_id=place.series_id))
    for receipt in connection.execute(sa.select(receipts).where(receipts.c.study_id == study_id)).all():
        details: dict[int, list[Mapping[str, Any]]] = {}
        for each in receipt.detail:
            place = places.get(each["instance_id"], Place(study_id, 0))
            details.setdefault(place.study_id, []).append(each)
        if set(details) != {study_id}:
            connection.execute(sa.delete(receipts).where(receipts.c.id == receipt.id))
            connection.execute(sa.insert(receipts), [_part(receipt, *part) for part in details.items()])


def _part(receipt: sa.Row[Any], study_id: int, detail: Sequence[Mapping[str, Any]]) -> dict[str, object]:
    """The part of a receipt that is about one study."""
    states, times = {each["state"] for each in detail}, [datetime.fromisoformat(each["at"]) for each in detail]
    return {
        "study_id": study_id,
        "destination": receipt.destination,
        "instances": len(detail),
        "first_at": min(times),
        "last_at": max(times),
        "outcome": states.pop() if len(states) == 1 else "mixed",
        "detail": detail,
        "outdated": receipt.outdated,
    }


def holders(database: Database, study_id: int) -> list[Holder]:
    """Who has an older version of instances of a study, or is just being sent it, by name."""
    of_study = sa.select(deliveries.c.destination, sa.func.count()).where(deliveries.c.study_id == study_id)
    query = of_study.where(*_outdated(study_id)).group_by(deliveries.c.destination)
    with database.read() as connection:
        counts = Counter({row[0]: row[1] for row in connection.execute(query)})
        for receipt in _receipts(connection, study_id):
            counts[receipt.destination] += len(_delivered(receipt))
        configured = _configured(connection)
    return [Holder(name, count, name in configured) for name, count in sorted(counts.items())]


def resend(connection: sa.Connection, study_id: int, series_of: Mapping[int, int], now: datetime) -> Mapping[str, int]:
    """In the caller's transaction: who has an older version is sent that of now; how many, by destination.

    What is on the wire is due again when it is answered. By the route and the revision that decided it. Destinations
    that are not configured any more are left alone. `series_of` gives the series of every instance of the study.
    """
    configured = _configured(connection)
    known = deliveries.c.destination.in_(configured)
    counted = sa.select(deliveries.c.destination, sa.func.count()).where(*_outdated(study_id), known)
    counts = Counter({row[0]: row[1] for row in connection.execute(counted.group_by(deliveries.c.destination))})
    on_the_wire = sa.update(deliveries).where(*_outdated(study_id, State.LEASED), known)
    connection.execute(on_the_wire.values(again=True, replaces=True))
    connection.execute(
        sa.update(deliveries)
        .where(*_outdated(study_id, State.DELIVERED), known)
        .values(
            state=State.DUE,
            due_at=now,
            due_since=now,
            attempts=0,
            line_failures_before=failures_in_all(deliveries.c.destination),
            reason=AGAIN,
            settled_at=None,
            status=None,
            digest_sent=None,
            check_sent=None,
            bytes_sent=None,
            outdated=False,
            replaces=True,
        )
    )
    for receipt in _receipts(connection, study_id):
        if receipt.destination in configured:
            counts[receipt.destination] += _enqueue(connection, receipt, series_of, now)
            connection.execute(sa.update(receipts).where(receipts.c.id == receipt.id).values(outdated=False))
    return dict(counts)


def _outdated(study_id: int, *states: State) -> Sequence[sa.ColumnElement[bool]]:
    chosen = states or (State.DELIVERED, State.LEASED)
    return deliveries.c.study_id == study_id, deliveries.c.outdated, deliveries.c.state.in_(chosen)


def _receipts(connection: sa.Connection, study_id: int) -> Sequence[sa.Row[Any]]:
    query = sa.select(receipts).where(receipts.c.study_id == study_id, receipts.c.outdated)
    return connection.execute(query.order_by(receipts.c.id)).all()


def _configured(connection: sa.Connection) -> set[str]:
    return set(connection.scalars(sa.select(destinations.c.name).where(destinations.c.configured)))


def _delivered(receipt: sa.Row[Any]) -> list[Mapping[str, Any]]:
    return [each for each in receipt.detail if each["state"] == State.DELIVERED]


def _enqueue(connection: sa.Connection, receipt: sa.Row[Any], series_of: Mapping[int, int], now: datetime) -> int:
    """Deliveries as those that were folded into the receipt; how many there were not yet."""
    of_study = sa.select(deliveries.c.instance_id).where(deliveries.c.study_id == receipt.study_id)
    there = set(connection.scalars(of_study.where(deliveries.c.destination == receipt.destination)))
    failures = sa.select(destinations.c.failures_in_all).where(destinations.c.name == receipt.destination)
    rows = [
        {
            "instance_id": each["instance_id"],
            "study_id": receipt.study_id,
            "series_id": series_of[each["instance_id"]],
            "destination": receipt.destination,
            "route": each["route"],
            "revision": each["revision"],
            "made_from": each.get("made_from"),
            "priority": int(Priority.NORMAL),
            "state": State.DUE,
            "created_at": now,
            "due_since": now,
            "due_at": now,
            "attempts": 0,
            "line_failures_before": connection.scalar(failures) or 0,
            "token": 0,
            "reason": AGAIN,
            "replaces": True,
        }
        for each in _delivered(receipt)
        if each["instance_id"] in series_of and each["instance_id"] not in there
    ]
    if rows:
        connection.execute(sa.insert(deliveries), rows)
    return len(rows)
