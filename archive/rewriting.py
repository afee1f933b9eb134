"""Keeps instances in another version: new files beside the old ones, and the index's rows changed in one transaction.

A file is never changed. Until the rows name the new file, and for a while after the old one, `leftovers` names it, so
that neither a crash nor a delivery that still reads the old one leaves anything behind. Edits nothing itself.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Connection, bindparam, delete, func, insert, select, update

from archive.attributes import Level, at_level, fitted
from archive.database import Database
from archive.errors import ChangedMeanwhileError
from archive.filing import InstanceKey, Rewritten
from archive.moving import Place, move, moving
from archive.recording import lock
from archive.records import Amendment, in_parts
from archive.rows import OWN, folded
from archive.tables import amendments, instances, leftovers, series, studies
from archive.verification import Kept

_CHANGED = ("file", "bytes", "data_set_offset", "digest", "checksum", *(each.column for each in OWN), "id")
_PRESENT = (
    select(instances.c.id, instances.c.digest, instances.c.series_id)
    .select_from(instances.join(series))
    .where(series.c.study_id == bindparam("study_id"))
)


@dataclass(frozen=True, slots=True)
class Applied:
    """A change that a kept file has; `prefix_length` and `restore` are what undoes it."""

    row: int
    prefix_length: int
    restore: bytes


@dataclass(frozen=True, slots=True)
class Revised:
    """An instance of a study that is revised, and the `attributes`, by keyword, of its header from now on.

    `rewritten` is None where it stays as it is. `amendment` is what was changed now, `undone` are the rows of what was
    changed before and is not any more. `key` is there where it belongs to another study or series from now on.
    """

    kept: Kept
    attributes: Mapping[str, str]
    rewritten: Rewritten | None = None
    amendment: Amendment | None = None
    prefix_length: int = 0
    undone: Sequence[int] = ()
    key: InstanceKey | None = None


def applied(connection: Connection, instance_ids: Iterable[int]) -> dict[int, list[Applied]]:
    """The changes these instances' files have, by the instance's id, in the order they were made."""
    found: dict[int, list[Applied]] = {}
    for some in in_parts(instance_ids):
        query = select(amendments).where(amendments.c.instance_id.in_(some), amendments.c.undone_at.is_(None))
        for row in connection.execute(query.order_by(amendments.c.id)):
            found.setdefault(row.instance_id, []).append(Applied(row.id, row.prefix_length, row.restore))
    return found


def announce(database: Database, files: Sequence[str]) -> None:
    """These files are about to be made: unless the index names them soon, they are left over."""
    with database.begin() as connection:
        _leave(database, connection, files, datetime.now(UTC))


def revise(
    database: Database, connection: Connection, study_id: int, revised: Sequence[Revised], by: str
) -> dict[int, Place]:
    """In the caller's transaction: the study is kept as `revised`, all its instances, says from now on.

    Gives where those are that belong to another study or series now, by their ids. ChangedMeanwhileError where it is
    not the study that was revised any more, KeyTakenError where one cannot go where it belongs.
    """
    now = datetime.now(UTC)
    moved = [
        moving(each.kept, each.key, each.rewritten.placed, each.attributes)
        for each in revised
        if each.key and each.rewritten
    ]
    if moved:
        lock(connection, sorted({str(moved[0].kept.study_uid), *(each.item.key.study_uid for each in moved)}))
    connection.execute(select(studies.c.id).where(studies.c.id == study_id).with_for_update()).one()
    present = connection.execute(_PRESENT, {"study_id": study_id}).all()
    if {(row.id, row.digest) for row in present} != {(each.kept.row, each.kept.digest) for each in revised}:
        raise ChangedMeanwhileError
    changed = [each for each in revised if each.rewritten is not None]
    _take(connection, [each.rewritten.placed.file for each in changed if each.rewritten])
    database.update_rows(connection, instances, _CHANGED, [_row(each) for each in changed])
    _leave(database, connection, [each.kept.file for each in changed], now)
    _note(connection, revised, by, now)
    places = move(database, connection, moved, now)
    series_of = {row.id: row.series_id for row in present}
    here = {row: place.series_id for row, place in places.items() if place.study_id == study_id}
    left = [each for each in revised if each.kept.row not in places or each.kept.row in here]
    if places:
        _empty(connection, set(series_of.values()))
    _reindex(connection, study_id, {**series_of, **here}, left, now)
    return places


def remove_leftovers(database: Database, folder: Path, before: datetime) -> int:
    """Remove files that were left over before that time and that the index does not name; gives how many."""
    removed = 0
    old = select(leftovers.c.id, leftovers.c.file).where(leftovers.c.since < before).order_by(leftovers.c.id)
    with database.read() as connection:
        if connection.execute(old.limit(1)).first() is None:
            return 0
    with database.begin() as connection:
        rows = connection.execute(old.limit(200).with_for_update()).all()
        arrivals = {row.id: row.file.rsplit("/", 1)[1][:24] for row in rows}
        named = set(connection.scalars(select(instances.c.file).where(instances.c.arrival.in_(arrivals.values()))))
        for row in rows:
            if row.file not in named:
                with suppress(FileNotFoundError):
                    (folder / row.file).unlink()
                removed += 1
        connection.execute(delete(leftovers).where(leftovers.c.id.in_(list(arrivals))))
    return removed


def _leave(database: Database, connection: Connection, files: Sequence[str], now: datetime) -> None:
    for some in in_parts(files):
        connection.execute(update(leftovers).where(leftovers.c.file.in_(some)).values(since=now))
        connection.execute(database.insert_new(leftovers), [{"file": file, "since": now} for file in some])


def _take(connection: Connection, files: Sequence[str]) -> None:
    """These are left over no more; ChangedMeanwhileError if one of them was removed."""
    for some in in_parts(files):
        if connection.execute(delete(leftovers).where(leftovers.c.file.in_(some))).rowcount != len(some):
            raise ChangedMeanwhileError


def _row(revised: Revised) -> tuple[object, ...]:
    """The values of _CHANGED, in their order."""
    assert revised.rewritten is not None
    placed = revised.rewritten.placed
    own = [fitted(each, revised.attributes.get(each.keyword, "")) or None for each in OWN]
    head = placed.file, placed.bytes, placed.data_set_offset, placed.digest, revised.rewritten.checksum
    return *head, *own, revised.kept.row


def _note(connection: Connection, revised: Sequence[Revised], by: str, now: datetime) -> None:
    """Write down what was changed and what was undone, and who did it."""
    made = [
        {
            "instance_id": each.kept.row,
            "revision": each.amendment.revision,
            "at": each.amendment.at,
            "changes": [dict(change) for change in each.amendment.changes],
            "prefix_length": each.prefix_length,
            "restore": each.amendment.restore,
            "made_by": by,
        }
        for each in revised
        if each.amendment is not None
    ]
    if made:
        connection.execute(insert(amendments), made)
    for some in in_parts(row for each in revised for row in each.undone):
        these = update(amendments).where(amendments.c.id.in_(some))
        connection.execute(these.values(undone_at=now, undone_by=by))


def _empty(connection: Connection, series_ids: Iterable[int]) -> None:
    """Those that have lost their last instance say so."""
    for some in in_parts(series_ids):
        left = select(instances.c.id).where(instances.c.series_id == series.c.id).exists()
        connection.execute(update(series).where(series.c.id.in_(some), ~left).values(instances=0, bytes=0))


def _reindex(
    connection: Connection, study_id: int, series_of: Mapping[int, int], revised: Sequence[Revised], now: datetime
) -> None:
    """The rows of the study and its series say what their instances do: of each attribute the first value there is."""
    by_series: dict[int, list[Revised]] = {}
    for each in sorted(revised, key=lambda each: each.kept.arrival):
        by_series.setdefault(series_of[each.kept.row], []).append(each)
    modalities = set()
    for series_id, its in sorted(by_series.items()):
        values = _first_values("series", its)
        modalities.add(values["modality"])
        this = update(series).where(series.c.id == series_id)
        connection.execute(this.values(**values, instances=len(its), bytes=_size_of(series_id)))
    values = _first_values("study", sorted(revised, key=lambda each: each.kept.arrival)) if revised else {}
    connection.execute(
        update(studies)
        .where(studies.c.id == study_id)
        .values(
            **values,
            **folded(values),
            modalities="\\".join(sorted(filter(None, modalities)))[:255],
            series=len(by_series),
            instances=len(revised),
            bytes=select(func.sum(series.c.bytes)).where(series.c.study_id == study_id).scalar_subquery(),
            changed_at=now,
            version=studies.c.version + 1,
            manifest_stale=True,
        )
    )


def _size_of(series_id: int) -> object:
    return select(func.sum(instances.c.bytes)).where(instances.c.series_id == series_id).scalar_subquery()


def _first_values(level: Level, revised: Sequence[Revised]) -> dict[str, str | None]:
    """The values of the level's columns, but for UIDs, which stay."""
    found: dict[str, str | None] = {}
    for attribute in (each for each in at_level(level) if each.matching != "uid"):
        values = (fitted(attribute, each.attributes.get(attribute.keyword, "")) for each in revised)
        found[attribute.column] = next(filter(None, values), None)
    return found
