"""The filing side of the spool's segments: what waits in them, in order of arrival. Writes only how far an entry is."""

import threading
import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from heapq import merge
from io import FileIO
from itertools import islice
from pathlib import Path

from archive.entry import Entry
from archive.errors import EntryUnreadableError
from archive.files import SHORT_OF_MEANS, read_at, write_at
from archive.segment import SUFFIX, SegmentEntry, State, entries, generation_at, state_mark


@dataclass(slots=True)
class _Reading:
    """How far one segment has been looked through: all that waits in it lies between `start` and `end`."""

    path: Path
    file: FileIO
    generation: bytes = b""
    start: int = 0
    end: int = 0
    waiting: int = 0
    set_aside: int = 0
    is_failing: bool = False  # the disk does not give back what stands between its entries

    def look(self) -> None:
        """Take in what was sealed since."""
        try:
            self._look()
            self.is_failing = False
        except OSError:
            self.is_failing = True

    def _look(self) -> None:
        if not self.waiting and not self.set_aside:
            generation = generation_at(self.file, 0)
            if generation != self.generation:
                self.generation, self.start, self.end = generation, 0, 0
        for entry in entries(self.file, self.end, self.generation):
            if entry.state is State.WRITTEN:
                break
            self.end = entry.end
            self.waiting += entry.state is State.SEALED
            self.set_aside += entry.state is State.SET_ASIDE

    def sealed(self) -> Iterator[tuple[str, "_Reading", SegmentEntry]]:
        """What waits, in order."""
        left = self.waiting
        try:
            for entry in entries(self.file, self.start, self.generation) if left else ():
                if entry.state is State.SEALED:
                    yield entry.arrival, self, entry
                    left -= 1
                    if not left:
                        return
                elif entry.offset == self.start:
                    self.start = entry.end
        except OSError:
            self.is_failing = True

    def settle(self, entry: SegmentEntry, state: State) -> None:
        """Bring one that waits into `state`. Raises OSError."""
        self._mark(entry, state)
        self.waiting -= 1
        self.set_aside += state is State.SET_ASIDE

    def readmit(self) -> int:
        """Let what was set aside and can be read again wait once more; gives how many. Raises OSError."""
        taken = 0
        for entry in entries(self.file, 0, self.generation) if self.set_aside else ():
            if entry.state is State.SET_ASIDE and zlib.crc32(_content(self.file, entry)) == entry.check:
                self._mark(entry, State.SEALED)
                taken += 1
        self.waiting += taken
        self.set_aside -= taken
        self.start = 0 if taken else self.start
        return taken

    def _mark(self, entry: SegmentEntry, state: State) -> None:
        at, mark = state_mark(entry.offset, state)
        write_at(self.file, mark, at)


class Taking:
    """The sealed entries of all segments below a folder. Safe for several threads."""

    def __init__(self, folder: Path) -> None:
        """`folder` holds the folders of all writing processes."""
        self._folder = folder
        self._guard = threading.Lock()
        self._readings: dict[Path, _Reading] = {}
        self._given: dict[str, tuple[_Reading, SegmentEntry]] = {}

    def waiting(self, limit: int) -> list[str]:
        """The arrivals that wait to be filed, oldest first, at most `limit`."""
        with self._guard:
            self._look()
            found = merge(*(reading.sealed() for reading in self._readings.values()), key=_arrival)
            self._given = {arrival: (reading, entry) for arrival, reading, entry in islice(found, limit)}
            return list(self._given)

    def read(self, arrival: str) -> Entry | None:
        """The entry of this arrival with its data set, None if none waits; EntryUnreadableError."""
        with self._guard:
            found = self._find(arrival)
            if found is None:
                return None
            reading, entry = found
            try:
                content = _content(reading.file, entry)
            except OSError as error:
                if error.errno in SHORT_OF_MEANS:
                    raise
                raise EntryUnreadableError(f"it cannot be read: {error.strerror}", arrival) from error
        if len(content) != entry.size or zlib.crc32(content) != entry.check:
            raise EntryUnreadableError("it is not what was received", arrival)
        digest = sha256(content).hexdigest()
        return Entry(
            arrival, reading.path, entry.identity, entry.origin, digest, entry.data_set_offset, entry.size, content
        )

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
        """How many wait, and how many are set aside."""
        with self._guard:
            self._look()
            readings = self._readings.values()
            return sum(each.waiting for each in readings), sum(each.set_aside + each.is_failing for each in readings)

    def oldest(self) -> datetime | None:
        """When the first of those that wait was received (aware UTC); None if nothing waits."""
        with self._guard:
            found = merge(*(reading.sealed() for reading in self._readings.values()), key=_arrival)
            first = next(found, None)
        return first[2].origin.received_at if first else None

    def close(self) -> None:
        """Let go of the files."""
        with self._guard:
            for reading in self._readings.values():
                reading.file.close()
            self._readings.clear()
            self._given.clear()

    def _settle(self, arrival: str, state: State) -> bool:
        with self._guard:
            found = self._find(arrival)
            if found is not None:
                reading, entry = found
                reading.settle(entry, state)
                self._given.pop(arrival, None)
        return found is not None

    def _find(self, arrival: str) -> tuple[_Reading, SegmentEntry] | None:
        if arrival not in self._given:
            self._look()
            for reading in self._readings.values():
                for found, _, entry in reading.sealed():
                    if found == arrival:
                        self._given[arrival] = (reading, entry)
        return self._given.get(arrival)

    def _look(self) -> None:
        paths = set(self._folder.glob(f"*/*{SUFFIX}"))
        for path in self._readings.keys() - paths:
            self._readings.pop(path).file.close()
        for path in paths - self._readings.keys():
            with suppress(FileNotFoundError):  # removed just now, since all in it is filed
                self._readings[path] = _Reading(path, FileIO(path, "r+"))
        for reading in self._readings.values():
            reading.look()


def _arrival(found: tuple[str, _Reading, SegmentEntry]) -> str:
    return found[0]


def _content(file: FileIO, entry: SegmentEntry) -> bytes:
    return read_at(file, entry.size, entry.data_set_offset)
