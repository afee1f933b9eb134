"""Turns placed instances into rows of the index. Knows every column, and writes none."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from zlib import crc32

from sqlalchemy import RowMapping
from xxhash import xxh3_64

from archive.attributes import at_level, fitted, fitted_uid, folded_name, plain_text, row_values
from archive.entry import Entry
from archive.filing import Filing, InstanceKey, study_folder
from archive.records import Record

SHARD = 1 << 14  # instances of one part of the index by hash
_NAMES = ("patient_name", "referring_physician_name")
OWN = tuple(each for each in at_level("instance") if each.matching != "uid")

ARRIVAL_COLUMNS = ("transfer_syntax_uid", "source", "calling_ae", "called_ae", "host", "received_at")
INSTANCE_COLUMNS = (
    "series_id",
    "sop_instance_uid",
    "sop_class_uid",
    "sop_instance_shard",
    "sop_instance_hash",
    "arrival",
    "file",
    "bytes",
    "data_set_offset",
    "digest",
    "received_digest",
    "checksum",
    "filed_at",
    *ARRIVAL_COLUMNS,
    *(each.column for each in OWN),
)


@dataclass(slots=True)
class Item:
    """One record of a batch, its key as the index keeps it, and the ids it gets on the way."""

    record: Record
    key: InstanceKey
    study_id: int = 0
    series_id: int = 0

    @property
    def arrival(self) -> str:
        """The name of its arrival."""
        return self.record.filing.entry.arrival


def sop_instance_hash(uid: str) -> int:
    """CRC-32 as a signed 32-bit number: the short key under which a SOP instance UID alone is found."""
    code = crc32(uid.encode())
    return code - (1 << 32) if code >= 1 << 31 else code


def study_row(item: Item, now: datetime) -> dict[str, object]:
    """A new study's row, as the first of its instances says it."""
    values = row_values("study", item.record.attributes)
    received_at = item.record.filing.entry.origin.received_at
    return {
        **values,
        **folded(values),
        "study_instance_uid": item.key.study_uid,
        "folder": study_folder(item.record.filing.key.study_uid),
        "first_received_at": received_at,
        "last_received_at": received_at,
        "changed_at": now,
    }


def filled(row: RowMapping, items: Sequence[Item]) -> dict[str, str | None]:
    """What the study's row lacks and an instance that came later says; what it has stays."""
    found: dict[str, str | None] = {}
    for each in (each for each in at_level("study") if row[each.column] is None):
        values = (fitted(each, item.record.attributes.get(each.keyword, "")) for item in items)
        value = next(filter(None, values), None)
        if value is not None:
            found[each.column] = value
    return {**found, **folded(found)}


def folded(values: Mapping[str, str | None]) -> dict[str, str | None]:
    """The names among these columns as they are compared, for the columns that hold them so."""
    return {f"{name}_folded": folded_name(values[name] or "")[:255] or None for name in _NAMES if name in values}


def series_row(item: Item) -> dict[str, object]:
    """A new series' row, as the first of its instances says it."""
    return {
        **row_values("series", item.record.attributes),
        "study_id": item.study_id,
        "series_instance_uid": item.key.series_uid,
    }


def instance_row(item: Item, shard: int, now: datetime) -> tuple[object, ...]:
    """The values of INSTANCE_COLUMNS, in their order."""
    record = item.record
    entry, placed, attributes = record.filing.entry, record.placed, record.attributes
    uid = item.key.sop_instance_uid
    return (
        item.series_id,
        uid,
        fitted_uid(entry.identity.sop_class_uid),
        shard,
        sop_instance_hash(uid),
        entry.arrival,
        placed.file,
        placed.bytes,
        placed.data_set_offset,
        placed.digest,
        entry.digest,
        _checksum(record.filing),
        now,
        *arrival_values(entry),
        *[fitted(each, attributes.get(each.keyword, "")) or None for each in OWN],
    )


def _checksum(filing: Filing) -> str | None:
    """The checksum of the data set as kept, None where it is not in memory."""
    content = filing.entry.content
    if content is None:
        return None
    checksum = xxh3_64(filing.prefix or b"")
    checksum.update(memoryview(content)[filing.resume if filing.prefix is not None else 0 :])
    return checksum.hexdigest()


def arrival_values(entry: Entry) -> tuple[object, ...]:
    """The values of ARRIVAL_COLUMNS, which say where an entry came from, in every table that has them."""
    origin = entry.origin
    who = _who(origin.source, origin.calling_ae, origin.called_ae, origin.host)
    return fitted_uid(entry.identity.transfer_syntax_uid), *who, origin.received_at


@lru_cache(64)
def _who(source: str | None, calling_ae: str, called_ae: str, host: str) -> tuple[str | None, ...]:
    return plain_text(source, 64), plain_text(calling_ae, 64), plain_text(called_ae, 64), plain_text(host, 255)
