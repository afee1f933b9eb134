"""Tells what was changed in a study's instances, which study a UID names and which series it has. Changes nothing."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, select

from archive.attributes import fitted_uid
from archive.records import in_parts
from archive.tables import amendments, instances, series, studies


@dataclass(frozen=True, slots=True)
class ChangeMade:
    """One change of one attribute, with the number of instances it was made in; None stands for absent."""

    revision: str
    rule: str
    attribute: str
    old: str | None
    new: str | None
    instances: int


def undoing(connection: Connection, instance_id: int) -> tuple[int, bytes] | None:
    """How many bytes of an instance's data set are ours, and what restores those that came; None if none are."""
    query = select(amendments.c.prefix_length, amendments.c.restore).where(amendments.c.instance_id == instance_id)
    row = connection.execute(query.order_by(amendments.c.id)).first()
    return (row.prefix_length, row.restore) if row is not None else None


@dataclass(frozen=True, slots=True)
class SeriesKept:
    """A series of a study, with where one of its instances lies."""

    series_id: int
    path: Path
    data_set_offset: int
    transfer_syntax_uid: str


def series_of(connection: Connection, folder: Path, study_uid: str) -> list[SeriesKept]:
    """The series of the study with this Study Instance UID; the costs are those of its series, not its instances."""
    any_one = instances.alias()
    one = select(any_one.c.id).where(any_one.c.series_id == series.c.id).limit(1).correlate(series).scalar_subquery()
    query = (
        select(series.c.id, instances.c.file, instances.c.data_set_offset, instances.c.transfer_syntax_uid)
        .select_from(studies.join(series).join(instances))
        .where(studies.c.study_instance_uid == fitted_uid(study_uid), instances.c.id == one)
        .order_by(series.c.id)
    )
    return [SeriesKept(row[0], folder / row[1], row[2], row[3]) for row in connection.execute(query)]


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


def changes(connection: Connection, of_study: int) -> list[ChangeMade]:
    """What was changed in the instances of a study on arrival, in the order of the rules."""
    query = (
        select(amendments.c.revision, amendments.c.changes)
        .select_from(amendments.join(instances).join(series))
        .where(series.c.study_id == of_study)
        .order_by(amendments.c.id)
    )
    counted: Counter[tuple[str, str, str, str | None, str | None]] = Counter()
    for row in connection.execute(query):
        counted.update(
            (row.revision, each["rule"], each["attribute"], each["old"], each["new"]) for each in row.changes
        )
    return [ChangeMade(*change, count) for change, count in counted.items()]
