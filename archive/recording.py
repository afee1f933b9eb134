"""Writes a batch of placed instances into the index, safe against repetition and against other writers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from zlib import crc32

from sqlalchemy import Connection, RowMapping, func, insert, select, update

from archive.attributes import at_level, fitted, fitted_uid, folded_name, plain_text, row_values
from archive.database import Database
from archive.entry import Entry
from archive.filing import InstanceKey, study_folder
from archive.records import Record, Recorded, fitted_key, in_parts
from archive.tables import amendments, instances, series, studies

_NAMES = ("patient_name", "referring_physician_name")


@dataclass(slots=True)
class _Item:
    """One record of the batch with the ids it gets on the way."""

    record: Record
    key: InstanceKey
    study_id: int = 0
    series_id: int = 0


def sop_instance_hash(uid: str) -> int:
    """CRC-32 as a signed 32-bit number: the short key under which a SOP instance UID alone is found."""
    code = crc32(uid.encode())
    return code - (1 << 32) if code >= 1 << 31 else code


def record(database: Database, connection: Connection, records: Sequence[Record]) -> list[Recorded]:
    """Index the records inside the caller's transaction; gives one `Recorded` each, in order.

    An arrival that is indexed already keeps its row and ids. Of two arrivals with one key the first is kept.
    """
    arrivals = [each.filing.entry.arrival for each in records]
    there = _by_arrival(connection, arrivals)
    items = [_Item(each, fitted_key(each.filing.key)) for each in records if each.filing.entry.arrival not in there]
    items.sort(key=lambda item: item.key)
    if items:
        now = datetime.now(UTC)
        rows = _studies(database, connection, items, now)
        _series(database, connection, items)
        there |= _instances(database, connection, items, now)
        new = [item for item in items if item.record.filing.entry.arrival in there]
        _amendments(connection, new, there)
        _count(connection, rows, new, now)
    first = _by_key(connection, [item for item in items if item.record.filing.entry.arrival not in there])
    return [there.get(each.filing.entry.arrival) or first[fitted_key(each.filing.key)] for each in records]


def _by_arrival(connection: Connection, arrivals: Sequence[str]) -> dict[str, Recorded]:
    found: dict[str, Recorded] = {}
    columns = (instances.c.id, series.c.study_id, instances.c.series_id, instances.c.arrival)
    for some in in_parts(arrivals):
        query = select(*columns).select_from(instances.join(series)).where(instances.c.arrival.in_(some))
        found |= {row.arrival: Recorded(*row) for row in connection.execute(query)}
    return found


def _by_key(connection: Connection, items: Sequence[_Item]) -> dict[InstanceKey, Recorded]:
    found = {}
    for item in items:
        query = select(instances.c.id, instances.c.arrival).where(
            instances.c.series_id == item.series_id, instances.c.sop_instance_uid == item.key.sop_instance_uid
        )
        row = connection.execute(query).one()
        found[item.key] = Recorded(row.id, item.study_id, item.series_id, row.arrival)
    return found


def _studies(
    database: Database, connection: Connection, items: Sequence[_Item], now: datetime
) -> dict[int, RowMapping]:
    """The rows of the batch's studies, made where missing and locked until the transaction ends."""
    uids = sorted({item.key.study_uid for item in items})
    found = {row["study_instance_uid"]: row for row in _locked(connection, uids)}
    missing = {item.key.study_uid: item for item in reversed(items) if item.key.study_uid not in found}
    if missing:
        connection.execute(database.insert_new(studies), [_study_row(missing[uid], now) for uid in sorted(missing)])
        found = {row["study_instance_uid"]: row for row in _locked(connection, uids)}
    for item in items:
        item.study_id = found[item.key.study_uid]["id"]
    return {row["id"]: row for row in found.values()}


def _locked(connection: Connection, uids: Sequence[str]) -> list[RowMapping]:
    rows: list[RowMapping] = []
    for some in in_parts(uids):
        query = select(studies).where(studies.c.study_instance_uid.in_(some)).order_by(studies.c.study_instance_uid)
        rows.extend(connection.execute(query.with_for_update()).mappings())
    return rows


def _study_row(item: _Item, now: datetime) -> dict[str, object]:
    values = row_values("study", item.record.attributes)
    received_at = item.record.filing.entry.origin.received_at
    return {
        **values,
        **_folded(values),
        "study_instance_uid": item.key.study_uid,
        "folder": str(study_folder(item.record.filing.key.study_uid)),
        "first_received_at": received_at,
        "last_received_at": received_at,
        "changed_at": now,
    }


def _folded(values: dict[str, str | None]) -> dict[str, str | None]:
    return {f"{name}_folded": folded_name(values[name] or "")[:255] or None for name in _NAMES if name in values}


def _series(database: Database, connection: Connection, items: Sequence[_Item]) -> None:
    """The ids of the batch's series, made where missing."""
    keys = sorted({(item.study_id, item.key.series_uid) for item in items})
    found = _series_ids(connection, keys)
    missing = {(item.study_id, item.key.series_uid): item for item in reversed(items)}
    new = [
        {
            **row_values("series", missing[key].record.attributes),
            "study_id": key[0],
            "series_instance_uid": key[1],
        }
        for key in keys
        if key not in found
    ]
    if new:
        connection.execute(database.insert_new(series), new)
        found = _series_ids(connection, keys)
    for item in items:
        item.series_id = found[item.study_id, item.key.series_uid]


