"""Instances for tests of the archive: sealed into a spool, filed and recorded as the router would do it."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from archive import Amendment, Archive, Entry, Filing, Identity, InstanceKey, Origin, Record, Recorded, Spool

CT = "1.2.840.10008.5.1.4.1.1.2"
IMPLICIT = "1.2.840.10008.1.2"
LARGE = 5 << 20  # bytes: too large for a segment
RECEIVED_AT = datetime(2026, 11, 22, 10, 30, 0, 123456, tzinfo=UTC)


def origin(source: str | None = "scanner", received_at: datetime = RECEIVED_AT) -> Origin:
    """Where the instances of the tests come from."""
    return Origin(source, "GE_DSTE", "MICROPACS", "10.1.1.11", received_at)


def sealed(spool: Spool, content: bytes, sop_instance_uid: str = "1.2.3.4", **origin_values: object) -> Entry:
    """One sealed entry with this data set."""
    identity = Identity(CT, sop_instance_uid, IMPLICIT)
    with spool.open(identity, origin(**origin_values)) as incoming:  # type: ignore[arg-type]
        incoming.write(content)
        return spool.read(incoming.seal())


def filed(
    archive: Archive,
    entries: Sequence[Entry],
    attributes: Sequence[Mapping[str, str]],
    *,
    prefix: bytes | None = None,
    resume: int = 0,
    amendment: Amendment | None = None,
) -> list[Recorded]:
    """The entries placed and recorded in one transaction; the keys come from the attributes."""
    filings = [
        Filing(entry, key_of(entry, values), prefix, resume) for entry, values in zip(entries, attributes, strict=True)
    ]
    placed = archive.place(filings)
    records = [
        Record(filing, place, values, amendment)
        for filing, place, values in zip(filings, placed, attributes, strict=True)
    ]
    with archive.database.begin() as connection:
        return archive.record(connection, records)


def key_of(entry: Entry, attributes: Mapping[str, str]) -> InstanceKey:
    """The key in these attributes; UIDs that are left out are those of one study and one series."""
    return InstanceKey(
        attributes.get("StudyInstanceUID", "1.2.1"),
        attributes.get("SeriesInstanceUID", "1.2.1.1"),
        attributes.get("SOPInstanceUID", entry.identity.sop_instance_uid),
    )


def data_set(path: Path, offset: int) -> bytes:
    """The bytes of a kept file after its head."""
    return path.read_bytes()[offset:]


def overwrite(path: Path, offset: int, data: bytes) -> None:
    """Put these bytes into a file."""
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(data)
