"""Folds the ledger of security events into the journal, one row an event however often it was noted."""

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import structlog

from archive import Database
from router.journal import Event, Journal
from router.security.event import ANYBODY, EVENT_SECONDS, SecurityEvent
from router.security.ledger import LEDGER_NAME

KIND = "security"
MOST_ADDRESSES = 1000  # told apart within the time of one event

log = structlog.get_logger(__name__)


class Folding:
    """Takes up the ledger in `folder` again and again."""

    def __init__(self, folder: Path, database: Database, journal: Journal, now: Callable[[], datetime]) -> None:
        self._ledger = folder / LEDGER_NAME
        self._taken = folder / "taken.log"
        self._database = database
        self._journal = journal
        self._now = now

    def fold(self) -> int:
        """Journal what was taken up the last time, if anything was, else take up what there is; how many lines it was.

        A file is read only some time after it got its other name: whoever had it open has written by then.
        """
        try:
            lines = self._taken.read_bytes().splitlines()
        except FileNotFoundError:
            self._take()
            return 0
        self._journalise([event for line in lines if (event := _decode(line))])
        self._taken.unlink()
        return len(lines)

    def _take(self) -> None:
        with suppress(FileNotFoundError, PermissionError):  # nothing there, or on Windows somebody is writing just now
            self._ledger.rename(self._taken)

    def _journalise(self, events: list[SecurityEvent]) -> None:
        going_on = {event.key: (row, event) for row, event in recent(self._journal, self._now())}
        with self._database.begin() as connection:
            for event in _merged(events, set(going_on)):
                row, before = going_on.get(event.key, (0, event))
                if row and before.continued_by(event):
                    self._journal.amend(connection, row, before.plus(event).detail())
                else:
                    self._journal.write(connection, [Event(KIND, detail=event.detail())])


def recent(journal: Journal, now: datetime, seconds: float = EVENT_SECONDS) -> list[tuple[int, SecurityEvent]]:
    """The events that began within so many seconds, the oldest first, with their rows in the journal."""
    return [(row, SecurityEvent.of(detail)) for row, detail in journal.of_kind(KIND, now - timedelta(seconds=seconds))]


def _merged(events: list[SecurityEvent], known: set[tuple[str, str]]) -> list[SecurityEvent]:
    """Each event once; where there are too many addresses, those beyond are not told apart."""
    merged: dict[tuple[str, str], SecurityEvent] = {}
    for event in events:
        is_one_too_many = event.key not in merged and len(known | merged.keys()) >= MOST_ADDRESSES
        named = replace(event, host=ANYBODY) if is_one_too_many and event.key not in known else event
        before = merged.get(named.key)
        merged[named.key] = before.plus(named) if before else named
    return list(merged.values())


def _decode(line: bytes) -> SecurityEvent | None:
    """None for a line that was not written to its end."""
    try:
        return SecurityEvent.of(json.loads(line))
    except (ValueError, TypeError, KeyError):
        log.warning("security ledger: a line is not whole")
        return None