def _series_ids(connection: Connection, keys: Sequence[tuple[int, str]]) -> dict[tuple[int, str], int]:
    found: dict[tuple[int, str], int] = {}
    for some in in_parts(keys):
        query = (
            select(series.c.study_id, series.c.series_instance_uid, series.c.id)
            .where(series.c.study_id.in_({study_id for study_id, _ in some}))
            .where(series.c.series_instance_uid.in_({uid for _, uid in some}))
        )
        found |= {(row[0], row[1]): row[2] for row in connection.execute(query)}
    return found


def _instances(
    database: Database, connection: Connection, items: Sequence[_Item], now: datetime
) -> dict[str, Recorded]:
    """Insert the rows; gives those that are there now, by arrival. An item whose key was taken has none."""
    connection.execute(database.insert_new(instances), [_instance_row(item, now) for item in items])
    return _by_arrival(connection, [item.record.filing.entry.arrival for item in items])


def _instance_row(item: _Item, now: datetime) -> dict[str, object]:
    entry, placed, identity = item.record.filing.entry, item.record.placed, item.record.filing.entry.identity
    return {
        **row_values("instance", item.record.attributes),
        "sop_instance_uid": item.key.sop_instance_uid,
        "sop_class_uid": fitted_uid(identity.sop_class_uid),
        "series_id": item.series_id,
        "sop_instance_hash": sop_instance_hash(item.key.sop_instance_uid),
        "arrival": entry.arrival,
        "file": placed.file,
        "bytes": placed.bytes,
        "data_set_offset": placed.data_set_offset,
        "digest": placed.digest,
        "received_digest": entry.digest,
        **arrival_values(entry),
        "filed_at": now,
    }


def arrival_values(entry: Entry) -> dict[str, object]:
    """The columns that say where an entry came from, in every table that has them."""
    origin = entry.origin
    return {
        "transfer_syntax_uid": fitted_uid(entry.identity.transfer_syntax_uid),
        "source": plain_text(origin.source, 64),
        "calling_ae": plain_text(origin.calling_ae, 64),
        "called_ae": plain_text(origin.called_ae, 64),
        "host": plain_text(origin.host, 255),
        "received_at": origin.received_at,
    }


def _amendments(connection: Connection, new: Sequence[_Item], there: Mapping[str, Recorded]) -> None:
    rows = [
        {
            "instance_id": there[item.record.filing.entry.arrival].instance_id,
            "revision": amendment.revision,
            "at": amendment.at,
            "changes": [dict(change) for change in amendment.changes],
            "prefix_length": len(item.record.filing.prefix or b""),
            "restore": amendment.restore,
        }
        for item in new
        if (amendment := item.record.amendment) is not None
    ]
    if rows:
        connection.execute(insert(amendments), rows)


def _count(connection: Connection, rows: dict[int, RowMapping], new: Sequence[_Item], now: datetime) -> None:
    """Bring the counts of the locked studies and of their series up to date, and fill what a study's row lacked."""
    for series_id in sorted({item.series_id for item in new}):
        sizes = [item.record.placed.bytes for item in new if item.series_id == series_id]
        connection.execute(
            update(series)
            .where(series.c.id == series_id)
            .values(instances=series.c.instances + len(sizes), bytes=series.c.bytes + sum(sizes))
        )
    study_ids = sorted({item.study_id for item in new})
    shown = _shown(connection, study_ids)
    for study_id in study_ids:
        row, its = rows[study_id], [item for item in new if item.study_id == study_id]
        times = [item.record.filing.entry.origin.received_at for item in its]
        modalities, series_count = shown[study_id]
        connection.execute(
            update(studies)
            .where(studies.c.id == study_id)
            .values(
                **_filled(row, its),
                modalities=modalities,
                series=series_count,
                instances=studies.c.instances + len(its),
                bytes=studies.c.bytes + sum(item.record.placed.bytes for item in its),
                first_received_at=min(row["first_received_at"], *times),
                last_received_at=max(row["last_received_at"], *times),
                changed_at=now,
                version=studies.c.version + 1,
                manifest_stale=True,
            )
        )


def _shown(connection: Connection, study_ids: Sequence[int]) -> dict[int, tuple[str, int]]:
    """Each study's modalities, as ModalitiesInStudy writes them, and how many series it has."""
    found: dict[int, tuple[set[str], int]] = {study_id: (set(), 0) for study_id in study_ids}
    for some in in_parts(study_ids):
        query = (
            select(series.c.study_id, series.c.modality, func.count())
            .where(series.c.study_id.in_(some))
            .group_by(series.c.study_id, series.c.modality)
        )
        for study_id, modality, count in connection.execute(query):
            modalities, so_far = found[study_id]
            found[study_id] = (modalities | ({modality} if modality else set()), so_far + count)
    return {study_id: ("\\".join(sorted(found[study_id][0]))[:255], found[study_id][1]) for study_id in study_ids}


def _filled(row: RowMapping, items: Sequence[_Item]) -> dict[str, str | None]:
    """What the study's row lacks and an instance that came later says; what it has stays."""
    filled: dict[str, str | None] = {}
    for each in (each for each in at_level("study") if row[each.column] is None):
        values = (fitted(each, item.record.attributes.get(each.keyword, "")) for item in items)
        value = next(filter(None, values), None)
        if value is not None:
            filled[each.column] = value
    return {**filled, **_folded(filled)}
