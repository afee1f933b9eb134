"""What a person orders for deliveries: try again now, or send no more. Who may order it is not known here."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from archive import Database
from router.delivery.listing import IDS_AT_ONCE
from router.delivery.quiet import failures_in_all
from router.delivery.redeciding import HeldDelivery, InForce
from router.delivery.states import State, sources_of
from router.delivery.tables import deliveries, destinations
from router.delivery.transactions import write


@dataclass(frozen=True, slots=True)
class Retried:
    """How many deliveries are due again, and how many have to stay held."""

    due: int
    held: int


def retry(
    database: Database,
    now: datetime,
    destination: str | None = None,
    study_id: int | None = None,
    in_force: InForce | None = None,
) -> Retried:
    """Make due at once what is parked, held or waits for its next attempt, counting its attempts anew.

    What is held goes by the rules `in_force` from now on, or stays held if it may not; if None by those it has.
    """
    chosen = _chosen(destination, study_id)
    due = {
        "state": State.DUE,
        "due_at": now,
        "due_since": now,
        "attempts": 0,
        "line_failures_before": failures_in_all(deliveries.c.destination),
        "reason": None,
    }

    held = _held(database, chosen) if in_force else []
    objections = in_force.objections(held) if in_force else {}  # which reads headers, so not in the transaction

    def free(connection: sa.Connection) -> Retried:
        staying = _redecide(connection, held, objections, in_force, due) if in_force else 0
        again = (State.DUE, State.PARKED) if in_force else (State.DUE, State.PARKED, State.HELD)
        is_now = sa.update(deliveries).where(deliveries.c.state.in_(again), *chosen).values(due)
        count = connection.execute(is_now).rowcount  # those that were held a moment ago are among them
        names = sa.select(deliveries.c.destination).where(deliveries.c.state == State.DUE, *chosen)
        touched = list(connection.execute(names.distinct()).scalars())
        connection.execute(sa.update(destinations).where(destinations.c.name.in_(touched)).values(retry_at=None))
        return Retried(count, staying)

    return write(database, free)


def _held(database: Database, chosen: list[sa.ColumnElement[bool]]) -> list[HeldDelivery]:
    names = "id", "instance_id", "revision", "route", "destination", "made_from"
    query = sa.select(*(deliveries.c[name] for name in names)).where(deliveries.c.state == State.HELD, *chosen)
    with database.read() as connection:
        return [HeldDelivery(*row) for row in connection.execute(query.order_by(deliveries.c.id))]


def _redecide(
    connection: sa.Connection,
    held: list[HeldDelivery],
    objections: Mapping[int, str | None],
    in_force: InForce,
    due: dict[str, object],
) -> int:
    """Give what is held the rules in force and make it due, or say why it stays held; how many stay."""
    groups: dict[tuple[str | None, str], list[int]] = {}
    for each in held:
        groups.setdefault((objections[each.delivery_id], each.route), []).append(each.delivery_id)
    staying = 0
    for (objection, route), ids in groups.items():
        by = {"revision": in_force.revision, "made_from": in_force.made_from(route)} if objection is None else {}
        values = due | by if objection is None else {"reason": objection}
        for start in range(0, len(ids), IDS_AT_ONCE):
            these = deliveries.c.state == State.HELD, deliveries.c.id.in_(ids[start : start + IDS_AT_ONCE])
            count = connection.execute(sa.update(deliveries).where(*these).values(values)).rowcount
            staying += count if objection is not None else 0
    return staying


def cancel(
    database: Database, now: datetime, by: str, destination: str | None = None, study_id: int | None = None
) -> int:
    """Send no more what is not delivered yet; how many. One that is on the wire may still arrive, and then says so."""
    withdraw = (
        sa.update(deliveries)
        .where(deliveries.c.state.in_(sources_of(State.CANCELLED)), *_chosen(destination, study_id))
        .values(
            state=State.CANCELLED,
            settled_at=now,
            reason=f"cancelled by {by}",
            lease_holder=None,
            lease_until=None,
            again=False,
        )
    )
    return write(database, lambda connection: connection.execute(withdraw).rowcount)


def _chosen(destination: str | None, study_id: int | None) -> list[sa.ColumnElement[bool]]:
    chosen = []
    if destination is not None:
        chosen.append(deliveries.c.destination == destination)
    if study_id is not None:
        chosen.append(deliveries.c.study_id == study_id)
    return chosen
