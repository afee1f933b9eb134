"""The filing side of the spool's segments: what waits in them, in order of arrival. Writes only how far an entry is.

Keeps no file open, because a long backlog has more segments than a process may have files.
"""

import os
import threading
import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from heapq import merge, nsmallest
from io import FileIO
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from archive.entry import Entry
from archive.errors import EntryUnreadableError
from archive.files import SHORT_OF_MEANS, read_at, write_at
from archive.segment import (
    SUFFIX,
    Damage,
    SegmentEntry,
    State,
    beginning,
    entries,
    generation_at,
    has_room,
    state_mark,
)

_LAST = "~"  # behind every arrival


class _Found(NamedTuple):
    """An entry that waits, and where."""

    arrival: str
    reading: "_Reading"
    entry: SegmentEntry


@dataclass(slots=True)
class _Reading:
    """How far one segment has been looked through: all that waits in it lies between `start` and `end`."""

    path: str
    generation: bytes = b""
    begun_at: int = 0  # more than 0 where the first head cannot be read
    start: int = 0
    end: int = 0
    waiting: int = 0
    set_aside: int = 0
    damaged: int = 0
    is_failing: bool = False  # the disk gives back nothing behind the last entry seen
    first: str = ""  # the first arrival that waits, "" if it has to be looked for

    @property
    def unreadable(self) -> int:
        """How many entries cannot be read, as far as is known."""
        return self.set_aside + self.damaged + self.is_failing

    def look(self) -> None:
        """Take in what was sealed since."""
        if self.waiting and self.generation and not has_room(self.end):
            return
        try:
            with FileIO(self.path) as file:
                self.is_failing = False
                self._begin(file)
                self._go_on(file)
        except OSError as error:
            self._failed(error)

    def sealed(self) -> Iterator[_Found]:
        """What waits, in order."""
        left = self.waiting
        if not left:
            return
        try:
            with FileIO(self.path) as file:
                for entry in entries(file, self.start, self.generation):
                    if entry.end is None or entry.offset >= self.end:
                        break
                    if isinstance(entry, SegmentEntry) and entry.state is State.SEALED:
                        yield _Found(entry.arrival, self, entry)
                        left -= 1
                        if not left:
                            return
                    elif entry.offset == self.start:
                        self.start = entry.end
            self.generation = b""  # not all that was counted is there: count again
        except OSError as error:
            self._failed(error)

    def first_arrival(self) -> str:
        """The first arrival that waits, something behind all arrivals if it cannot be read."""
        if not self.first:
            found = next(self.sealed(), None)
            self.first = found.arrival if found else ""
        return self.first or _LAST

    def read(self, entry: SegmentEntry) -> bytes:
        """The data set of an entry, unchecked. Raises OSError."""
        with FileIO(self.path) as file:
            return read_at(file, entry.size, entry.data_set_offset)

    def settle(self, entry: SegmentEntry, state: State) -> None:
        """Bring one that waits into `state`. Raises OSError."""
        self._mark(entry, state)
        self.waiting -= 1
        self.set_aside += state is State.SET_ASIDE
        if entry.arrival == self.first:
            self.first = ""

    def readmit(self) -> int:
        """Let what was set aside and can be read again wait once more; gives how many. Raises OSError."""
        if not self.set_aside:
            return 0
        with FileIO(self.path) as file:
            found = [each for each in entries(file, self.begun_at, self.generation) if isinstance(each, SegmentEntry)]
        taken = 0
        for entry in found:
            if entry.state is State.SET_ASIDE:
                with suppress(OSError):
                    if _is_whole(self.read(entry), entry):
                        self._mark(entry, State.SEALED)
                        taken += 1
        self.waiting += taken
        self.set_aside -= taken
        self.start, self.first = self.begun_at, ""
        return taken

    def _begin(self, file: FileIO) -> None:
        """Start anew if the segment is written from its start again."""
        try:
            generation = generation_at(file, 0)
        except OSError:
            generation = b""
        if self.begun_at or not self.generation or generation != self.generation:
            self.generation, self.begun_at, is_damaged = beginning(file)
            self.start = self.end = self.begun_at
            self.waiting = self.set_aside = 0
            self.damaged = int(is_damaged)
            self.first = ""

    def _go_on(self, file: FileIO) -> None:
        for entry in entries(file, self.end, self.generation) if self.generation else ():
            if entry.end is None:
                self.is_failing = True
                return
            if isinstance(entry, Damage):
                self.damaged += 1
            elif entry.state is State.WRITTEN:
                return
            else:
                self.waiting += entry.state is State.SEALED
                self.set_aside += entry.state is State.SET_ASIDE
            self.end = entry.end

    def _mark(self, entry: SegmentEntry, state: State) -> None:
        at, mark = state_mark(entry.offset, state)
        with FileIO(self.path, "r+") as file:
            write_at(file, mark, at)

    def _failed(self, error: OSError) -> None:
        if error.errno in SHORT_OF_MEANS:
            raise error
        self.is_failing = not isinstance(error, FileNotFoundError)  # removed just now, since all in it is filed


