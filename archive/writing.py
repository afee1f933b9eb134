"""One segment of the spool as its writing process sees it: which entries are in it. Chooses none, and writes none."""

import errno
import os
from contextlib import suppress
from datetime import datetime
from functools import cached_property
from pathlib import Path

from xxhash import xxh3_64_intdigest

from archive import register
from archive.files import create, read_at, reopen, sync_file, write_at
from archive.rawfile import RawFile
from archive.register import Registered, State, register_of
from archive.segment import BLOCK_BYTES, GENERATION_BYTES, HEAD_BYTES, SegmentEntry, heads

_CHUNK_BYTES = 128 << 10  # of a data set that are gathered before they are written


class Segment:
    """One segment, used by one thread at a time; `end` is where the next entry starts."""

    def __init__(self, path: Path, *, is_new: bool = False) -> None:
        """A new one is made, and its name not synchronised. Raises OSError."""
        self.path = path
        self.generation = os.urandom(GENERATION_BYTES)
        self.end = 0
        self.is_failing = False  # the disk did not take all that was written: never to be written again
        self._lost: list[int] = []  # blocks that could not be read when it was recovered: they may hold entries
        self._count = 0  # entries in the register
        self._filed = 0  # all before this one are needed no more
        if is_new:
            self.file = create(path)
            self.register = create(register_of(path))
            register.begin(self.register, self.generation)

    def put_down(self) -> None:
        """Close its files until they are needed: a long backlog has more segments than a process may have files."""
        for name in ("file", "register"):
            if name in self.__dict__:
                with suppress(OSError):
                    self.__dict__.pop(name).close()
        self.__dict__.pop("buffer", None)

    def add(self, arrival: str, received_at: datetime, size: int, length: int) -> None:
        """Register the entry at `end`, `length` bytes long, which is on the disk, data set and all. Raises OSError."""
        received = int(received_at.timestamp() * 1_000_000)
        register.add(self.register, self.generation, (self._count, arrival, received, self.end, size, State.SEALED))
        self._count += 1
        self.end += length

    def discard(self) -> None:
        """Forget what stands at `end`. Raises OSError."""
        write_at(self.file, bytes(BLOCK_BYTES), self.end)

    def needed(self) -> State | None:
        """The state of the first entry that is not filed, None if all are; SET_ASIDE also where that is not known."""
        if self._filed < self._count:
            try:
                for entry in register.records(self.register, self.generation, self._filed):
                    if entry.number != self._filed:
                        return State.SET_ASIDE
                    if entry.state is not State.FILED:
                        return entry.state
                    self._filed += 1
            except OSError:
                return State.SET_ASIDE
        return None if self._filed >= self._count and not self._lost else State.SET_ASIDE

    def renew(self) -> None:
        """Begin again at the start, with a new generation, which is on the disk before. Raises OSError."""
        generation = os.urandom(GENERATION_BYTES)
        register.begin(self.register, generation)
        self.generation = generation
        self.end = self._filed = self._count = 0

    def recover(self) -> str:
        """Take over what another process left, also what it had not registered yet; the newest arrival, "" for none.

        Nothing can be added to it before it is renewed, and it is not where blocks could not be read. Raises OSError.
        """
        registered = self._read_register()
        ends = {entry.offset: entry.end for entry in registered}
        missing = sorted(set(range(self._count)) - {entry.number for entry in registered})
        newest = max((entry.arrival for entry in registered), default="")
        for entry in heads(self.file, 0 if missing else self.end, self.generation, self._lost):
            before = max((end for offset, end in ends.items() if offset <= entry.offset), default=0)
            if entry.offset < before:
                continue  # registered, or within a data set
            state = self._left(entry)
            if state is not None:
                if entry.offset > before and not missing:
                    self._add(_unrecognised(self._count, before, entry.offset))
                self._add(_registered(entry, missing.pop(0) if missing else self._count, state))
                ends[entry.offset] = entry.end
                newest = max(newest, entry.arrival)
        return newest

    @cached_property
    def file(self) -> RawFile:
        """The segment, opened if need be. Raises OSError."""
        return reopen(self.path)

    @cached_property
    def register(self) -> RawFile:
        """The register, opened if need be. Raises OSError."""
        return reopen(register_of(self.path))

    @cached_property
    def buffer(self) -> memoryview:
        """Where an entry is gathered: its first block, and one chunk."""
        return memoryview(bytearray(BLOCK_BYTES + _CHUNK_BYTES))

    def _read_register(self) -> list[Registered]:
        """What is registered; where nothing is to be recognised, the register is begun anew from the first head."""
        try:
            generation = register.generation_of(self.register)
        except FileNotFoundError:
            self.register, generation = create(register_of(self.path)), b""
        if not generation:
            first = next(heads(self.file, 0, None, self._lost), None)
            if self._lost and first is None:
                raise OSError(errno.EIO, "the segment cannot be read")
            self.generation = first.generation if first else self.generation
            register.begin(self.register, self.generation)
            return []
        self.generation = generation
        found = list(register.records(self.register, generation, 0))
        self._count = max((entry.number + 1 for entry in found), default=0)
        self.end = max((entry.end for entry in found), default=0)
        return found

    def _left(self, entry: SegmentEntry) -> State | None:
        """How far an entry that is not registered has come; None if it was never acknowledged."""
        try:
            data_set = read_at(self.file, entry.size, entry.data_set_offset)
        except OSError:
            return State.SET_ASIDE  # perhaps it was
        if len(data_set) < entry.size or xxh3_64_intdigest(data_set) != entry.check:
            return None
        sync_file(self.file)
        return State.SEALED

    def _add(self, entry: Registered) -> None:
        register.add(self.register, self.generation, entry)
        self._count = max(self._count, entry.number + 1)
        self.end = max(self.end, entry.end)


def _registered(entry: SegmentEntry, number: int, state: State) -> Registered:
    received_at = int(entry.origin.received_at.timestamp() * 1_000_000)
    return Registered(number, entry.arrival, received_at, entry.offset, entry.size, state)


def _unrecognised(number: int, offset: int, end: int) -> Registered:
    """What must have been there, since entries leave no gaps: kept for a person."""
    return Registered(number, "", 0, offset, end - offset - HEAD_BYTES, State.SET_ASIDE)
