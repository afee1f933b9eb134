"""Writes a batch of placed instances into the index, safe against repetition and against other writers.

A batch costs the same however much is indexed: every statement is prepared, and all keys written are near each other.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from sqlalchemy import Connection, RowMapping, bindparam, func, insert, select, update

from archive.attributes import at_level, fitted
from archive.database import Database
from archive.errors import ChangedMeanwhileError
from archive.filing import InstanceKey
from archive.records import Record, Recorded, fitted_key, in_parts
from archive.rows import INSTANCE_COLUMNS, SHARD, Item, filled, instance_row, series_row, study_row
from archive.standing import standing_of
from archive.tables import amendments, instances, series, studies

_NEWEST = select(
    select(func.max(instances.c.id)).scalar_subquery(), select(func.max(instances.c.arrival)).scalar_subquery()
)
_RECORDED = select(instances.c.id, series.c.study_id, instances.c.series_id, instances.c.arrival).select_from(
    instances.join(series)
)
_BY_ARRIVAL = _RECORDED.where(instances.c.arrival.in_(bindparam("arrivals", expanding=True)))
_IN_SPAN = _RECORDED.where(instances.c.arrival.between(bindparam("first"), bindparam("last")))
_BY_KEY = select(instances.c.id, instances.c.arrival).where(
    instances.c.series_id == bindparam("series_id"), instances.c.sop_instance_uid == bindparam("uid")
)
_STUDIES = (
    select(studies)
    .where(studies.c.study_instance_uid.in_(bindparam("uids", expanding=True)))
    .order_by(studies.c.study_instance_uid)
    .with_for_update()
)
_SERIES = (
    select(series.c.study_id, series.c.series_instance_uid, series.c.id, series.c.instances)
    .where(series.c.study_id.in_(bindparam("study_ids", expanding=True)))
    .where(series.c.series_instance_uid.in_(bindparam("uids", expanding=True)))
)
_SHOWN = (
    select(series.c.study_id, series.c.modality, func.count())
    .where(series.c.study_id.in_(bindparam("study_ids", expanding=True)), series.c.instances > 0)
    .group_by(series.c.study_id, series.c.modality)
)
_COUNT_SERIES = (
    update(series)
    .where(series.c.id == bindparam("this"))
    .values(instances=series.c.instances + bindparam("more"), bytes=series.c.bytes + bindparam("more_bytes"))
)
_OF_A_PERSON = tuple(each for each in at_level("study") if each.keyword in {"PatientID", "PatientBirthDate"})
_THIS_STUDY = update(studies).where(studies.c.id == bindparam("this"))
_COUNT_STUDY = _THIS_STUDY.values(
    instances=studies.c.instances + bindparam("more"),
    bytes=studies.c.bytes + bindparam("more_bytes"),
    first_received_at=bindparam("first"),
    last_received_at=bindparam("last"),
    changed_at=bindparam("now"),
    version=studies.c.version + 1,
    manifest_stale=True,
)
_SHOW = _THIS_STUDY.values(modalities=bindparam("shown"), series=bindparam("count"))


def record(database: Database, connection: Connection, records: Sequence[Record]) -> list[Recorded]:
    """Index the records inside the caller's transaction; gives one `Recorded` each, in order.

    An arrival that is indexed already keeps its row and ids. Of two arrivals with one key the first is kept.
    ChangedMeanwhileError where other corrections stand for a study by now than those that its records were given.
    """
    if not records:
        return []
    arrivals = [each.filing.entry.arrival for each in records]
    newest_id, newest_arrival = connection.execute(_NEWEST).one()
    is_ahead = newest_arrival is None or min(arrivals) > newest_arrival  # as always, but for repetition
    there = {} if is_ahead else _by_arrival(connection, arrivals)
    items = [Item(each, fitted_key(each.filing.key)) for each in records if each.filing.entry.arrival not in there]
    items.sort(key=lambda item: item.key)
    if items:
        now = datetime.now(UTC)
        rows = studies_for(database, connection, items, now)
        _compare_standing(rows, items)
        grown = series_for(database, connection, items)
        shard = (newest_id or 0) // SHARD
        database.insert_rows(
            connection, instances, INSTANCE_COLUMNS, [instance_row(item, shard, now) for item in items], only_new=True
        )
        added = [item.arrival for item in items]
        there |= _in_span(connection, added) if is_ahead else _by_arrival(connection, added)
        new = [item for item in items if item.arrival in there]
        _amendments(connection, new, there)
        there |= _of_another(rows, new, there)
        count(connection, rows, new, now)
        show(connection, grown)
    first = _by_key(connection, [item for item in items if item.arrival not in there])
    return [there.get(each.filing.entry.arrival) or first[fitted_key(each.filing.key)] for each in records]


def _compare_standing(rows: Mapping[int, RowMapping], items: Sequence[Item]) -> None:
    """The rows are locked: what stands for their studies stands until these items are among their instances."""
    standing = {study_id: standing_of(row["standing"]) for study_id, row in rows.items()}
    if any(standing[item.study_id] != item.record.standing for item in items):
        raise ChangedMeanwhileError


def _by_arrival(connection: Connection, arrivals: Sequence[str]) -> dict[str, Recorded]:
    found: dict[str, Recorded] = {}
    for some in in_parts(arrivals):
        found |= {row[3]: Recorded(*row) for row in connection.execute(_BY_ARRIVAL, {"arrivals": some})}
    return found


def _in_span(connection: Connection, arrivals: Sequence[str]) -> dict[str, Recorded]:
    """As `_by_arrival`, for arrivals newer than all that was there before: hardly any others lie between them."""
    wanted = set(arrivals)
    rows = connection.execute(_IN_SPAN, {"first": min(wanted), "last": max(wanted)})
    return {row[3]: Recorded(*row) for row in rows if row[3] in wanted}


def _by_key(connection: Connection, items: Sequence[Item]) -> dict[InstanceKey, Recorded]:
    found = {}
    for item in items:
        row = connection.execute(_BY_KEY, {"series_id": item.series_id, "uid": item.key.sop_instance_uid}).one()
        found[item.key] = Recorded(row.id, item.study_id, item.series_id, row.arrival)
    return found


def studies_for(
    database: Database, connection: Connection, items: Sequence[Item], now: datetime
) -> dict[int, RowMapping]:
    """The rows of the items' studies, made where missing and locked until the transaction ends.

    One that has lost its last instance is begun anew.
    """
    uids = sorted({item.key.study_uid for item in items})
    found = {row["study_instance_uid"]: row for row in lock(connection, uids)}
    counts = {uid: row["instances"] for uid, row in found.items()}
    missing = {item.key.study_uid: item for item in reversed(items) if not counts.get(item.key.study_uid)}
    if missing:
        for uid in sorted(missing.keys() & found.keys()):
            connection.execute(_THIS_STUDY.values(study_row(missing[uid], now)), {"this": found[uid]["id"]})
        new = [study_row(missing[uid], now) for uid in sorted(missing.keys() - found.keys())]
        if new:
            connection.execute(database.insert_new(studies), new)
        found = {row["study_instance_uid"]: row for row in lock(connection, uids)}
    for item in items:
        item.study_id = found[item.key.study_uid]["id"]
    return {row["id"]: row for row in found.values()}


def lock(connection: Connection, uids: Sequence[str]) -> list[RowMapping]:
    """The rows of these studies as far as there are any, locked in one order until the transaction ends."""
    rows: list[RowMapping] = []
    for some in in_parts(uids):
        rows.extend(connection.execute(_STUDIES, {"uids": some}).mappings())
    return rows


def series_for(database: Database, connection: Connection, items: Sequence[Item]) -> list[int]:
    """The ids of the items' series, made where missing or begun anew; gives the ids of the studies that have such."""
    keys = sorted({(item.study_id, item.key.series_uid) for item in items})
    found = _series(connection, keys)
    missing = {(item.study_id, item.key.series_uid): item for item in reversed(items)}
    new = [series_row(missing[key]) for key in keys if key not in found]
    emptied = [key for key in keys if key in found and not found[key][1]]
    for key in emptied:
        connection.execute(update(series).where(series.c.id == found[key][0]).values(series_row(missing[key])))
    grown = sorted({study_id for study_id, uid in keys if (study_id, uid) not in found} | {key[0] for key in emptied})
    if new:
        connection.execute(database.insert_new(series), new)
        found = _series(connection, keys)
    for item in items:
        item.series_id = found[item.study_id, item.key.series_uid][0]
    return grown