class Taking:
    """The sealed entries of all segments below a folder. Safe for several threads.

    What another process files is noticed late: only the process that files has true counts at any time.
    """

    def __init__(self, folder: Path) -> None:
        """`folder` holds the folders of all writing processes."""
        self._folder = folder
        self._guard = threading.Lock()
        self._readings: dict[str, _Reading] = {}
        self._given: dict[str, _Found] = {}

    def __contains__(self, arrival: str) -> bool:
        """Whether it is among those that `waiting` gave last and that still wait."""
        return arrival in self._given

    def waiting(self, limit: int) -> list[str]:
        """The arrivals that wait to be filed, oldest first, at most `limit`."""
        with self._guard:
            self._look()
            self._given = {found.arrival: found for found in islice(self._oldest(limit), limit)}
            return list(self._given)

    def read(self, arrival: str) -> Entry | None:
        """The entry of this arrival with its data set, None if none waits; EntryUnreadableError."""
        with self._guard:
            found = self._find(arrival)
        if found is None:
            return None
        _, reading, entry = found
        try:
            content = reading.read(entry)
        except OSError as error:
            if error.errno in SHORT_OF_MEANS:
                raise
            raise EntryUnreadableError(f"it cannot be read: {error.strerror}", arrival) from error
        if not _is_whole(content, entry):
            raise EntryUnreadableError("it is not what was received", arrival)
        path, digest = Path(reading.path), sha256(content).hexdigest()
        return Entry(arrival, path, entry.identity, entry.origin, digest, entry.data_set_offset, entry.size, content)

    def remove(self, arrival: str) -> bool:
        """It is filed; False if it does not wait here. Not synchronised."""
        return self._settle(arrival, State.FILED)

    def set_aside(self, arrival: str) -> bool:
        """It cannot be read; False if it does not wait here. Its segment stays as it is."""
        return self._settle(arrival, State.SET_ASIDE)

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
        return found.entry.origin.received_at if found else None

    def _oldest(self, limit: int) -> Iterator[_Found]:
        """What waits, in order of arrival, at least the first `limit`; no more than so many files are opened."""
        readings = [reading for reading in self._readings.values() if reading.waiting]
        if len(readings) > limit:
            readings = nsmallest(limit, readings, key=_Reading.first_arrival)
        return merge(*(reading.sealed() for reading in readings), key=_arrival)

    def _settle(self, arrival: str, state: State) -> bool:
        with self._guard:
            found = self._find(arrival)
            if found is not None:
                found.reading.settle(found.entry, state)
                self._given.pop(arrival, None)
        return found is not None

    def _find(self, arrival: str) -> _Found | None:
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
            self._readings[path] = _Reading(path)
        for reading in self._readings.values():
            reading.look()


def _segments(folder: Path) -> Iterator[str]:
    with os.scandir(folder) as writers:
        for writer in writers:
            with suppress(NotADirectoryError), os.scandir(writer) as files:
                yield from (file.path for file in files if file.name.endswith(SUFFIX))


def _arrival(found: _Found) -> str:
    return found.arrival


def _is_whole(content: bytes, entry: SegmentEntry) -> bool:
    return len(content) == entry.size and zlib.crc32(content) == entry.check
