"""Answers queries from the index at study, series and instance level (PS3.4 C.6). Knows nothing of the wire."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlalchemy import Column, Connection, FromClause, false, func, select, true

from archive.attributes import ATTRIBUTES, Indexed, Level, at_level
from archive.errors import QueryError
from archive.matching import TABLES, Condition, among_hashes, condition
from archive.tables import instances, series, studies

LEVELS: tuple[Level, ...] = ("study", "series", "instance")
COUNTS = {
    "NumberOfStudyRelatedSeries": ("study", studies.c.series),
    "NumberOfStudyRelatedInstances": ("study", studies.c.instances),
    "NumberOfSeriesRelatedInstances": ("series", series.c.instances),
}
QUERY_KEYWORDS = frozenset({*(each.keyword for each in ATTRIBUTES), *COUNTS, "ModalitiesInStudy"})
_BY_KEYWORD = {each.keyword: each for each in ATTRIBUTES}
_JOINED: dict[Level, FromClause] = {
    "study": studies,
    "series": studies.join(series),
    "instance": studies.join(series).join(instances),
}
_ORDER: dict[Level, tuple[Column[int], ...]] = {
    "study": (studies.c.id,),
    "series": (series.c.study_id, series.c.id),
    "instance": (series.c.study_id, series.c.id, instances.c.id),
}


# What has lost its last instance to another study or series has a row and is not there.
_THERE: dict[Level, Condition] = {
    "study": studies.c.instances > 0,
    "series": series.c.instances > 0,
    "instance": true(),
}


@dataclass(slots=True)
class _Question:
    """The conditions of a query, by the level whose rows they are about."""

    by_level: dict[Level, list[Condition]] = field(default_factory=lambda: {level: [] for level in LEVELS})

    @property
    def is_empty(self) -> bool:
        return not any(self.by_level.values())


def find(connection: Connection, level: Level, keys: Mapping[str, str], limit: int | None) -> list[dict[str, str]]:
    """Every indexed attribute and count of what matches, from the study down to the level; in order of arrival.

    Keys below the level are allowed: a study with `Modality=CT` is one that has a series of CT. No key matches all.
    """
    if level not in LEVELS:
        raise QueryError("the level is not study, series or instance")
    question = _question(connection, keys)
    columns = _columns(level)
    query = (
        select(*(column.label(keyword) for keyword, column in columns.items()))
        .select_from(_JOINED[level])
        .where(*_conditions(level, question), _THERE[level])
        .order_by(*_ORDER[level])
        .limit(limit)
    )
    rows = connection.execute(query).mappings()
    return [{keyword: "" if row[keyword] is None else str(row[keyword]) for keyword in columns} for row in rows]


def select_instances(connection: Connection, keys: Mapping[str, str], limit: int | None) -> list[int]:
    """The ids of the instances that match, study by study; QueryError where no key asks for anything."""
    question = _question(connection, keys)
    if question.is_empty:
        raise QueryError("no key says which instances are meant")
    query = select(instances.c.id).select_from(_JOINED["instance"]).where(*_conditions("instance", question))
    return list(connection.scalars(query.order_by(*_ORDER["instance"]).limit(limit)))


def _question(connection: Connection, keys: Mapping[str, str]) -> _Question:
    question = _Question()
    asking: set[str] = set()
    for keyword, value in keys.items():
        if keyword == "ModalitiesInStudy":
            modality = condition(_BY_KEYWORD["Modality"], value)
            if modality is not None:
                shown = select(series.c.study_id).where(modality, _THERE["series"])
                question.by_level["study"].append(studies.c.id.in_(shown))
        elif keyword in COUNTS:
            _ask_count(question, keyword, value)
        elif keyword in _BY_KEYWORD:
            asked = condition(_BY_KEYWORD[keyword], value)
            if asked is not None:
                question.by_level[_BY_KEYWORD[keyword].level].append(asked)
                asking.add(keyword)
        else:
            raise QueryError(f"{keyword[:64]!r} is not a key of the index")
    if "SOPInstanceUID" in asking and "SeriesInstanceUID" not in asking:
        newest = connection.scalar(select(func.max(instances.c.sop_instance_shard))) or 0
        question.by_level["instance"].append(
            among_hashes(_BY_KEYWORD["SOPInstanceUID"], keys["SOPInstanceUID"], newest)
        )
    return question


def _ask_count(question: _Question, keyword: str, value: str) -> None:
    level, column = COUNTS[keyword]
    if value.strip(" *"):
        asked = column == int(value) if value.strip().isdecimal() else false()
        question.by_level["series" if level == "series" else "study"].append(asked)


def _conditions(level: Level, question: _Question) -> list[Condition]:
    """The question as conditions on the level's joined rows; what lies below the level is asked in a subquery."""
    depth = LEVELS.index(level) + 1
    conditions = [asked for each in LEVELS[:depth] for asked in question.by_level[each]]
    below = [asked for each in LEVELS[depth:] for asked in question.by_level[each]]
    if below and level == "series":
        conditions.append(series.c.id.in_(select(instances.c.series_id).where(*below)))
    elif below:
        lowest = series.join(instances) if question.by_level["instance"] else series
        conditions.append(
            studies.c.id.in_(select(series.c.study_id).select_from(lowest).where(*below, _THERE["series"]))
        )
    return conditions


def _columns(level: Level) -> dict[str, Column[object]]:
    depth = LEVELS.index(level) + 1
    columns = {each.keyword: _column(each) for part in LEVELS[:depth] for each in at_level(part)}
    columns["ModalitiesInStudy"] = studies.c.modalities
    columns |= {keyword: column for keyword, (part, column) in COUNTS.items() if part in LEVELS[:depth]}
    return columns


def _column(indexed: Indexed) -> Column[object]:
    return TABLES[indexed.level].c[indexed.column]
