"""The index's own writing and reading of instances: record what was placed, tell what is known. Moves no files."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection, Row, and_, bindparam, func, select

from archive.attributes import fitted_uid
from archive.filing import Filing, InstanceKey, Placed
from archive.origin import Identity, Origin
from archive.standing import Standing, standing_of
from archive.tables import damaged, held, instances, series, studies

T = TypeVar("T")

_FEW = 16  # instances: of so small a series all are read, together with those of others
_TOGETHER = 500  # values of one IN list; every database takes many more


@dataclass(frozen=True, slots=True)
class Amendment:
    """What the rules changed in one instance, and what undoes it.

    `changes` are mappings with `rule`, `attribute`, `old` and `new` (None for absent); `restore` is the rules' own.
    One that a person made of the whole study before has `by` and `since` as well.
    """

    revision: str
    at: datetime
    changes: Sequence[Mapping[str, str | None]]
    restore: bytes


@dataclass(frozen=True, slots=True)
class Record:
    """One placed instance to be indexed; `attributes` by keyword, of the header as kept.

    `standing` are the corrections of its study that it has been given.
    """

    filing: Filing
    placed: Placed
    attributes: Mapping[str, str]
    amendment: Amendment | None = None
    standing: tuple[Standing, ...] = ()


@dataclass(frozen=True, slots=True)
class Recorded:
    """Where an instance is in the index. `arrival` is the one that is kept.

    It differs from the arrival recorded if another instance had the same key first; nothing was written then.
    `of_another` names what tells people apart and is another value in this instance than in its study.
    """

    instance_id: int
    study_id: int
    series_id: int
    arrival: str
    of_another: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Known:
    """What the archive has under a key: the digests of the data set as it came, and as it is kept."""

    instance_id: int
    arrival: str
    received_digest: str
    digest: str


@dataclass(frozen=True, slots=True)
class Stored:
    """An instance as it is kept; `digest` and `bytes` are of the data set, which starts at `data_set_offset`.

    `checksum` (XXH3-64, hex) is of the data set, too, None where there is none. `damage` says why its file is in
    quarantine, and so not fit to be sent; None if it is not.
    """

    instance_id: int
    path: Path
    data_set_offset: int
    bytes: int
    identity: Identity
    origin: Origin
    digest: str
    study_id: int
    series_id: int
    study_uid: str
    checksum: str | None = None
    damage: str | None = None


def fitted_key(key: InstanceKey) -> InstanceKey:
    """The key as the index keeps it."""
    return InstanceKey(fitted_uid(key.study_uid), fitted_uid(key.series_uid), fitted_uid(key.sop_instance_uid))


_SERIES = (
    select(
        studies.c.study_instance_uid,
        series.c.series_instance_uid,
        series.c.id,
        series.c.instances,
        studies.c.standing,
    )
    .select_from(
        studies.outerjoin(
            series,
            and_(
                series.c.study_id == studies.c.id,
                series.c.series_instance_uid.in_(bindparam("series_uids", expanding=True)),
            ),
        )
    )
    .where(studies.c.study_instance_uid.in_(bindparam("study_uids", expanding=True)))
)
_OF_SERIES = select(
    instances.c.series_id,
    instances.c.sop_instance_uid,
    instances.c.id,
    instances.c.arrival,
    instances.c.received_digest,
    instances.c.digest,
).where(instances.c.series_id.in_(bindparam("series_ids", expanding=True)))
_AMONG_MANY = _OF_SERIES.where(instances.c.sop_instance_uid.in_(bindparam("uids", expanding=True)))


def known(
    connection: Connection, keys: Sequence[InstanceKey]
) -> tuple[dict[InstanceKey, Known], dict[InstanceKey, tuple[Standing, ...]]]:
    """What the archive has under these keys, and the corrections that stand for their studies.

    Keys it does not have are left out of the one, those of studies without corrections of the other.
    """
    found: dict[InstanceKey, Known] = {}
    corrected: dict[str, tuple[Standing, ...]] = {}
    for some in in_parts(keys):
        wanted: dict[tuple[str, str], dict[str, InstanceKey]] = {}
        for key in some:
            study_uid, series_uid, uid = fitted_key(key)
            wanted.setdefault((study_uid, series_uid), {})[uid] = key
        uids = {"study_uids": sorted({each[0] for each in wanted}), "series_uids": sorted({each[1] for each in wanted})}
        by_series: dict[int, dict[str, InstanceKey]] = {}
        few: list[int] = []
        rows: list[Row[int, str, int, str, str, str]] = []
        for study_uid, series_uid, series_id, count, standing in connection.execute(_SERIES, uids).all():
            if standing and study_uid not in corrected:
                corrected[study_uid] = standing_of(standing)
            its = wanted.get((study_uid, series_uid), {})
            if its:
                by_series[series_id] = its
            if its and count > _FEW:
                rows += connection.execute(_AMONG_MANY, {"series_ids": [series_id], "uids": list(its)})
            elif its:
                few.append(series_id)
        if few:
            rows += connection.execute(_OF_SERIES, {"series_ids": few})
        for row in rows:
            key_of = by_series[row[0]]
            if row[1] in key_of:
                found[key_of[row[1]]] = Known(row[2], row[3], row[4], row[5])
    if not corrected:
        return found, {}
    return found, {key: corrected[uid] for key in keys if (uid := fitted_uid(key.study_uid)) in corrected}


_IDENTITY = "sop_class_uid", "sop_instance_uid", "transfer_syntax_uid"
_ORIGIN = "source", "calling_ae", "called_ae", "host", "received_at"
_STORED = (
    select(
        *(instances.c[name] for name in ("id", "file", "data_set_offset", "bytes", *_IDENTITY, *_ORIGIN, "digest")),
        series.c.study_id,
        series.c.id,
        studies.c.study_instance_uid,
        instances.c.checksum,
        damaged.c.reason,
    )
    .select_from(studies.join(series).join(instances).outerjoin(damaged, damaged.c.arrival == instances.c.arrival))
    .where(instances.c.id.in_(bindparam("ids", expanding=True)))
)


def stored(connection: Connection, folder: Path, instance_ids: Sequence[int]) -> dict[int, Stored]:
    """The instances of these ids, by id; ids that are not there are left out. `folder` is the archive's."""
    found: dict[int, Stored] = {}
    for some in in_parts(instance_ids):
        for row in connection.execute(_STORED, {"ids": some}).all():
            identity, origin = Identity(*row[4:7]), Origin(*row[7:12])
            found[row[0]] = Stored(row[0], folder / row[1], row[2], row[3], identity, origin, *row[12:])
    return found


