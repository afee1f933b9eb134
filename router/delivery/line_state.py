"""How a destination is: paused, failing since when, to be tried again when. One row each; no delivery is sent here."""

from collections.abc import Collection
from datetime import datetime, timedelta

import sqlalchemy as sa

from archive import Database
from router.delivery.backoff import Retry, wait_seconds
from router.delivery.outcomes import Kind
from router.delivery.states import State
from router.delivery.tables import attempts, deliveries, destinations
from router.delivery.transactions import write


def configure(database: Database, names: Collection[str]) -> None:
    """Note which destinations the configuration names: a new one gets its row, one it no longer names keeps it."""
    with database.begin() as connection:
        known = set(connection.execute(sa.select(destinations.c.name)).scalars())
        missing = [_fresh(name) for name in sorted(set(names) - known)]
        if missing:
            connection.execute(sa.insert(destinations), missing)
        connection.execute(sa.update(destinations).values(configured=destinations.c.name.in_(names)))


def _fresh(name: str) -> dict[str, object]:
    return {"name": name, "configured": True, "paused": False, "failures": 0, "failures_in_all": 0}


def failed(
    database: Database,
    name: str,
    reason: str,
    retry: Retry,
    failures_before: int,
    now: datetime,
    tried: Collection[int] = (),
) -> int:
    """The line failed after `failures_before` failures in a row: it waits, and what is to be given up is parked.

    Does nothing if another connection has noted a failure (or a success) since. Returns how many were parked. What was
    `tried` has an attempt of its own for it, and is not charged twice.
    """
    failures = failures_before + 1

    def note(connection: sa.Connection) -> int:
        noted = connection.execute(
            sa.update(destinations)
            .where(destinations.c.name == name, destinations.c.failures == failures_before)
            .values(
                failures=failures,
                failures_in_all=destinations.c.failures_in_all + 1,
                failing_since=sa.func.coalesce(destinations.c.failing_since, now),
                retry_at=now + timedelta(seconds=wait_seconds(retry, failures)),
                last_error=reason,
            )
        ).rowcount
        if not noted:
            return 0
        connection.execute(
            sa.insert(attempts).values(
                destination=name,
                started_at=now,
                seconds=0.0,
                outcome=Kind.LATER,
                reason=reason,
            )
        )
        if tried:
            own = sa.update(deliveries).where(deliveries.c.id.in_(tried))
            connection.execute(own.values(line_failures_before=deliveries.c.line_failures_before + 1))
        return _park_hopeless(connection, name, reason, retry, now)

    return write(database, note)


def _park_hopeless(connection: sa.Connection, name: str, reason: str, retry: Retry, now: datetime) -> int:
    limit = retry.give_up
    query = sa.update(deliveries).where(deliveries.c.destination == name, deliveries.c.state == State.DUE)
    if limit.attempts is not None:
        in_all = connection.execute(
            sa.select(destinations.c.failures_in_all).where(destinations.c.name == name)
        ).scalar_one()
        tried = deliveries.c.attempts + in_all - deliveries.c.line_failures_before
        query = query.where(tried >= limit.attempts)
        told = f"gave up after {limit.attempts} attempt{'' if limit.attempts == 1 else 's'}: {reason}"
    elif limit.seconds is not None:
        query = query.where(deliveries.c.due_since <= now - timedelta(seconds=limit.seconds))
        told = f"gave up {limit.seconds:g} s after it became due: {reason}"
    else:
        return 0
    return connection.execute(query.values(state=State.PARKED, reason=told)).rowcount


def recovered(database: Database, name: str) -> None:
    """The destination answers again."""
    with database.begin() as connection:
        connection.execute(
            sa.update(destinations)
            .where(destinations.c.name == name)
            .values(failures=0, failing_since=None, retry_at=None)
        )


def probe_again(database: Database, name: str) -> None:
    """Nothing is known yet of how the destination is: the next probe may go at once."""
    _set(database, name, retry_at=None)


def pause(database: Database, name: str, reason: str) -> bool:
    """Lease nothing to this destination until it is resumed; False if there is no such destination."""
    return _set(database, name, paused=True, paused_reason=reason)


def resume(database: Database, name: str) -> bool:
    """Lease to this destination again, and at once; False if there is no such destination."""
    return _set(database, name, paused=False, paused_reason=None, retry_at=None)


def _set(database: Database, name: str, **values: object) -> bool:
    with database.begin() as connection:
        chosen = destinations.c.name == name
        connection.execute(sa.update(destinations).where(chosen).values(values))
        return connection.execute(sa.select(destinations.c.name).where(chosen)).first() is not None
