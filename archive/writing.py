"""One segment of the spool as its writing process sees it. Chooses none, and shares none between threads."""

import errno
import os
from contextlib import suppress
from io import FileIO
from pathlib import Path

from xxhash import xxh3_64_intdigest

from archive.files import read_at, sync_file, write_at
from archive.segment import (
    GENERATION_BYTES,
    HEAD_BYTES,
    Damage,
    SegmentEntry,
    State,
    beginning,
    encode,
    entries,
    entry_at,
    state_mark,
)


class Segment:
    """One segment, used by one thread at a time; `end` is where the next entry starts."""

    def __init__(self, path: Path, file: FileIO | None = None) -> None:
        """`file` is given where it is open already."""
        self.path = path
        self.generation = os.urandom(GENERATION_BYTES)
        self.end = 0
        self.is_failing = False  # the disk did not take what was written: never to be written again
        self._file = file
        self._filed = 0  # all up to here is needed no more

    @property
    def file(self) -> FileIO:
        """The file, opened if need be. Raises OSError."""
        if self._file is None:
            self._file = FileIO(self.path, "r+")
        return self._file

    def put_down(self) -> None:
        """Close the file until it is needed again: a long backlog has more segments than a process may have files."""
        if self._file is not None:
            with suppress(OSError):
                self._file.close()
            self._file = None

    def seal(self, entry: SegmentEntry) -> None:
        """The head of what was written behind `end`; all of it is on the disk when this returns. Raises OSError."""
        write_at(self.file, encode(entry), entry.offset)
        sync_file(self.file)
        if not os.fstat(self.file.fileno()).st_nlink:
            raise OSError(errno.ENOENT, "somebody deleted the segment")
        self._mark(entry.offset, State.SEALED)
        self.end = entry.end

    def discard(self) -> None:
        """Forget what stands at `end`. Raises OSError."""
        write_at(self.file, bytes(HEAD_BYTES), self.end)

    def needed(self) -> State | None:
        """The state of the first entry that is not filed, None if all are; SET_ASIDE also where it cannot be read."""
        while self._filed < self.end:
            try:
                entry = entry_at(self.file, self._filed)
            except OSError:
                entry = None
            if entry is None:
                return State.SET_ASIDE
            if entry.state is not State.FILED:
                return entry.state
            self._filed = entry.end
        return None

    def renew(self) -> None:
        """Begin again at the start; that all was filed is on the disk before. Raises OSError."""
        sync_file(self.file)
        self.generation = os.urandom(GENERATION_BYTES)
        self.end = self._filed = 0

    def recover(self) -> str:
        """Take over what another process left, the last entry also if it was not marked yet; the newest arrival.

        Nothing can be added to it before it is renewed. Raises OSError.
        """
        generation, self.end, is_damaged = beginning(self.file)
        self._filed = 0 if is_damaged else self.end  # so that what is damaged is never written over
        newest = ""
        for entry in entries(self.file, self.end, generation) if generation else ():
            if isinstance(entry, Damage):
                self.end = entry.end or entry.offset + 1
                continue
            if entry.state is State.WRITTEN and not self._adopt(entry):
                break
            self.end, newest = entry.end, entry.arrival
        self.end = max(self.end, int(is_damaged))
        return newest

    def _adopt(self, entry: SegmentEntry) -> bool:
        """Whether an entry whose mark did not reach the disk is whole; else it was never acknowledged."""
        try:
            content = read_at(self.file, entry.size, entry.data_set_offset)
        except OSError:
            self._mark(entry.offset, State.SET_ASIDE)  # perhaps it was
            return True
        if len(content) != entry.size or xxh3_64_intdigest(content) != entry.check:
            self.discard()
            return False
        sync_file(self.file)
        self._mark(entry.offset, State.SEALED)
        return True

    def _mark(self, offset: int, state: State) -> None:
        at, mark = state_mark(offset, state)
        write_at(self.file, mark, at)
