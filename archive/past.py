"""Past arrivals, as the index knows them and as far as their files go: for reading only. Writes no row and no file.

What the rules changed on arrival is not undone here; what undoes it is handed out with each.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Row, Select, select

from archive.attributes import fitted_uid
from archive.database import Database
from archive.errors import EntryUnreadableError
from archive.files import SHORT_OF_MEANS
from archive.origin import Identity, Origin, identity_of, origin_of
from archive.part10 import read_head
from archive.records import in_parts
from archive.tables import amendments, damaged, held, instances, series, studies

_IN_HOLD = ("held", "released", "rejected")  # what is filed meanwhile has a row among the instances
_FILED = select(instances, studies.c.study_instance_uid, damaged.c.reason.label("damage")).select_from(
    instances.join(series).join(studies).outerjoin(damaged, damaged.c.arrival == instances.c.arrival)
)
_HELD = select(held, damaged.c.reason.label("damage")).select_from(
    held.outerjoin(damaged, damaged.c.arrival == held.c.arrival)
)


@dataclass(frozen=True, slots=True)
class Undoing:
    """What undoes one change of an instance: the bytes of its data set that are ours, and the rules' own record."""

    prefix_length: int
    restore: bytes


@dataclass(frozen=True, slots=True)
class Past:
    """An instance that arrived once, as it is kept now; `bytes` and `digest` are of the data set as kept.

    `undoings` lead back to the data set as received, in their order. `study_uid` is "" where none is known,
    `data_set_offset` None where only the file knows it; `damage` says why its file is in quarantine.
    """

    arrival: str
    path: Path
    identity: Identity
    origin: Origin
    study_uid: str
    bytes: int
    data_set_offset: int | None
    digest: str
    received_digest: str
    undoings: tuple[Undoing, ...]
    damage: str | None
    is_in_hold: bool


@dataclass(frozen=True, slots=True)
class Beginning:
    """The first bytes of a data set as kept, whether they are all of it, and where it starts in the file."""

    data: bytes
    is_all: bool
    data_set_offset: int


class PastArrivals:
    """What has arrived at an archive, newest first."""

    def __init__(self, database: Database, folder: Path) -> None:
        """`folder` is the archive's."""
        self._database = database
        self._folder = folder

    def newest(
        self, since: datetime | None = None, study_uid: str | None = None, limit: int | None = None
    ) -> tuple[list[int], list[int]]:
        """The row numbers of what came `since` then, at most `limit`: of filed instances, and of those in hold."""
        order = instances.c.id if limit is None else instances.c.arrival
        filed = select(instances.c.id, instances.c.arrival).order_by(order.desc()).limit(limit)
        in_hold = select(held.c.id, held.c.arrival, held.c.attributes).where(held.c.state.in_(_IN_HOLD))
        if since is not None:
            filed = filed.where(instances.c.received_at >= since)
            in_hold = in_hold.where(held.c.received_at >= since)
        if study_uid is not None:
            this = studies.c.study_instance_uid == fitted_uid(study_uid)
            filed = filed.select_from(instances.join(series).join(studies)).where(this)
        with self._database.read() as connection:
            rows = [
                (row.arrival, row.id)
                for row in connection.execute(in_hold.order_by(held.c.id.desc()))
                if study_uid in {None, row.attributes.get("StudyInstanceUID", "")}
            ]
            if limit is None:
                return list(connection.scalars(filed)), [number for _, number in rows]
            both = [(row.arrival, row.id, False) for row in connection.execute(filed)]
        newest = sorted([*both, *((arrival, number, True) for arrival, number in rows)], reverse=True)[:limit]
        return [each[1] for each in newest if not each[2]], [each[1] for each in newest if each[2]]

    def filed(self, numbers: Sequence[int]) -> list[Past]:
        """The filed instances of these row numbers, newest first; those that are gone meanwhile are left out."""
        found: list[Past] = []
        with self._database.read() as connection:
            for some in in_parts(numbers):
                undoings: dict[int, list[Undoing]] = {}
                query = select(amendments).where(amendments.c.instance_id.in_(some), amendments.c.undone_at.is_(None))
                for row in connection.execute(query.order_by(amendments.c.id.desc())):
                    undoings.setdefault(row.instance_id, []).append(Undoing(row.prefix_length, row.restore))
                rows = connection.execute(_these(_FILED, instances.c.id, some))
                found += [self._filed(row, tuple(undoings.get(row.id, ()))) for row in rows]
        return found

    def held(self, numbers: Sequence[int]) -> list[Past]:
        """As `filed`, of what waits in hold, was released from it or was rejected."""
        with self._database.read() as connection:
            rows = [row for some in in_parts(numbers) for row in connection.execute(_these(_HELD, held.c.id, some))]
        return [self._held(row) for row in rows]

    def _filed(self, row: Row[*tuple[Any, ...]], undoings: tuple[Undoing, ...]) -> Past:
        return Past(
            row.arrival,
            self._folder / row.file,
            identity_of(row),
            origin_of(row),
            row.study_instance_uid,
            row.bytes,
            row.data_set_offset,
            row.digest,
            row.received_digest,
            undoings,
            row.damage,
            is_in_hold=False,
        )

    def _held(self, row: Row[*tuple[Any, ...]]) -> Past:
        return Past(
            row.arrival,
            self._folder / row.file,
            identity_of(row),
            origin_of(row),
            row.attributes.get("StudyInstanceUID", ""),
            row.bytes,
            None,
            row.digest,
            row.digest,
            (),
            row.damage,
            is_in_hold=True,
        )


def beginning(past: Past, limit: int) -> Beginning:
    """At most `limit` bytes from the start of the data set as kept.

    EntryUnreadableError if its file is in quarantine, is gone, or does not say what the index does; no digest is made.
    """
    if past.damage is not None:
        raise EntryUnreadableError(f"it is in quarantine: {past.damage}", past.arrival)
    offset = past.data_set_offset if past.data_set_offset is not None else read_head(past.path).data_set_offset
    try:
        with past.path.open("rb", buffering=0) as file:
            data = file.read(offset + limit)
            length = os.fstat(file.fileno()).st_size
    except FileNotFoundError as error:
        raise EntryUnreadableError("the file is not there", past.arrival) from error
    except OSError as error:
        if error.errno in SHORT_OF_MEANS:
            raise
        raise EntryUnreadableError(f"the file cannot be read: {error.strerror}", past.arrival) from error
    if length != offset + past.bytes:
        raise EntryUnreadableError("the file is not as long as it was", past.arrival)
    head = data[:offset]
    if past.digest.encode() not in head or past.arrival.encode() not in head:
        raise EntryUnreadableError("its head does not say what the index does", past.arrival)
    return Beginning(data[offset:], len(data) == length, offset)


def _these(query: Select[*tuple[Any, ...]], column: Any, numbers: Sequence[int]) -> Select[*tuple[Any, ...]]:  # noqa: ANN401 - SQLAlchemy's
    return query.where(column.in_(numbers)).order_by(column.desc())
