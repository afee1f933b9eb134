"""Destinations whose name leads elsewhere by now than when pending deliveries were decided. It stops none of them.

A delivery keeps the rules that decided it, and goes to the address that its destination has on the day it is sent.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

import structlog

from archive import Database
from router.config import Configuration, ConfigurationError, place_of
from router.delivery import pending_by_revision
from router.journal import Event, Journal
from router.revisions import Revisions, RevisionUnknownError

REPOINTED = "destination repointed"  # an event of the journal, one a destination, former place and revision
_EVER = datetime(1970, 1, 1, tzinfo=UTC)

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Repointed:
    """So many pending `deliveries` were decided for another place than they go to."""

    destination: str
    decided_for: str
    goes_to: str
    deliveries: int

    def __str__(self) -> str:
        """In words, with what to do."""
        return (
            f"{self.deliveries} deliveries to {self.destination!r} were decided for {self.decided_for}, and go to "
            f"{self.goes_to}; if they must not, cancel them: micropacs queue cancel --destination {self.destination}"
        )


def repointed(database: Database, revisions: Revisions, configuration: Configuration) -> list[Repointed]:
    """What is pending and would go elsewhere by this configuration, by destination. SQLAlchemyError.

    What was decided by a configuration that cannot be read any more is passed over: it is held when its turn comes.
    """
    then: dict[str, Configuration | None] = {configuration.revision: None}
    found: Counter[tuple[str, str, str]] = Counter()
    named = configuration.settings.destinations
    for name, revision, count in pending_by_revision(database):
        if revision not in then:
            then[revision] = _kept(revisions, revision)
        before = then[revision]
        if before is None or name not in named or name not in before.settings.destinations:
            continue
        places = [place_of(each.settings.destinations[name], each.folder) for each in (before, configuration)]
        if places[0] != places[1]:
            found[name, places[0], places[1]] += count
    return [Repointed(*places, count) for places, count in sorted(found.items())]


def tell_repointed(database: Database, revisions: Revisions, journal: Journal, configuration: Configuration) -> None:
    """Warn of them in the log, and once in the journal. SQLAlchemyError."""
    found = repointed(database, revisions, configuration)
    for each in found:
        log.warning(str(each))
    if not found:
        return
    told = [
        {name: event.detail.get(name) for name in ("destination", "decided_for", "goes_to")}
        for event in journal.written(REPOINTED, _EVER)
        if event.revision == configuration.revision
    ]
    events = [_event(each, configuration.revision) for each in found if not _is_told(each, told)]
    with database.begin() as connection:
        journal.write(connection, events)


def _kept(revisions: Revisions, revision: str) -> Configuration | None:
    try:
        return revisions.configuration(revision)
    except (RevisionUnknownError, ConfigurationError):
        return None


def _is_told(found: Repointed, told: Sequence[dict[str, object]]) -> bool:
    plain = asdict(found)
    return any(all(plain[name] == value for name, value in each.items()) for each in told)


def _event(found: Repointed, revision: str) -> Event:
    return Event(REPOINTED, destination=found.destination, revision=revision, detail=asdict(found))
