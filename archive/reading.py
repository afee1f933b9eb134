"""How far one segment of the spool has been looked through by the filing process. Writes only how far an entry is.

Keeps no file open, because a long backlog has more segments than a process may have files.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from xxhash import xxh3_64_intdigest

from archive import register
from archive.errors import EntryUnreadableError
from archive.files import SHORT_OF_MEANS, read_at, reopen
from archive.rawfile import RawFile
from archive.register import Registered, State, register_of
from archive.segment import HEAD_BYTES, SegmentEntry, decode

_LAST = "~"  # behind every arrival


class Found(NamedTuple):
    """An entry that waits, and where."""

    arrival: str
    reading: "Reading"
    entry: Registered


@dataclass(slots=True, eq=False)
class Reading:
    """How far one segment has been looked through: all that waits in it has numbers from `start` up to `count`."""

    path: Path
    generation: bytes = b""
    start: int = 0
    count: int = 0
    waiting: int = 0
    set_aside: int = 0
    missing: int = 0  # entries whose record cannot be read
    is_failing: bool = False  # the disk does not give back the register
    first: str = ""  # the first arrival that waits, "" if it has to be looked for
    newest: str = ""  # the last arrival that was looked at, whether it waits or not

    @property
    def unreadable(self) -> int:
        """How many entries cannot be read, as far as is known."""
        return self.set_aside + self.missing + self.is_failing

    def look(self) -> None:
        """Take in what was sealed since."""
        try:
            with self._register() as file:
                generation = register.generation_of(file)
                self.is_failing = not generation and os.lseek(file.fileno(), 0, os.SEEK_END) > 0
                if not generation:
                    return
                if generation != self.generation:
                    self._begin(generation)
                found = list(register.records(file, generation, self.count))
                if found and found[-1].number - self.count >= len(found):  # one was being written when it was read, or
                    found = list(register.records(file, generation, self.count))  # has rotted
                for entry in found:
                    self.missing += entry.number - self.count
                    self.waiting += entry.state is State.SEALED
                    self.set_aside += entry.state is State.SET_ASIDE
                    self.count = entry.number + 1
                    self.newest = entry.arrival
        except OSError as error:
            self._failed(error)

    def sealed(self) -> Iterator[Found]:
        """What waits, in order."""
        left = self.waiting
        if not left:
            return
        try:
            with self._register() as file:
                for entry in register.records(file, self.generation, self.start):
                    if entry.number >= self.count:
                        break
                    if entry.state is State.SEALED:
                        yield Found(entry.arrival, self, entry)
                        left -= 1
                        if not left:
                            return
                    elif entry.number == self.start:
                        self.start += 1
            self._begin(b"")  # not all that was counted is there: count again
        except OSError as error:
            self._failed(error)

    def first_arrival(self) -> str:
        """The first arrival that waits, something behind all arrivals if it cannot be read."""
        if not self.first:
            found = next(self.sealed(), None)
            self.first = found.arrival if found else ""
        return self.first or _LAST

    def read(self, entry: Registered) -> tuple[SegmentEntry, bytes]:
        """The head and the data set of an entry; EntryUnreadableError where they are not what was received, OSError."""
        with RawFile(self.path) as file:
            head = decode(read_at(file, HEAD_BYTES, entry.offset), entry.offset)
            content = read_at(file, entry.size, entry.offset + HEAD_BYTES)
        if (
            head is None
            or (head.generation, head.arrival, head.size) != (self.generation, entry.arrival, len(content))
            or xxh3_64_intdigest(content) != head.check
        ):
            raise EntryUnreadableError("it is not what was received", entry.arrival)
        return head, content

    def settle(self, entries: Sequence[Registered], state: State) -> None:
        """Bring some that wait into `state`. Raises OSError."""
        self._mark(entries, state)
        self.waiting -= len(entries)
        self.set_aside += len(entries) if state is State.SET_ASIDE else 0
        if self.first in {entry.arrival for entry in entries}:
            self.first = ""

    def readmit(self) -> int:
        """Let what was set aside and can be read again wait once more; gives how many. Raises OSError."""
        if not self.set_aside:
            return 0
        with self._register() as file:
            found = [
                each
                for each in register.records(file, self.generation, 0)
                if each.state is State.SET_ASIDE and each.arrival
            ]
        taken = 0
        for entry in found:
            with suppress(OSError, EntryUnreadableError):
                self.read(entry)
                self._mark([entry], State.SEALED)
                taken += 1
        self.waiting += taken
        self.set_aside -= taken
        self.start, self.first = 0, ""
        return taken

    def _begin(self, generation: bytes) -> None:
        """Count from the start."""
        self.generation = generation
        self.start = self.count = self.waiting = self.set_aside = self.missing = 0
        self.first = self.newest = ""

    def _mark(self, entries: Sequence[Registered], state: State) -> None:
        with reopen(register_of(self.path)) as file:
            for entry in entries:
                register.mark(file, entry.number, state)

    def _register(self) -> RawFile:
        return RawFile(register_of(self.path))

    def _failed(self, error: OSError) -> None:
        if error.errno in SHORT_OF_MEANS:
            raise error
        self.is_failing = not isinstance(error, FileNotFoundError)  # removed just now, since all in it is filed
