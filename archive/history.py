"""Tells what was changed in a study's instances, which study a UID names and which series it has. Changes nothing."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, select

from archive.attributes import attributes_of, fitted_uid
from archive.origin import Origin
from archive.records import in_parts
from archive.standing import Standing, standing_of
from archive.tables import amendments, instances, series, studies


@dataclass(frozen=True, slots=True)
class ChangeMade:
    """One change of one attribute, with the number of instances it was made in; None stands for absent.

    `at` is when the first of them was changed, `by` who did it where it was by hand. `undone_at` and `undone_by` are
    None while the archive's files have the change.
    """

    revision: str
    rule: str
    attribute: str
    old: str | None
    new: str | None
    instances: int
    at: datetime
    by: str | None
    undone_at: datetime | None
    undone_by: str | None


@dataclass(frozen=True, slots=True)
class InstanceKept:
    """An instance of a study; `digest` is that of the data set as kept, `received_digest` as it came."""

    attributes: Mapping[str, str]
    arrival: str
    file: str
    bytes: int
    digest: str
    received_digest: str
    transfer_syntax_uid: str
    origin: Origin
    filed_at: datetime


@dataclass(frozen=True, slots=True)
class SeriesKept:
    """A series of a study."""

    attributes: Mapping[str, str]
    instances: Sequence[InstanceKept]


@dataclass(frozen=True, slots=True)
class StudyKept:
    """A study; `bytes` are those of its data sets, `standing` the corrections that what arrives later gets, too."""

    attributes: Mapping[str, str]
    bytes: int
    series: Sequence[SeriesKept]
    standing: Sequence[Standing] = ()


@dataclass(frozen=True, slots=True)
class SeriesFiled:
    """A series of a study, with where one of its instances lies."""

    series_id: int
    path: Path
    data_set_offset: int
    transfer_syntax_uid: str


def series_of(connection: Connection, folder: Path, study_uid: str) -> list[SeriesFiled]:
    """The series of the study with this Study Instance UID; the costs are those of its series, not its instances."""
    any_one = instances.alias()
    one = select(any_one.c.id).where(any_one.c.series_id == series.c.id).limit(1).correlate(series).scalar_subquery()
    query = (
        select(series.c.id, instances.c.file, instances.c.data_set_offset, instances.c.transfer_syntax_uid)
        .select_from(studies.join(series).join(instances))
        .where(studies.c.study_instance_uid == fitted_uid(study_uid), instances.c.id == one)
        .order_by(series.c.id)
    )
    return [SeriesFiled(row[0], folder / row[1], row[2], row[3]) for row in connection.execute(query)]


def study_id(connection: Connection, study_uid: str) -> int | None:
    """The id of the study with this Study Instance UID, None if it is not kept."""
    query = select(studies.c.id).where(studies.c.study_instance_uid == fitted_uid(study_uid))
    return connection.execute(query).scalar()


def study_uids(connection: Connection, study_ids: Iterable[int]) -> Mapping[int, str]:
    """The Study Instance UIDs by id; ids that are not there are left out."""
    return {
        row.id: row.study_instance_uid
        for some in in_parts(study_ids)
        for row in connection.execute(select(studies.c.id, studies.c.study_instance_uid).where(studies.c.id.in_(some)))
    }


def contents(connection: Connection, of_study: int) -> StudyKept:
    """A study as the index has it: its own attributes, and series and instances with theirs, in order of arrival."""
    study = connection.execute(select(studies).where(studies.c.id == of_study)).mappings().one()
    kept: dict[int, list[InstanceKept]] = {}
    query = select(instances).join(series).where(series.c.study_id == of_study).order_by(instances.c.arrival)
    for row in connection.execute(query).mappings():
        origin = Origin(row["source"], row["calling_ae"], row["called_ae"], row["host"], row["received_at"])
        names = "arrival", "file", "bytes", "digest", "received_digest", "transfer_syntax_uid", "filed_at"
        facts: dict[str, Any] = {name: row[name] for name in names}
        kept.setdefault(row["series_id"], []).append(
            InstanceKept(attributes=attributes_of("instance", row), origin=origin, **facts)
        )
    rows = connection.execute(select(series).where(series.c.study_id == of_study).order_by(series.c.id)).mappings()
    every = [SeriesKept(attributes_of("series", row), kept[row["id"]]) for row in rows if row["id"] in kept]
    return StudyKept(attributes_of("study", study), study["bytes"], every, standing_of(study["standing"]))


def changes(connection: Connection, of_study: int) -> list[ChangeMade]:
    """What was changed in the instances of a study, on arrival and later, undone or not, in the order it was made."""
    query = (
        select(amendments)
        .select_from(amendments.join(instances).join(series))
        .where(series.c.study_id == of_study)
        .order_by(amendments.c.id)
    )
    counted: dict[tuple[Any, ...], ChangeMade] = {}
    for row in connection.execute(query):
        undone = row.undone_at, row.undone_by
        for each in row.changes:
            change = row.revision, each["rule"], each["attribute"], each["old"], each["new"]
            by = each.get("by") or row.made_by
            key = *change, by, row.made_by and row.at, each.get("since"), *undone
            made = counted.get(key) or ChangeMade(*change, 0, row.at, by, *undone)
            counted[key] = replace(made, instances=made.instances + 1, at=min(made.at, row.at))
    return list(counted.values())
