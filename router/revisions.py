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
from rules import Ruleset

metadata = sa.MetaData()

revisions = sa.Table(
    "revisions",
    metadata,
    sa.Column("revision", text(64), primary_key=True),
    sa.Column("loaded_at", UtcDateTime, nullable=False),
    sa.Column("path", sa.Text, nullable=False),
    sa.Column("texts", Json, nullable=False),
)


@dataclass(frozen=True, slots=True)
class Remembered:
    """A configuration that is kept: its texts by the names of their files, and when it was first loaded."""

    revision: str
    loaded_at: datetime
    path: str
    texts: Mapping[str, str]


class RevisionUnknownError(RouterError):
    """The configuration that made this delivery is not kept."""


class Revisions:
    """Remembers configurations and gives back the ruleset of any of them."""

    def __init__(self, database: Database, now: Callable[[], datetime]) -> None:
        self._database = database
        self._now = now
        self._rulesets: dict[str, Ruleset] = {}
        self._lock = threading.Lock()

    def remember(self, configuration: Configuration) -> None:
        """Keep `configuration` (its texts, with secrets unresolved) under its revision."""
        self.remember_texts(configuration.revision, configuration.path, configuration.texts)
        with self._lock:
            self._rulesets[configuration.revision] = configuration.ruleset

    def is_known(self, revision: str) -> bool:
        """Whether the appliance has taken up this revision at some time."""
        query = sa.select(revisions.c.revision).where(revisions.c.revision == revision)
        with self._database.read() as connection:
            return connection.execute(query).first() is not None

    def remember_texts(self, revision: str, path: Path, texts: Mapping[str, str]) -> None:
        """Keep texts under their revision, which may be of a configuration with mistakes."""
        with self._database.begin() as connection:
            known = connection.execute(sa.select(revisions.c.revision).where(revisions.c.revision == revision)).first()
            if known is None:
                row = {"revision": revision, "loaded_at": self._now(), "path": str(path), "texts": dict(texts)}
                connection.execute(sa.insert(revisions).values(row))

    def all(self) -> list[Remembered]:
        """Everything that is kept, oldest first."""
        query = sa.select(revisions).order_by(revisions.c.loaded_at, revisions.c.revision)
        with self._database.read() as connection:
            return [Remembered(row.revision, row.loaded_at, row.path, row.texts) for row in connection.execute(query)]

    def ruleset(self, revision: str) -> Ruleset:
        """The rules of `revision`; raises `RevisionUnknownError`."""
        with self._lock:
            if revision in self._rulesets:
                return self._rulesets[revision]
        with self._database.read() as connection:
            row = connection.execute(sa.select(revisions).where(revisions.c.revision == revision)).first()
        if row is None:
            raise RevisionUnknownError(f"configuration revision {revision} is not kept")
        ruleset = load_texts(row.texts, Path(row.path)).ruleset
        with self._lock:
            self._rulesets[revision] = ruleset
        return ruleset
