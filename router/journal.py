"""The journal: what happened, one row an event, written with the event's own transaction. Decides nothing."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from archive import Database, Id, Json, UtcDateTime, text

metadata = sa.MetaData()

journal = sa.Table(
    "journal",
    metadata,
    sa.Column("id", Id, primary_key=True, autoincrement=True),
    sa.Column("at", UtcDateTime, nullable=False),
    sa.Column("kind", text(40), nullable=False),
    sa.Column("study_id", Id, nullable=True),
    sa.Column("source", text(64), nullable=True),
    sa.Column("destination", text(64), nullable=True),
    sa.Column("revision", text(64), nullable=True),
    sa.Column("detail", Json, nullable=False),
    sa.Index("journal_by_study", "study_id", "id"),
    sa.Index("journal_by_kind", "kind", "at"),
)


_WRITTEN = sa.select(journal.c.at, journal.c.study_id, journal.c.source, journal.c.revision, journal.c.detail)


CLOCK_SET = "clock set"


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened; `detail` holds counts, UIDs and reasons, never a patient's values."""

    kind: str
    study_id: int | None = None
    source: str | None = None
    destination: str | None = None
    revision: str | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Written:
    """An event as it was written."""

    at: datetime
    study_id: int | None
    source: str | None
    revision: str | None
    detail: Mapping[str, Any]


class Journal:
    """Writes events and reads them back in order."""

    def __init__(self, database: Database, now: Callable[[], datetime]) -> None:
        self._database = database
        self._now = now

    def write(self, connection: sa.Connection, events: Sequence[Event]) -> None:
        """Append `events` within the caller's transaction."""
        if not events:
            return
        at = self._now()
        rows = [
            {
                "at": at,
                "kind": event.kind,
                "study_id": event.study_id,
                "source": event.source,
                "destination": event.destination,
                "revision": event.revision,
                "detail": dict(event.detail),
            }
            for event in events
        ]
        connection.execute(sa.insert(journal), rows)

    def clock_set(self, connection: sa.Connection, seconds: float, moved: int) -> None:
        """Write that the wall clock was set, and how many waits were moved with it."""
        self.write(
            connection, [Event(CLOCK_SET, detail={"at": self._now().isoformat(), "seconds": seconds, "moved": moved})]
        )

    def begin(self, connection: sa.Connection, event: Event) -> int:
        """Write one event that goes on, within the caller's transaction; its row, for `amend`."""
        values = {name: getattr(event, name) for name in ("kind", "study_id", "source", "destination", "revision")}
        insert = sa.insert(journal).values(at=self._now(), detail=dict(event.detail), **values)
        key = connection.execute(insert).inserted_primary_key
        assert key is not None
        return int(key[0])

    def amend(self, connection: sa.Connection, row: int, detail: Mapping[str, Any]) -> None:
        """Give an event that goes on a new detail, within the caller's transaction."""
        connection.execute(sa.update(journal).where(journal.c.id == row).values(detail=dict(detail)))

    def of_kind(self, kind: str, since: datetime) -> list[tuple[int, dict[str, Any]]]:
        """Row and detail of every event of this kind that was written since then, oldest first."""
        query = sa.select(journal.c.id, journal.c.detail).where(journal.c.kind == kind, journal.c.at >= since)
        with self._database.read() as connection:
            return [(row.id, row.detail) for row in connection.execute(query.order_by(journal.c.at, journal.c.id))]

    def written(self, kind: str, since: datetime) -> list[Written]:
        """The events of this kind that were written since then, oldest first."""
        query = _WRITTEN.where(journal.c.kind == kind, journal.c.at >= since).order_by(journal.c.at, journal.c.id)
        with self._database.read() as connection:
            return [Written(*row) for row in connection.execute(query)]

    def of_studies(self, connection: sa.Connection, kind: str, study_ids: Collection[int]) -> list[Written]:
        """Within the caller's transaction: the events of this kind of these studies."""
        query = _WRITTEN.where(journal.c.study_id.in_(sorted(study_ids)), journal.c.kind == kind)
        return [Written(*row) for row in connection.execute(query)]

    def of_study(self, study_id: int) -> list[dict[str, Any]]:
        """The events of one study, oldest first."""
        query = sa.select(journal).where(journal.c.study_id == study_id).order_by(journal.c.id)
        with self._database.read() as connection:
            return [dict(row._mapping) for row in connection.execute(query)]  # noqa: SLF001 (SQLAlchemy's public name)