def _series(connection: Connection, keys: Sequence[tuple[int, str]]) -> dict[tuple[int, str], tuple[int, int]]:
    """Id and number of instances of each series there is."""
    found: dict[tuple[int, str], tuple[int, int]] = {}
    for some in in_parts(keys):
        sought = {"study_ids": sorted({key[0] for key in some}), "uids": sorted({key[1] for key in some})}
        found |= {(row[0], row[1]): (row[2], row[3]) for row in connection.execute(_SERIES, sought)}
    return found


def _of_another(
    rows: Mapping[int, RowMapping], new: Sequence[Item], there: Mapping[str, Recorded]
) -> dict[str, Recorded]:
    """Those that name another person than their study does; what names none names no other."""
    said = {(study_id, each): row[each.column] for study_id, row in rows.items() for each in _OF_A_PERSON}
    found: dict[str, Recorded] = {}
    for item in new:
        for each in _OF_A_PERSON:
            value = fitted(each, item.record.attributes.get(each.keyword, ""))
            known = said[item.study_id, each]
            if not known:
                said[item.study_id, each] = value
            elif value and value != known:
                recorded = found.get(item.arrival, there[item.arrival])
                found[item.arrival] = replace(recorded, of_another=(*recorded.of_another, each.keyword))
    return found


