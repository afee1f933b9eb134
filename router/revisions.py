"""Keeps every configuration that decided something, so that a delivery means later what it meant then."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import sqlalchemy as sa

from archive import Database, Json, UtcDateTime, text
from router.config import Configuration, load_texts
from router.errors import RouterError
from router.journal import Event, Journal, journal
from rules import Ruleset

BROUGHT, ROLLED_BACK = "configuration brought", "rolled back"  # events of the journal, with who it was

metadata = sa.MetaData()

revisions = sa.Table(
    "revisions",
    metadata,
    sa.Column("revision", text(64), primary_key=True),
    sa.Column("loaded_at", UtcDateTime, nullable=False),
    sa.Column("path", sa.Text, nullable=False),
    sa.Column("texts", Json, nullable=False),
)


_NOBODY = [(None, None)]


@dataclass(frozen=True, slots=True)
class Remembered:
    """A configuration that is kept: its texts by the names of their files, and when it was first loaded.

    `by` is who brought it, `put_back_by` and `put_back_at` who put it back last and when; None where it is not known.
    """

    revision: str
    loaded_at: datetime
    path: str
    texts: Mapping[str, str]
    by: str | None = None
    put_back_by: str | None = None
    put_back_at: datetime | None = None


class RevisionUnknownError(RouterError):
    """The configuration that made this delivery is not kept."""


class Revisions:
    """Remembers configurations and gives back the ruleset of any of them."""

    def __init__(self, database: Database, now: Callable[[], datetime], data: Path) -> None:
        """`data` is the data folder of the appliance, whose secret counts whatever folder a configuration names."""
        self._database = database
        self._data = data
        self._now = now
        self._journal = Journal(database, now)
        self._rulesets: dict[str, Ruleset] = {}
        self._lock = threading.Lock()

    def remember(self, configuration: Configuration, by: str | None = None) -> None:
        """Keep `configuration` (its texts, with secrets unresolved) under its revision; `by` is who brings it."""
        self.remember_texts(configuration.revision, configuration.path, configuration.texts, by)
        with self._lock:
            self._rulesets[configuration.revision] = configuration.ruleset

    def is_known(self, revision: str) -> bool:
        """Whether the appliance has taken up this revision at some time."""
        query = sa.select(revisions.c.revision).where(revisions.c.revision == revision)
        with self._database.read() as connection:
            return connection.execute(query).first() is not None

    def remember_texts(self, revision: str, path: Path, texts: Mapping[str, str], by: str | None = None) -> None:
        """Keep texts under their revision, which may be of a configuration with mistakes; `by` is who brings them."""
        with self._database.begin() as connection:
            known = connection.execute(sa.select(revisions.c.revision).where(revisions.c.revision == revision)).first()
            if known is None:
                row = {"revision": revision, "loaded_at": self._now(), "path": str(path), "texts": dict(texts)}
                connection.execute(sa.insert(revisions).values(row))
                if by is not None and not self._told(connection, BROUGHT).get(revision):
                    self._tell(connection, BROUGHT, revision, by)

    def brought(self, revision: str, by: str) -> None:
        """A person has written what is loaded as this revision, be that before or after it is."""
        with self._database.begin() as connection:
            self._tell(connection, BROUGHT, revision, by)

    def rolled_back(self, revision: str, by: str, saved: str, files: int) -> None:
        """A person has put so many files of this revision back; those that were there are `saved` as another."""
        with self._database.begin() as connection:
            self._tell(connection, ROLLED_BACK, revision, by, {"from": saved, "files": files})

    def _tell(
        self, connection: sa.Connection, kind: str, revision: str, by: str, more: Mapping[str, object] | None = None
    ) -> None:
        self._journal.write(connection, [Event(kind, revision=revision, detail={**(more or {}), "by": by})])

    def _told(self, connection: sa.Connection, kind: str) -> dict[str, list[tuple[str, datetime]]]:
        """Who it was and when, oldest first, by revision."""
        found: dict[str, list[tuple[str, datetime]]] = {}
        query = sa.select(journal.c.revision, journal.c.detail, journal.c.at).where(journal.c.kind == kind)
        for row in connection.execute(query.order_by(journal.c.at, journal.c.id)):
            found.setdefault(row.revision, []).append((row.detail.get("by"), row.at))
        return found

    def all(self) -> list[Remembered]:
        """Everything that is kept, oldest first."""
        query = sa.select(revisions).order_by(revisions.c.loaded_at, revisions.c.revision)
        with self._database.read() as connection:
            brought, put_back = self._told(connection, BROUGHT), self._told(connection, ROLLED_BACK)
            return [
                Remembered(
                    row.revision,
                    row.loaded_at,
                    row.path,
                    row.texts,
                    brought.get(row.revision, _NOBODY)[-1][0],
                    *put_back.get(row.revision, _NOBODY)[-1],
                )
                for row in connection.execute(query)
            ]

    def ruleset(self, revision: str) -> Ruleset:
        """The rules of `revision`; raises `RevisionUnknownError`."""
        with self._lock:
            if revision in self._rulesets:
                return self._rulesets[revision]
        ruleset = self.configuration(revision).ruleset
        with self._lock:
            self._rulesets[revision] = ruleset
        return ruleset

    def configuration(self, revision: str) -> Configuration:
        """All of `revision`, read anew; raises `RevisionUnknownError`, ConfigurationError when a secret is gone."""
        with self._database.read() as connection:
            row = connection.execute(sa.select(revisions).where(revisions.c.revision == revision)).first()
        if row is None:
            raise RevisionUnknownError(f"configuration revision {revision} is not kept")
        return load_texts(row.texts, Path(row.path), served_from=self._data)
