"""The corrections that stand for a study: what arrives for it later is to get them, too. Corrects nothing itself."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from sqlalchemy import Connection, select, update

from archive.tables import studies


@dataclass(frozen=True, slots=True)
class Standing:
    """What one attribute, by keyword, is in every instance of a study: who said so, and when."""

    attribute: str
    value: str
    by: str
    at: datetime


def standing_of(written: object) -> tuple[Standing, ...]:
    """The corrections that stand, in the order they were made, from the column of a study's row."""
    rows = cast("Sequence[dict[str, Any]]", written or ())
    return tuple(
        Standing(each["attribute"], each["value"], each["by"], datetime.fromisoformat(each["at"])) for each in rows
    )


def of_study(connection: Connection, study_id: int) -> tuple[Standing, ...]:
    """The corrections that stand for a study, whose row is locked until the transaction ends."""
    this = select(studies.c.standing).where(studies.c.id == study_id).with_for_update()
    return standing_of(connection.execute(this).scalar())


def stand(connection: Connection, study_id: int, every: Sequence[Standing]) -> None:
    """In the caller's transaction: these stand for a study from now on, and no others."""
    written = [
        {"attribute": each.attribute, "value": each.value, "by": each.by, "at": each.at.isoformat()} for each in every
    ]
    connection.execute(update(studies).where(studies.c.id == study_id).values(standing=written or None))
