"""What is to be verified, a batch of rows at a time, and what was found damaged, until it is whole again.

Reads no file. A damaged file stays in the index and where it is; it is only known not to be fit to be sent.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, func, select, update

from archive.attributes import plain_text
from archive.database import Database
from archive.records import in_parts
from archive.rows import ARRIVAL_COLUMNS
from archive.tables import damaged, held, instances, series, studies, verification
from archive.verification import Fault, Finding, Kept

_DRAWN = 500  # ids asked for at a time
_IN_HOLD = ("held", "released")  # the files of others may be gone
_INSTANCES = select(
    *(instances.c[name] for name in ("id", "arrival", "file", "bytes", "digest", "received_digest")),
    *(instances.c[name] for name in ("data_set_offset", "sop_class_uid", "sop_instance_uid", *ARRIVAL_COLUMNS)),
    series.c.study_id,
    studies.c.study_instance_uid,
    damaged.c.reason.label("damage"),
).select_from(instances.join(series).join(studies).outerjoin(damaged, damaged.c.arrival == instances.c.arrival))
_HELD = (
    select(
        *(held.c[name] for name in ("id", "arrival", "file", "bytes", "digest")),
        *(held.c[name] for name in ("sop_class_uid", "sop_instance_uid", *ARRIVAL_COLUMNS)),
        damaged.c.reason.label("damage"),
    )
    .select_from(held.outerjoin(damaged, damaged.c.arrival == held.c.arrival))
    .where(held.c.state.in_(_IN_HOLD))
)
_THESE = _INSTANCES.where(instances.c.id.in_(bindparam("ids", expanding=True))).order_by(instances.c.id)


@dataclass(frozen=True, slots=True)
class Round:
    """How far the archive is verified, this time: instances up to `after`, of those up to `last`; in order of ids."""

    after: int
    last: int
    began_at: datetime

    @property
    def share(self) -> float:
        """How much of it is done, from 0 to 1."""
        return min(1.0, self.after / self.last) if self.last else 1.0


def newest(connection: Connection) -> int:
    """The highest id of an instance, 0 if there is none."""
    return connection.scalar(select(func.max(instances.c.id))) or 0


def instances_after(connection: Connection, after: int, limit: int) -> list[Kept]:
    """The next instances by id, at most `limit`."""
    query = _INSTANCES.where(instances.c.id > after).order_by(instances.c.id).limit(limit)
    return [_instance(row) for row in connection.execute(query)]


def instances_of(connection: Connection, study_id: int) -> list[Kept]:
    """All instances of a study, in the order of their ids."""
    query = _INSTANCES.where(series.c.study_id == study_id).order_by(instances.c.id)
    return [_instance(row) for row in connection.execute(query)]


def sample(database: Database, count: int) -> Iterator[list[Kept]]:
    """So many instances by chance, all if there are no more; in batches."""
    with database.read() as connection:
        highest = newest(connection)
    every = range(1, highest + 1)
    drawn: set[int] = set()
    while count > 0 and len(drawn) < highest:
        fresh = set(random.sample(every, min(_DRAWN, count, highest))) - drawn
        fresh = fresh or set(islice((each for each in every if each not in drawn), min(_DRAWN, count)))
        drawn |= fresh
        with database.read() as connection:
            found = [_instance(row) for row in connection.execute(_THESE, {"ids": sorted(fresh)})]
        count -= len(found)
        if found:
            yield found


def held_after(connection: Connection, after: int, limit: int) -> list[Kept]:
    """The next by id of what waits in hold, at most `limit`."""
    query = _HELD.where(held.c.id > after).order_by(held.c.id).limit(limit)
    return [_in_hold(row) for row in connection.execute(query)]


def held_these(connection: Connection, arrivals: Sequence[str]) -> list[Kept]:
    """Those of these arrivals that wait in hold."""
    parts = (_HELD.where(held.c.arrival.in_(some)) for some in in_parts(arrivals))
    return [_in_hold(row) for query in parts for row in connection.execute(query)]


def enter(database: Database, connection: Connection, findings: Sequence[Finding]) -> None:
    """Write down what is damaged; what is written down already keeps its time and gets the reason seen last."""
    now = datetime.now(UTC)
    seen = [each for each in findings if each.fault is not Fault.NOT_VERIFIED]
    new = [each for each in seen if each.kept.damage is None]
    if new:
        rows = [
            {
                "arrival": each.kept.arrival,
                "fault": str(each.fault),
                "reason": plain_text(each.reason, 255),
                "found_at": now,
            }
            for each in new
        ]
        connection.execute(database.insert_new(damaged), rows)
    for each in seen:
        if each.kept.damage not in {None, each.reason}:
            this = update(damaged).where(damaged.c.arrival == each.kept.arrival)
            connection.execute(this.values(fault=str(each.fault), reason=plain_text(each.reason, 255)))


def lift(connection: Connection, whole: Sequence[Kept]) -> None:
    """These are whole again."""
    for some in in_parts(each.arrival for each in whole):
        connection.execute(delete(damaged).where(damaged.c.arrival.in_(some)))


def last_round(connection: Connection) -> Round | None:
    """The round under way, or the last one; None before the first."""
    row = connection.execute(select(verification)).first()
    return Round(row.after_id, row.last_id, row.began_at) if row else None


def set_round(database: Database, connection: Connection, to: Round) -> None:
    """So far it is now."""
    values = {"after_id": to.after, "last_id": to.last, "began_at": to.began_at}
    connection.execute(database.insert_new(verification), [{"id": 1, **values}])
    connection.execute(update(verification).values(values))


def _instance(row: Row[*tuple[Any, ...]]) -> Kept:
    return _kept(row, row.received_digest, row.data_set_offset, row.study_id, row.study_instance_uid)


def _in_hold(row: Row[*tuple[Any, ...]]) -> Kept:
    return _kept(row, row.digest, None, None, None)


def _kept(
    row: Row[*tuple[Any, ...]], received_digest: str, offset: int | None, study_id: int | None, study_uid: str | None
) -> Kept:
    transfer_syntax_uid, *came = (getattr(row, name) for name in ARRIVAL_COLUMNS)
    return Kept(
        row=row.id,
        arrival=row.arrival,
        file=row.file,
        bytes=row.bytes,
        digest=row.digest,
        data_set_offset=offset,
        uids=(row.sop_class_uid, row.sop_instance_uid, transfer_syntax_uid),
        head=(row.arrival, row.bytes, row.digest, received_digest, *came),
        study_id=study_id,
        study_uid=study_uid,
        damage=row.damage,
    )
