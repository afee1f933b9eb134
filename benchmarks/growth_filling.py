"""Fills an SQLite index as years of a hospital would: instances, and deliveries that wait. Measures nothing.

Rows are made by SQLite itself and indexes are built at the end, so that ten million instances take minutes.
"""

# ruff: noqa: S608 (the statements are made of constants)

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from archive.rows import SHARD

STUDY = 768  # instances: twelve batches of filing, and of sending
SERIES = 3  # of a study
DESTINATIONS = ("pacs", "research", "backup", "teaching")
_FIRST_ARRIVAL = 1_500_000_000_000_000  # microseconds since 1970: years before anything the benchmark files
_STUDIES_AT_ONCE = 250
_FAST = (
    "journal_mode = OFF",
    "synchronous = OFF",
    "locking_mode = EXCLUSIVE",
    "cache_size = -200000",
    "temp_store = FILE",
)
_UID = "'1.2.840.113619.' || abs(random() % 1000000000) || '.' || abs(random() % 1000000000000000000)"
_TIME = "strftime('%Y-%m-%d %H:%M:%f000', 1500000000 + n, 'unixepoch')"
_INTO_STUDIES = f"""
INSERT INTO studies (id, patient_id, patient_name, patient_name_folded, patient_birth_date, patient_sex,
    study_instance_uid, study_date, study_time, accession_number, study_description, folder, modalities, series,
    instances, bytes, first_received_at, last_received_at, changed_at, version, manifest_stale)
SELECT n, hex(randomblob(4)), 'NAME^' || hex(randomblob(4)), 'name^' || hex(randomblob(4)), '19600101', 'O',
    {_UID}, strftime('%Y%m%d', 1500000000 + n * 20000, 'unixepoch'), '101500', hex(randomblob(5)), 'PET/CT WHOLE BODY',
    lower(hex(randomblob(14))), 'CT\\PT', {SERIES}, {STUDY}, {STUDY} * 200000, {_TIME}, {_TIME}, {_TIME}, 9, 0
FROM numbers
"""
_INTO_SERIES = f"""
INSERT INTO series (id, study_id, series_instance_uid, modality, series_number, series_description, body_part_examined,
    station_name, manufacturer, manufacturer_model_name, institution_name, instances, bytes)
SELECT n, (n - 1) / {SERIES} + 1, {_UID}, CASE n % {SERIES} WHEN 0 THEN 'CT' ELSE 'PT' END, n % {SERIES},
    'WB 3D MAC', 'CHEST', 'CT01', 'GE MEDICAL SYSTEMS', 'Discovery STE', 'HOSPITAL', {STUDY // SERIES}, 50000000
FROM numbers
"""
_INTO_INSTANCES = f"""
INSERT INTO instances (id, series_id, sop_instance_uid, sop_class_uid, instance_number, rows, columns, content_date,
    sop_instance_shard, sop_instance_hash, arrival, file, bytes, data_set_offset, digest, received_digest,
    transfer_syntax_uid, source, calling_ae, called_ae, host, received_at, filed_at)
SELECT n, (n - 1) / {STUDY} * {SERIES} + (n - 1) % {STUDY} * {SERIES} / {STUDY} + 1, {_UID},
    '1.2.840.10008.5.1.4.1.1.128', n % 263, '128', '128', '20170714', n / {SHARD}, random() >> 32,
    printf('%016x', {_FIRST_ARRIVAL} + n) || lower(hex(randomblob(4))),
    'ab/cd/' || lower(hex(randomblob(12))) || printf('/%016x', {_FIRST_ARRIVAL} + n) || 'abcdef01.dcm', 35000, 1010,
    digest, digest, '1.2.840.10008.1.2.1', 'ct-room-1', 'CT01', 'MICROPACS', '10.1.20.31', {_TIME}, {_TIME}
FROM (SELECT n, lower(hex(randomblob(32))) AS digest FROM numbers)
"""
_INTO_DELIVERIES = f"""
INSERT INTO deliveries (instance_id, study_id, series_id, destination, route, revision, priority, state, created_at,
    due_since, due_at, attempts, line_failures_before, token)
SELECT n, (n - 1) / {STUDY} + 1, (n - 1) / {STUDY} * {SERIES} + 1, ?,
    'everything', '0123456789abcdef', 1, 'due', {_TIME}, {_TIME}, {_TIME}, 0, 0, 0
FROM numbers
"""


def fill(path: Path, instances: int, deliveries: int, say: Callable[[str], None]) -> None:
    """Add about so many instances and pending deliveries to the database at `path`, which has its tables only."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for pragma in _FAST:
            connection.execute(f"PRAGMA {pragma}").fetchall()
        with _without_indexes(connection):
            studies = max(1, instances // STUDY)
            for first in range(0, studies, _STUDIES_AT_ONCE):
                count = min(_STUDIES_AT_ONCE, studies - first)
                _insert(connection, _INTO_STUDIES, first + 1, count)
                _insert(connection, _INTO_SERIES, first * SERIES + 1, count * SERIES)
                _insert(connection, _INTO_INSTANCES, first * STUDY + 1, count * STUDY)
                if first % (_STUDIES_AT_ONCE * 10) == 0:
                    say(f"filling: {first * STUDY} of {instances} instances")
            each = min(deliveries // len(DESTINATIONS) // STUDY, studies) * STUDY
            for destination in DESTINATIONS:
                _insert(connection, _INTO_DELIVERIES, studies * STUDY - each + 1, each, destination)
            say("filling: indexes")


def _insert(connection: sqlite3.Connection, statement: str, first: int, count: int, *values: str) -> None:
    numbers = f"WITH RECURSIVE numbers (n) AS (SELECT {first} UNION ALL SELECT n + 1 FROM numbers LIMIT {count})"
    connection.execute(numbers + statement, values)


@contextmanager
def _without_indexes(connection: sqlite3.Connection) -> Iterator[None]:
    """Without the indexes that no constraint needs; they are made again at the end, each in one go."""
    query = "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
    indexes = connection.execute(query).fetchall()
    for name, _ in indexes:
        connection.execute(f'DROP INDEX "{name}"')
    yield
    for _, statement in indexes:
        connection.execute(statement)