def _amendments(connection: Connection, new: Sequence[Item], there: Mapping[str, Recorded]) -> None:
    rows = [
        {
            "instance_id": there[item.arrival].instance_id,
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


def count(connection: Connection, rows: dict[int, RowMapping], new: Sequence[Item], now: datetime) -> None:
    """Bring the counts of the locked studies and of their series up to date, and fill what a study's row lacked."""
    by_series: dict[int, list[Item]] = {}
    by_study: dict[int, list[Item]] = {}
    for item in new:
        by_series.setdefault(item.series_id, []).append(item)
        by_study.setdefault(item.study_id, []).append(item)
    if not new:
        return
    connection.execute(_COUNT_SERIES, [{"this": key, **_more(by_series[key])} for key in sorted(by_series)])
    counted = []
    for study_id in sorted(by_study):
        row, its = rows[study_id], by_study[study_id]
        times = [item.record.filing.entry.origin.received_at for item in its]
        first, last = min(row["first_received_at"], *times), max(row["last_received_at"], *times)
        counted.append({"this": study_id, "first": first, "last": last, "now": now, **_more(its)})
        if values := filled(row, its):
            connection.execute(_THIS_STUDY.values(values), {"this": study_id})
    connection.execute(_COUNT_STUDY, counted)


def _more(items: Sequence[Item]) -> dict[str, int]:
    return {"more": len(items), "more_bytes": sum(item.record.placed.bytes for item in items)}


def show(connection: Connection, study_ids: Sequence[int]) -> None:
    """Write each study's modalities, as ModalitiesInStudy writes them, and how many series it has."""
    found: dict[int, tuple[set[str], int]] = {study_id: (set(), 0) for study_id in study_ids}
    for some in in_parts(study_ids):
        for study_id, modality, number in connection.execute(_SHOWN, {"study_ids": some}):
            modalities, so_far = found[study_id]
            found[study_id] = (modalities | ({modality} if modality else set()), so_far + number)
    for study_id in study_ids:
        shown = "\\".join(sorted(found[study_id][0]))[:255]
        connection.execute(_SHOW, {"this": study_id, "shown": shown, "count": found[study_id][1]})