@dataclass(frozen=True, slots=True)
class Summary:
    """Totals for a status page; `last_received_at` is None while nothing is kept, `damaged` are in quarantine."""

    studies: int
    series: int
    instances: int
    bytes: int
    held: int
    rejected: int
    last_received_at: datetime | None
    damaged: int = 0


def summary(connection: Connection) -> Summary:
    """The totals, from the studies' own counts; `bytes` are those of the data sets."""
    columns = studies.c
    sums = (func.coalesce(func.sum(column), 0) for column in (columns.series, columns.instances, columns.bytes))
    row = connection.execute(
        select(func.count(), *sums, func.max(columns.last_received_at)).where(columns.instances > 0)
    ).one()
    states = select(held.c.state, func.count()).where(held.c.state.in_(("held", "rejected"))).group_by(held.c.state)
    waiting: dict[str, int] = {row.state: row[1] for row in connection.execute(states)}
    return Summary(
        studies=row[0],
        series=int(row[1]),
        instances=int(row[2]),
        bytes=int(row[3]),
        held=waiting.get("held", 0),
        rejected=waiting.get("rejected", 0),
        last_received_at=row[4],
        damaged=connection.scalar(select(func.count()).select_from(damaged)) or 0,
    )


def received_since(connection: Connection, moment: datetime) -> tuple[int, datetime | None]:
    """The bytes of the studies that came (or grew) since `moment`, and when the first of them began to come."""
    columns = studies.c
    query = select(func.coalesce(func.sum(columns.bytes), 0), func.min(columns.first_received_at))
    row = connection.execute(query.where(columns.last_received_at >= moment)).one()
    return int(row[0]), row[1]


def in_parts(values: Iterable[T], size: int = _TOGETHER) -> Iterable[list[T]]:
    """The values in lists of at most `size`."""
    every = list(values)
    return (every[start : start + size] for start in range(0, len(every), size))
