"""The tables of the index. Every row can be made again from the files; no row ever leaves this room."""

from sqlalchemy import Boolean, Column, ForeignKey, Index, Integer, MetaData, Table, UniqueConstraint

from archive.arrivals import ARRIVAL_LENGTH
from archive.attributes import UID_LENGTH, Indexed, at_level
from archive.columns import Blob, Id, Json, UtcDateTime, text

DIGEST_LENGTH = 64
NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}

metadata = MetaData(naming_convention=NAMES)


def _attribute(indexed: Indexed) -> Column[str]:
    return Column(
        indexed.column, text(indexed.length), nullable=indexed.matching != "uid" or indexed.column == "sop_class_uid"
    )


def _arrival_columns() -> tuple[Column[object], ...]:
    """What a file's own head says of where the instance came from; the AE titles and the host as they were sent."""
    return (
        Column("transfer_syntax_uid", text(UID_LENGTH), nullable=False),
        Column("source", text(64)),
        Column("calling_ae", text(64), nullable=False),
        Column("called_ae", text(64), nullable=False),
        Column("host", text(255), nullable=False),
        Column("received_at", UtcDateTime, nullable=False),
    )


studies = Table(
    "studies",
    metadata,
    Column("id", Id, primary_key=True),
    *map(_attribute, at_level("study")),
    Column("patient_name_folded", text(255)),
    Column("referring_physician_name_folded", text(255)),
    Column("folder", text(64), nullable=False),
    Column("modalities", text(255), nullable=False, default=""),
    Column("series", Integer, nullable=False, default=0),
    Column("instances", Integer, nullable=False, default=0),
    Column("bytes", Id, nullable=False, default=0),
    Column("first_received_at", UtcDateTime, nullable=False),
    Column("last_received_at", UtcDateTime, nullable=False),
    Column("changed_at", UtcDateTime, nullable=False),
    Column("version", Integer, nullable=False, default=1),  # goes up with every change, so that none is overlooked
    Column("manifest_stale", Boolean, nullable=False, default=True),
    Column("standing", Json),  # corrections by hand that what arrives later is to get, too
    UniqueConstraint("study_instance_uid"),
    Index(None, "patient_id"),
    Index(None, "patient_name_folded"),
    Index(None, "study_date"),
    Index(None, "accession_number"),
    Index(None, "manifest_stale", "changed_at"),
)

series = Table(
    "series",
    metadata,
    Column("id", Id, primary_key=True),
    Column("study_id", Id, ForeignKey("studies.id"), nullable=False),
    *map(_attribute, at_level("series")),
    Column("instances", Integer, nullable=False, default=0),
    Column("bytes", Id, nullable=False, default=0),
    UniqueConstraint("study_id", "series_instance_uid"),
)

instances = Table(
    "instances",
    metadata,
    Column("id", Id, primary_key=True),
    Column("series_id", Id, ForeignKey("series.id"), nullable=False),
    *map(_attribute, at_level("instance")),
    Column("sop_instance_shard", Integer, nullable=False),  # grows with the ids: only its newest part is written to
    Column("sop_instance_hash", Integer, nullable=False),  # CRC-32, signed: a short key stays cheap when it is random
    Column("arrival", text(ARRIVAL_LENGTH), nullable=False),
    Column("file", text(255), nullable=False),
    Column("bytes", Id, nullable=False),
    Column("data_set_offset", Integer, nullable=False),
    Column("digest", text(DIGEST_LENGTH), nullable=False),
    Column("received_digest", text(DIGEST_LENGTH), nullable=False),
    Column("checksum", text(16)),  # XXH3-64 of the data set, a thirtieth of the cost of a digest; not of large ones
    *_arrival_columns(),
    Column("filed_at", UtcDateTime, nullable=False),
    UniqueConstraint("series_id", "sop_instance_uid"),
    UniqueConstraint("arrival"),
    Index(None, "sop_instance_shard", "sop_instance_hash"),
)

amendments = Table(
    "amendments",
    metadata,
    Column("id", Id, primary_key=True),
    Column("instance_id", Id, ForeignKey("instances.id"), nullable=False, index=True),
    Column("revision", text(64), nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("changes", Json, nullable=False),
    Column("prefix_length", Id, nullable=False),  # bytes of the new data set that are ours; the rest came as it is
    Column("restore", Blob, nullable=False),
    Column("made_by", text(255)),  # the person who made it by hand
    Column("undone_at", UtcDateTime),  # while it is None the file has the change
    Column("undone_by", text(255)),
)

leftovers = Table(  # files of instances that are kept in another version now, or were to be: removed after a while
    "leftovers",
    metadata,
    Column("id", Id, primary_key=True),
    Column("file", text(255), nullable=False),
    Column("since", UtcDateTime, nullable=False),
    UniqueConstraint("file"),
)

held = Table(
    "held",
    metadata,
    Column("id", Id, primary_key=True),
    Column("arrival", text(ARRIVAL_LENGTH), nullable=False),
    Column("state", text(16), nullable=False),
    Column("reason", text(255), nullable=False),
    Column("rule", text(255)),
    Column("revision", text(64), nullable=False),
    Column("attributes", Json, nullable=False),
    Column("sop_class_uid", text(UID_LENGTH), nullable=False),
    Column("sop_instance_uid", text(UID_LENGTH), nullable=False),
    Column("file", text(255), nullable=False),
    Column("bytes", Id, nullable=False),
    Column("digest", text(DIGEST_LENGTH), nullable=False),
    *_arrival_columns(),
    Column("held_at", UtcDateTime, nullable=False),
    Column("decided_at", UtcDateTime),
    Column("decided_by", text(255)),
    Column("decision", text(255)),
    Column("fixes", Json),
    UniqueConstraint("arrival"),
    Index(None, "state", "arrival"),
    Index(None, "digest"),
)

damaged = Table(  # files that are not as they were kept, until they are found whole again
    "damaged",
    metadata,
    Column("id", Id, primary_key=True),
    Column("arrival", text(ARRIVAL_LENGTH), nullable=False),
    Column("fault", text(16), nullable=False),
    Column("reason", text(255), nullable=False),
    Column("found_at", UtcDateTime, nullable=False),
    UniqueConstraint("arrival"),
)

verification = Table(  # one row: how far the archive is verified
    "verification",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("after_id", Id, nullable=False),
    Column("last_id", Id, nullable=False),
    Column("began_at", UtcDateTime, nullable=False),
)
