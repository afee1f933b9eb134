"""How far one segment of the spool has been looked through by the filing process. Writes only how far an entry is.

Keeps no file open, because a long backlog has more segments than a process may have files.
"""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from io import FileIO
from typing import NamedTuple

from xxhash import xxh3_64_intdigest

from archive.files import SHORT_OF_MEANS, read_at, write_at
from archive.segment import Damage, SegmentEntry, State, beginning, entries, generation_at, has_room, state_mark

_LAST = "~"  # behind every arrival


class Found(NamedTuple):
    """An entry that waits, and where."""

    arrival: str
    reading: "Reading"
    entry: SegmentEntry


@dataclass(slots=True)
class Reading:
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

    def sealed(self) -> Iterator[Found]:
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
                        yield Found(entry.arrival, self, entry)
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
                    if is_whole(self.read(entry), entry):
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


def is_whole(content: bytes, entry: SegmentEntry) -> bool:
    """Whether this is the data set that the entry came with."""
    return len(content) == entry.size and xxh3_64_intdigest(content) == entry.check
