"""What a person orders for deliveries: try again now, or send no more. Who may order it is not known here."""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from archive import Database
from router.delivery.quiet import failures_in_all
from router.delivery.redeciding import InForce
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

    def free(connection: sa.Connection) -> Retried:
        staying = _redecide(connection, chosen, in_force, due) if in_force else 0
        again = (State.DUE, State.PARKED) if in_force else (State.DUE, State.PARKED, State.HELD)
        is_now = sa.update(deliveries).where(deliveries.c.state.in_(again), *chosen).values(due)
        count = connection.execute(is_now).rowcount  # those that were held a moment ago are among them
        names = sa.select(deliveries.c.destination).where(deliveries.c.state == State.DUE, *chosen)
        touched = list(connection.execute(names.distinct()).scalars())
        connection.execute(sa.update(destinations).where(destinations.c.name.in_(touched)).values(retry_at=None))
        return Retried(count, staying)

    return write(database, free)


def _redecide(
    connection: sa.Connection, chosen: list[sa.ColumnElement[bool]], in_force: InForce, due: dict[str, object]
) -> int:
    """Give what is held the rules in force and make it due, or say why it stays held; how many stay."""
    by = deliveries.c.revision, deliveries.c.route, deliveries.c.destination
    is_held = deliveries.c.state == State.HELD
    staying = 0
    for group in connection.execute(sa.select(*by).where(is_held, *chosen).distinct()).all():
        objection = in_force.objection(*group)
        values = due | {"revision": in_force.revision} if objection is None else {"reason": objection}
        members = is_held, *chosen, *(column == value for column, value in zip(by, group, strict=True))
        count = connection.execute(sa.update(deliveries).where(*members).values(values)).rowcount
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
