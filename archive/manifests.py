"""A study's manifest: everything the index knows of it, beside its files, so that the index can be made again."""

import json
from base64 import b64encode
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import Connection, RowMapping, bindparam, or_, select, update

from archive.attributes import attributes_of
from archive.database import Database
from archive.errors import ArchiveFailedError, ArchiveFullError, NotKeptError
from archive.files import FULL, replace_durably
from archive.filing import INCOMING
from archive.records import in_parts
from archive.tables import amendments, instances, series, studies

MANIFEST = "manifest.json"
FORMAT = 1
AHEAD = timedelta(minutes=1)  # no clock of another machine is so far ahead of ours, unless it was set
_TOUCH = (
    update(studies)
    .where(studies.c.id.in_(bindparam("ids", expanding=True)))
    .values(manifest_stale=True, version=studies.c.version + 1, changed_at=bindparam("now"))
)


def touch(connection: Connection, study_ids: Iterable[int]) -> None:
    """Mark the studies' manifests as saying too little."""
    for some in in_parts(sorted(set(study_ids))):
        connection.execute(_TOUCH, {"ids": some, "now": datetime.now(UTC)})


def stale(connection: Connection, before: datetime, limit: int) -> list[int]:
    """Ids of studies with a stale manifest whose last change is before `before`, longest waiting first.

    What changed far ahead of that changed before the clock went back.
    """
    query = (
        select(studies.c.id)
        .where(studies.c.manifest_stale)
        .where(or_(studies.c.changed_at < before, studies.c.changed_at > before + AHEAD))
        .order_by(studies.c.changed_at)
        .limit(limit)
    )
    return list(connection.scalars(query))


def write(database: Database, folder: Path, study_id: int, annex: Mapping[str, object]) -> Path:
    """Write it durably; it stays marked stale if the study changed meanwhile. NotKeptError for an unknown study."""
    with database.read() as connection:
        study = connection.execute(select(studies).where(studies.c.id == study_id)).mappings().one_or_none()
        if study is None:
            raise NotKeptError
        content = {**annex, **_content(connection, study)}
    path = folder / str(study["folder"]) / MANIFEST
    try:
        replace_durably(path, json.dumps(content, indent=1).encode("ascii"), folder / INCOMING)
    except OSError as error:
        raise (ArchiveFullError if error.errno in FULL else ArchiveFailedError) from error
    with database.begin() as connection:
        unchanged = studies.c.version == study["version"]
        here = update(studies).where(studies.c.id == study_id)
        if connection.execute(here.where(unchanged).values(manifest_stale=False)).rowcount == 0:
            connection.execute(here.values(manifest_stale=True))  # a newer one may just have been written over
    return path


def _content(connection: Connection, study: RowMapping) -> dict[str, object]:
    changes: dict[int, list[dict[str, object]]] = {}
    of_study = select(instances.c.id).join(series).where(series.c.study_id == study["id"])
    query = select(amendments).where(amendments.c.instance_id.in_(of_study)).order_by(amendments.c.id)
    for row in connection.execute(query).mappings():
        changes.setdefault(row["instance_id"], []).append(_amendment(row))
    kept: dict[int, list[dict[str, object]]] = {}
    query = select(instances).join(series).where(series.c.study_id == study["id"]).order_by(instances.c.arrival)
    for row in connection.execute(query).mappings():
        kept.setdefault(row["series_id"], []).append(_instance(row, changes.get(row["id"], [])))
    query = select(series).where(series.c.study_id == study["id"]).order_by(series.c.id)
    every = [
        {"attributes": attributes_of("series", row), "instances": kept[row["id"]]}
        for row in connection.execute(query).mappings()
        if row["id"] in kept
    ]
    return {
        "format": FORMAT,
        "written_at": datetime.now(UTC).isoformat(),
        "study": {"attributes": attributes_of("study", study), "folder": study["folder"]},
        "series": every,
    }


def _instance(row: RowMapping, changes: list[dict[str, object]]) -> dict[str, object]:
    return {
        "file": row["file"],
        "arrival": row["arrival"],
        "digest": row["digest"],
        "received_digest": row["received_digest"],
        "bytes": row["bytes"],
        "data_set_offset": row["data_set_offset"],
        "transfer_syntax_uid": row["transfer_syntax_uid"],
        "origin": {
            "source": row["source"],
            "calling_ae": row["calling_ae"],
            "called_ae": row["called_ae"],
            "host": row["host"],
            "received_at": row["received_at"].isoformat(),
        },
        "filed_at": row["filed_at"].isoformat(),
        "attributes": attributes_of("instance", row),
        "changes": changes,
    }


def _amendment(row: RowMapping) -> dict[str, object]:
    return {
        "revision": row["revision"],
        "at": row["at"].isoformat(),
        "changes": row["changes"],
        "prefix_length": row["prefix_length"],
        "restore": b64encode(row["restore"]).decode("ascii"),
        **({"by": row["made_by"]} if row["made_by"] is not None else {}),
        **({"undone_at": row["undone_at"].isoformat()} if row["undone_at"] is not None else {}),
    }
