"""Moves instances in the index to the study and series that their headers name now. It writes no file.

A study or series that loses its last instance keeps its row, so that its history stays, and is not found any more; by
what comes for it later it is begun anew.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import Connection, RowMapping, bindparam, select, update

from archive.database import Database
from archive.entry import Entry
from archive.errors import KeyTakenError
from archive.filing import Filing, InstanceKey, Placed
from archive.origin import Identity
from archive.recording import count, series_for, show, studies_for
from archive.records import Record, fitted_key, in_parts
from archive.rows import Item
from archive.tables import instances
from archive.verification import Kept

_MOVE = update(instances).where(instances.c.id == bindparam("this")).values(series_id=bindparam("to_series"))


class Place(NamedTuple):
    """The ids of the study and the series an instance belongs to."""

    study_id: int
    series_id: int


class Moving(NamedTuple):
    """A kept instance that goes to another study or series; `item` is what is recorded of it there."""

    kept: Kept
    item: Item


def moving(kept: Kept, key: InstanceKey, placed: Placed, attributes: Mapping[str, str]) -> Moving:
    """An instance that is to be kept under another key, in the file where it is placed."""
    identity = Identity(*kept.uids)
    offset = placed.data_set_offset
    entry = Entry(kept.arrival, Path(), identity, kept.origin, kept.received_digest, offset, placed.bytes)
    return Moving(kept, Item(Record(Filing(entry, key), placed, attributes), fitted_key(key)))


def move(database: Database, connection: Connection, every: Sequence[Moving], now: datetime) -> dict[int, Place]:
    """In the caller's transaction: where each is from now on, by its id. KeyTakenError where another one is there.

    What they leave is not counted here. The rows of all studies that are there must be locked.
    """
    items = sorted((each.item for each in every), key=lambda item: item.key)
    if not items:
        return {}
    rows: dict[int, RowMapping] = studies_for(database, connection, items, now)
    series_for(database, connection, items)
    _refuse_taken(connection, items)
    connection.execute(_MOVE, [{"this": each.kept.row, "to_series": each.item.series_id} for each in every])
    count(connection, rows, items, now)
    show(connection, sorted(rows))
    return {each.kept.row: Place(each.item.study_id, each.item.series_id) for each in every}


def _refuse_taken(connection: Connection, items: Sequence[Item]) -> None:
    wanted: dict[int, list[str]] = {}
    for item in items:
        wanted.setdefault(item.series_id, []).append(item.key.sop_instance_uid)
    for series_id, uids in wanted.items():
        taken = {uid for uid, wanting in Counter(uids).items() if wanting > 1}
        for some in in_parts(uids):
            there = select(instances.c.sop_instance_uid).where(instances.c.series_id == series_id)
            taken |= set(connection.scalars(there.where(instances.c.sop_instance_uid.in_(some))))
        if taken:
            raise KeyTakenError(f"instance {min(taken)}: another one has the UIDs it was received with")
