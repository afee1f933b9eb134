"""Leases: which deliveries a connection may send now, for how long, and how they come back. It sends nothing."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa

from archive import Database
from router.delivery.delivery import Leased
from router.delivery.listing import names_in_queue
from router.delivery.states import State
from router.delivery.tables import deliveries, destinations
from router.delivery.transactions import write

LEASE = timedelta(seconds=120)
PROBE = timedelta(seconds=60)  # while one connection finds out how a failed destination is, the others wait this long
SPAN = 4096  # ids looked at for more of the same study: a lease is a short read however long the line
HORIZON_SECONDS = 3600.0

_row = sa.Row[tuple[object, ...]]

# Prepared once: what they cost is looked up by the index `deliveries_lease`, however long the line.
_LINE = sa.select(destinations).where(destinations.c.name == sa.bindparam("destination"))
_is_due = sa.and_(
    deliveries.c.destination == sa.bindparam("destination"),
    deliveries.c.state == State.DUE,
    sa.or_(deliveries.c.due_at <= sa.bindparam("now"), deliveries.c.due_at > sa.bindparam("horizon")),
)
_ANY_DUE = sa.select(deliveries.c.id).where(_is_due).limit(1)
_DUE = sa.select(
    *(
        deliveries.c[name]
        for name in (
            "id",
            "token",
            "instance_id",
            "study_id",
            "route",
            "revision",
            "made_from",
            "priority",
            "attempts",
            "line_failures_before",
            "created_at",
            "due_since",
            "replaces",
        )
    )
).where(_is_due)
_ONE = _DUE.limit(1).with_for_update(skip_locked=True)
_OLDEST = _ONE.order_by(deliveries.c.priority, deliveries.c.id)
_UNTRIED = _OLDEST.where(deliveries.c.attempts == 0)
_LEAST_TRIED = _ONE.order_by(deliveries.c.attempts, deliveries.c.priority, deliveries.c.id)
_SAME_STUDY = (
    _DUE.where(
        deliveries.c.priority == sa.bindparam("priority"),
        deliveries.c.study_id == sa.bindparam("study_id"),
        deliveries.c.id.between(sa.bindparam("first"), sa.bindparam("last")),
    )
    .order_by(deliveries.c.id)
    .limit(sa.bindparam("limit", type_=sa.Integer))
    .with_for_update(skip_locked=True)
)
_TAKE = (
    sa.update(deliveries)
    .where(deliveries.c.id.in_(sa.bindparam("ids", expanding=True)))
    .values(
        state=State.LEASED,
        token=deliveries.c.token + 1,
        lease_holder=sa.bindparam("holder"),
        lease_until=sa.bindparam("until"),
        outdated=False,  # what the archive has is looked up after this
        again=False,
    )
)


def lease(
    database: Database,
    destination: str,
    limit: int,
    holder: str,
    now: datetime,
    horizon_seconds: float = HORIZON_SECONDS,
) -> list[Leased]:
    """Take at most `limit` deliveries of one study and one priority: urgent before others, older before newer.

    Empty while the destination is paused or waits after a failure; after that wait a single one, as a probe. No due
    time is later than `horizon_seconds` from now: one that is was set before the clock went back, and has passed.
    """
    horizon = now + timedelta(seconds=horizon_seconds)
    sought: dict[str, object] = {"destination": destination, "now": now, "horizon": horizon}
    with database.read() as connection:
        if not _is_open(_line(connection, destination), now, horizon):
            return []
        if connection.execute(_ANY_DUE, sought).first() is None:
            return []

    def take(connection: sa.Connection) -> list[Leased]:
        line = _line(connection, destination)
        if not _is_open(line, now, horizon):
            return []
        is_probe = line is not None and line.failures > 0
        rows = _one_to_probe(connection, sought) if is_probe else _some_of_one_study(connection, sought, limit)
        if not rows or (is_probe and not _claim_probe(connection, line, now)):
            return []
        connection.execute(_TAKE, {"ids": [row.id for row in rows], "holder": holder, "until": now + LEASE})
        return [_leased(row, line) for row in rows]

    # What failed before goes last: if it breaks the association again, the others have arrived.
    return sorted(write(database, take), key=lambda each: (each.attempts, each.delivery_id))


def _line(connection: sa.Connection, destination: str) -> _row | None:
    return connection.execute(_LINE, {"destination": destination}).first()


def _is_open(line: _row | None, now: datetime, horizon: datetime) -> bool:
    if line is None:
        return True
    is_waiting = line.retry_at is not None and now < line.retry_at <= horizon
    return not line.paused and not is_waiting


def _some_of_one_study(connection: sa.Connection, sought: dict[str, object], limit: int) -> Sequence[_row]:
    first = connection.execute(_OLDEST, sought).first()
    if first is None:
        return []
    span = {"priority": first.priority, "study_id": first.study_id, "first": first.id, "last": first.id + SPAN}
    return connection.execute(_SAME_STUDY, {**sought, **span, "limit": limit}).all()


def _one_to_probe(connection: sa.Connection, sought: dict[str, object]) -> Sequence[_row]:
    """The one that failed least: an instance which breaks every association must not be the probe for ever."""
    return connection.execute(_UNTRIED, sought).all() or connection.execute(_LEAST_TRIED, sought).all()


def _claim_probe(connection: sa.Connection, line: _row | None, now: datetime) -> bool:
    assert line is not None
    claim = sa.update(destinations).where(destinations.c.name == line.name, destinations.c.failures == line.failures)
    seen = destinations.c.retry_at.is_(None) if line.retry_at is None else destinations.c.retry_at == line.retry_at
    return connection.execute(claim.where(seen).values(retry_at=now + PROBE)).rowcount == 1


def _leased(row: _row, line: _row | None) -> Leased:
    return Leased(
        delivery_id=row.id,
        token=row.token + 1,
        instance_id=row.instance_id,
        study_id=row.study_id,
        route=row.route,
        revision=row.revision,
        made_from=row.made_from,
        attempts=row.attempts,
        line_failures=(line.failures_in_all if line else 0) - row.line_failures_before,
        line_failures_in_a_row=line.failures if line else 0,
        created_at=row.created_at,
        due_since=row.due_since,
        is_probe=line is not None and line.failures > 0,
        replaces=row.replaces,
    )


def renew(database: Database, leased: Sequence[Leased], now: datetime) -> None:
    """Prolong leases that are still ours."""
    _change_ours(database, leased, {"lease_until": now + LEASE})


def give_back(database: Database, leased: Sequence[Leased]) -> None:
    """Make due again, uncounted, what is leased and was not tried."""
    _change_ours(database, leased, _freed())


def undo(database: Database, destination: str, holder: str, moments: Collection[datetime]) -> None:
    """Make due again what `holder` leased at these moments, as if it had not; a probe may go at once."""
    ours = sa.and_(
        deliveries.c.destination == destination,
        deliveries.c.state == State.LEASED,
        deliveries.c.lease_holder == holder,
        deliveries.c.lease_until.in_([each + LEASE for each in moments]),
    )
    probing = sa.and_(
        destinations.c.name == destination, destinations.c.retry_at.in_([each + PROBE for each in moments])
    )

    def let_go(connection: sa.Connection) -> None:
        if connection.execute(sa.update(deliveries).where(ours).values(_freed())).rowcount:
            connection.execute(sa.update(destinations).where(probing).values(retry_at=None))

    write(database, let_go)


def rescue(database: Database, now: datetime, holder: str | None = None) -> int:
    """Make due again what was leased by somebody who is gone: expired leases or, given one, all of `holder`.

    What `holder` was finding out with a probe is not known: the next may go at once.
    """
    until = deliveries.c.lease_until
    lost = sa.or_(until.is_(None), until <= now, until > now + 2 * LEASE)
    if holder is not None:
        lost = deliveries.c.lease_holder == holder
    with database.read() as connection:
        names = names_in_queue(connection)  # so that the index of the line is used, and what is not leased not read
        lost = sa.and_(deliveries.c.destination.in_(names), deliveries.c.state == State.LEASED, lost)
        if connection.execute(sa.select(deliveries.c.id).where(lost).limit(1)).first() is None:
            return 0
    free = sa.update(deliveries).where(lost).values(_freed())
    probing = sa.and_(destinations.c.failures > 0, destinations.c.retry_at.between(now, now + PROBE))

    def let_go(connection: sa.Connection) -> int:
        if holder is not None:
            its = list(connection.execute(sa.select(deliveries.c.destination).where(lost).distinct()).scalars())
            probed = sa.and_(destinations.c.name.in_(its), probing)
            connection.execute(sa.update(destinations).where(probed).values(retry_at=None))
        return connection.execute(free).rowcount

    return write(database, let_go)


def _change_ours(database: Database, leased: Sequence[Leased], values: dict[str, object]) -> None:
    if not leased:
        return
    ours = sa.and_(
        deliveries.c.id == sa.bindparam("leased_id"),
        deliveries.c.token == sa.bindparam("leased_token"),
        deliveries.c.state == State.LEASED,
    )
    change = sa.update(deliveries).where(ours).values(values)
    ordered = sorted(leased, key=lambda each: each.delivery_id)  # one order for all: no deadlocks between connections
    keys = [{"leased_id": each.delivery_id, "leased_token": each.token} for each in ordered]
    write(database, lambda connection: connection.execute(change, keys))


def _freed() -> dict[str, object]:
    return {"state": State.DUE, "lease_holder": None, "lease_until": None}
