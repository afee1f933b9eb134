"""What a person orders for deliveries: try again now, or send no more. Who may order it is not known here."""

from datetime import datetime

import sqlalchemy as sa

from archive import Database
from router.delivery.quiet import failures_in_all
from router.delivery.states import State, sources_of
from router.delivery.tables import deliveries, destinations
from router.delivery.transactions import write


def retry(database: Database, now: datetime, destination: str | None = None, study_id: int | None = None) -> int:
    """Make due at once what is parked, held or waits for its next attempt, counting its attempts anew; how many."""
    again = (State.DUE, State.PARKED, State.HELD)

    def free(connection: sa.Connection) -> int:
        count = connection.execute(
            sa.update(deliveries)
            .where(deliveries.c.state.in_(again), *_chosen(destination, study_id))
            .values(
                state=State.DUE,
                due_at=now,
                due_since=now,
                attempts=0,
                line_failures_before=failures_in_all(deliveries.c.destination),
                reason=None,
            )
        ).rowcount
        names = sa.select(deliveries.c.destination).where(
            deliveries.c.state == State.DUE, *_chosen(destination, study_id)
        )
        touched = list(connection.execute(names.distinct()).scalars())
        connection.execute(sa.update(destinations).where(destinations.c.name.in_(touched)).values(retry_at=None))
        return count

    return write(database, free)


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
