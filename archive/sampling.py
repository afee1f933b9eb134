"""Tells which indexed attributes the newest instances of each source have. Reads the index only."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from archive.attributes import ATTRIBUTES
from archive.database import Database
from archive.matching import TABLES
from archive.tables import instances, series, studies

NEWEST = 20_000  # instances looked at


@dataclass(frozen=True, slots=True)
class Sample:
    """How many of the newest instances came from a source, and what at least one of them has in the index."""

    instances: int
    attributes: frozenset[str]


def samples(database: Database) -> Mapping[str, Sample]:
    """Of each source that sent any of the newest instances."""
    with database.read() as connection:
        return _samples(connection)


def _samples(connection: Connection) -> Mapping[str, Sample]:
    newest = connection.scalar(select(func.max(instances.c.id))) or 0
    filled = [func.count(TABLES[each.level].c[each.column]) for each in ATTRIBUTES]
    query = (
        select(instances.c.source, func.count(), *filled)
        .select_from(studies.join(series).join(instances))
        .where(instances.c.id > newest - NEWEST, instances.c.source.is_not(None))
        .group_by(instances.c.source)
    )
    return {
        row[0]: Sample(
            row[1], frozenset(each.keyword for each, count in zip(ATTRIBUTES, row[2:], strict=True) if count)
        )
        for row in connection.execute(query)
    }
