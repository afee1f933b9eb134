"""Receipts: what a destination got of a study, in one row, once all its deliveries are settled. Forgets no open one."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import product
from typing import Any

import sqlalchemy as sa

from archive import Database
from router.delivery.listing import IDS_AT_ONCE, names_in_queue
from router.delivery.states import SETTLED
from router.delivery.tables import attempts, deliveries, receipts
from rules import Priority

_row = sa.Row[tuple[object, ...]]

_PAGE = (
    sa.select(deliveries.c.id, deliveries.c.study_id, deliveries.c.created_at)
    .where(*(deliveries.c[name] == sa.bindparam(name) for name in ("destination", "state", "priority")))
    .where(deliveries.c.id > sa.bindparam("after"))
    .order_by(deliveries.c.id)
    .limit(IDS_AT_ONCE)
)
_GROUP = sa.select(
    sa.func.max(sa.case((deliveries.c.state.in_(sorted(SETTLED)), 0), else_=1)), sa.func.max(deliveries.c.settled_at)
).where(deliveries.c.study_id == sa.bindparam("study_id"), deliveries.c.destination == sa.bindparam("destination"))


def fold(database: Database, before: datetime, now: datetime, complete: Callable[[int, str], object]) -> int:
    """Fold the deliveries of every study and destination where all were settled before; how many deliveries it were.

    `complete` is called for each group first, so that it may enter the digests that are missing. What was settled later
    than now was so before the clock went back.
    """
    folded = 0
    for groups in _settled_groups(database, before, now):
        for study_id, destination in groups:
            complete(study_id, destination)
            folded += _fold_group(database, study_id, destination)
    with database.begin() as connection:
        connection.execute(sa.delete(attempts).where(attempts.c.delivery_id.is_(None), attempts.c.started_at < before))
    return folded


def _settled_groups(database: Database, before: datetime, now: datetime) -> Iterator[list[tuple[int, str]]]:
    """A few at a time, of what is settled only: what is pending may be a million times as much.

    Deliveries have their ids in the order in which they were made, so it ends where they were made after `before`.
    """
    with database.read() as connection:
        names = names_in_queue(connection)
    for name, state, priority in product(names, SETTLED, Priority):
        place = {"destination": name, "state": state, "priority": int(priority)}
        made_at, after = before, 0
        while not before < made_at <= now:
            with database.read() as connection:
                page = connection.execute(_PAGE, {**place, "after": after}).all()
                studies = dict.fromkeys(row.study_id for row in page)
                groups = [(study, name) for study in studies if _is_settled(connection, study, name, before, now)]
            yield groups
            if len(page) < IDS_AT_ONCE:
                break
            made_at, after = page[-1].created_at, page[-1].id


def _is_settled(connection: sa.Connection, study_id: int, destination: str, before: datetime, now: datetime) -> bool:
    is_open, last_at = connection.execute(_GROUP, {"study_id": study_id, "destination": destination}).one()
    return not is_open and last_at is not None and (last_at < before or last_at > now)


def _fold_group(database: Database, study_id: int, destination: str) -> int:
    with database.begin() as connection:
        query = (
            sa.select(deliveries)
            .where(deliveries.c.study_id == study_id, deliveries.c.destination == destination)
            .where(deliveries.c.state.in_(SETTLED))
            .order_by(deliveries.c.id)
            .with_for_update()
        )
        rows = connection.execute(query).all()
        if not rows:
            return 0
        connection.execute(sa.insert(receipts).values(_receipt(study_id, destination, rows)))
        ids = [row.id for row in rows]
        for start in range(0, len(ids), IDS_AT_ONCE):
            some = ids[start : start + IDS_AT_ONCE]
            connection.execute(sa.delete(attempts).where(attempts.c.delivery_id.in_(some)))
            connection.execute(sa.delete(deliveries).where(deliveries.c.id.in_(some)))
        return len(rows)


def _receipt(study_id: int, destination: str, rows: Sequence[_row]) -> dict[str, object]:
    states = {row.state for row in rows}
    return {
        "study_id": study_id,
        "destination": destination,
        "instances": len(rows),
        "first_at": min(row.settled_at for row in rows),
        "last_at": max(row.settled_at for row in rows),
        "outcome": states.pop() if len(states) == 1 else "mixed",
        "detail": [_detail(row) for row in rows],
    }


def _detail(row: _row) -> dict[str, object]:
    facts = {
        "instance_id": row.instance_id,
        "route": row.route,
        "revision": row.revision,
        "made_from": row.made_from,
        "state": row.state,
        "at": row.settled_at.isoformat(),
        "attempts": row.attempts,
        "status": row.status,
        "reason": row.reason,
        "digest": row.digest_sent,
        "check": row.check_sent,
        "bytes": row.bytes_sent,
    }
    return {name: fact for name, fact in facts.items() if fact is not None}


def receipts_of(database: Database, study_id: int) -> list[Mapping[str, object]]:
    """What each destination got of a study, folded or not yet, as plain data for a manifest."""
    settled = sa.select(receipts).where(receipts.c.study_id == study_id).order_by(receipts.c.id)
    current = (
        sa.select(deliveries.c.destination, deliveries.c.state, deliveries.c.settled_at)
        .where(deliveries.c.study_id == study_id)
        .order_by(deliveries.c.destination, deliveries.c.id)
    )
    with database.read() as connection:
        told = [_told(row) for row in connection.execute(settled)]
        groups: dict[str, list[Any]] = {}
        for row in connection.execute(current):
            groups.setdefault(row.destination, []).append(row)
    return [*told, *(_told_so_far(destination, rows) for destination, rows in groups.items())]


def _told(receipt: _row) -> Mapping[str, object]:
    return {
        "destination": receipt.destination,
        "instances": receipt.instances,
        "states": dict(Counter(each["state"] for each in receipt.detail)),
        "first_at": receipt.first_at.isoformat(),
        "last_at": receipt.last_at.isoformat(),
    }


def _told_so_far(destination: str, rows: Sequence[Any]) -> Mapping[str, object]:
    told: dict[str, object] = {
        "destination": destination,
        "instances": len(rows),
        "states": dict(Counter(row.state for row in rows)),
    }
    times = [row.settled_at for row in rows if row.settled_at is not None]
    if times:
        told |= {"first_at": min(times).isoformat(), "last_at": max(times).isoformat()}
    return told
