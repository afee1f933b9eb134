"""The filing side of the spool's segments: what waits in them, in order of arrival. Judges nothing."""

import os
import threading
from collections.abc import Collection, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from heapq import merge, nsmallest
from itertools import groupby, islice
from pathlib import Path

from archive.entry import Entry
from archive.errors import EntryUnreadableError
from archive.files import SHORT_OF_MEANS
from archive.reading import Found, Reading
from archive.register import State
from archive.segment import SUFFIX

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Taking:
    """The sealed entries of all segments below a folder. Safe for several threads.

    What another process files is noticed late: only the process that files has true counts at any time.
    """

    def __init__(self, folder: Path) -> None:
        """`folder` holds the folders of all writing processes."""
        self._folder = folder
        self._guard = threading.Lock()
        self._readings: dict[str, Reading] = {}
        self._given: dict[str, Found] = {}

    def __contains__(self, arrival: str) -> bool:
        """Whether it is among those that `waiting` gave last and that still wait."""
        return arrival in self._given

    def waiting(self, limit: int) -> list[str]:
        """The arrivals that wait to be filed, oldest first, at most `limit`."""
        with self._guard:
            self._look()
            given = list(islice(self._oldest(limit), limit))
            if 0 < len(given) < limit:  # what was sealed before the last of them, in a segment already looked at
                self._look()
                given = [found for found in islice(self._oldest(limit), limit) if found.arrival <= given[-1].arrival]
            self._given = {found.arrival: found for found in given}
            return list(self._given)

    def newest(self) -> str:
        """The newest arrival seen when `waiting` looked last, "" if there was none; it may be filed by now."""
        with self._guard:
            return max((reading.newest for reading in self._readings.values()), default="")

    def content_bytes(self, arrival: str) -> int:
        """The length of the data set of one that `waiting` gave last; 0 for any other."""
        found = self._given.get(arrival)
        return found.entry.size if found else 0

    def read(self, arrival: str) -> Entry | None:
        """The entry of this arrival with its data set, None if none waits; EntryUnreadableError."""
        with self._guard:
            found = self._find(arrival)
        if found is None:
            return None
        _, reading, registered = found
        try:
            entry, content = reading.read(registered)
        except OSError as error:
            if error.errno in SHORT_OF_MEANS:
                raise
            raise EntryUnreadableError(f"it cannot be read: {error.strerror}", arrival) from error
        digest = sha256(content).hexdigest()
        return Entry(
            arrival, reading.path, entry.identity, entry.origin, digest, entry.data_set_offset, entry.size, content
        )

    def remove(self, arrivals: Collection[str]) -> None:
        """They are filed; those that do not wait here are passed over. Not synchronised."""
        with self._guard:
            found = [each for each in map(self._find, arrivals) if each is not None]
            for reading, some in groupby(found, lambda each: each.reading):
                reading.settle([each.entry for each in some], State.FILED)
            for each in found:
                self._given.pop(each.arrival, None)

    def set_aside(self, arrival: str) -> bool:
        """It cannot be read; False if it does not wait here. Its segment stays as it is."""
        with self._guard:
            found = self._find(arrival)
            if found is not None:
                found.reading.settle([found.entry], State.SET_ASIDE)
                self._given.pop(arrival, None)
        return found is not None

    def readmit(self) -> int:
        """Let what was set aside and can be read again wait once more; gives how many."""
        taken = 0
        with self._guard:
            self._look()
            for reading in self._readings.values():
                with suppress(OSError):
                    taken += reading.readmit()
        return taken

    def count(self) -> tuple[int, int]:
        """How many wait, and how many cannot be read."""
        with self._guard:
            self._look()
            readings = self._readings.values()
            return sum(each.waiting for each in readings), sum(each.unreadable for each in readings)

    def oldest(self) -> datetime | None:
        """When the first of those that wait was received (aware UTC); None if nothing waits."""
        with self._guard:
            found = next(self._oldest(1), None)
        return _EPOCH + timedelta(microseconds=found.entry.received_at) if found else None

    def _oldest(self, limit: int) -> Iterator[Found]:
        """What waits, in order of arrival, at least the first `limit`; no more than so many files are opened."""
        readings = [reading for reading in self._readings.values() if reading.waiting]
        if len(readings) > limit:
            readings = nsmallest(limit, readings, key=Reading.first_arrival)
        return merge(*(reading.sealed() for reading in readings), key=_arrival)

    def _find(self, arrival: str) -> Found | None:
        if arrival not in self._given:
            self._look()
            for reading in self._readings.values():
                self._given.update((found.arrival, found) for found in reading.sealed() if found.arrival == arrival)
        return self._given.get(arrival)

    def _look(self) -> None:
        paths = set(_segments(self._folder))
        for path in self._readings.keys() - paths:
            del self._readings[path]
        for path in paths - self._readings.keys():
            self._readings[path] = Reading(Path(path))
        for reading in self._readings.values():
            reading.look()


def _segments(folder: Path) -> Iterator[str]:
    with os.scandir(folder) as writers:
        for writer in writers:
            with suppress(NotADirectoryError), os.scandir(writer) as files:
                yield from (file.path for file in files if file.name.endswith(SUFFIX))


def _arrival(found: Found) -> str:
    return found.arrival
