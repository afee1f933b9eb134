"""One segment of the spool as its writing process sees it. Chooses none, and shares none between threads."""

import errno
import os
from contextlib import suppress
from functools import cached_property
from pathlib import Path

from xxhash import xxh3_64, xxh3_64_intdigest

from archive import register
from archive.files import (
    create,
    is_in_place,
    read_at,
    reopen,
    start_to_sync,
    sync_file,
    write_at,
    write_durably,
    write_parts_at,
)
from archive.origin import Identity, Origin
from archive.rawfile import RawFile
from archive.register import Registered, State, register_of
from archive.segment import (
    BLOCK_BYTES,
    GENERATION_BYTES,
    HEAD_BYTES,
    SegmentEntry,
    about,
    encode,
    heads,
    whole_blocks,
)

_CHUNK_BYTES = 128 << 10  # of a data set that are gathered before they are written
_AHEAD_BYTES = 256 << 10  # that are written before the disk is told to begin with them
_NO_BUFFER = memoryview(b"")


class Segment:
    """One segment, used by one thread at a time; `end` is where the next entry starts.

    An entry is gathered in memory: first block and one chunk. A longer one leaves as it comes, in whole blocks, so that
    the disk is busy with it before its end is there; its first block, with the head, is the last that is written.
    """

    instance: tuple[Identity, Origin]  # of the entry that is being written, and what its head will say of it
    _about: str

    def __init__(self, path: Path, *, is_new: bool = False) -> None:
        """A new one is made, and its name not synchronised. Raises OSError."""
        self.path = path
        self.generation = os.urandom(GENERATION_BYTES)
        self.end = 0
        self.size = 0  # bytes so far of the data set that is being written
        self.is_failing = False  # the disk did not take all that was written: never to be written again
        self._lost: list[int] = []  # blocks that could not be read when it was recovered: they may hold entries
        self._count = 0  # entries in the register
        self._filed = 0  # all before this one are needed no more
        self._buffer = _NO_BUFFER  # the first block, and what of the rest is not written yet
        self._gathered = HEAD_BYTES  # bytes in the buffer
        self._written = 0  # bytes of the entry that have left the buffer, without its first block
        self._begun = 0  # of these, those that the disk was told to begin with
        self._check = xxh3_64()
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
        self._buffer = _NO_BUFFER

    def begin(self, identity: Identity, origin: Origin) -> None:
        """What is written from now on is the data set of a new entry, of this instance."""
        self.instance = identity, origin
        self._about = about(identity, origin)  # now, while the sender is busy: nobody waits for it
        self.size = self._written = self._begun = 0
        self._gathered = HEAD_BYTES
        self._check = xxh3_64()
        self._buffer = self._buffer or memoryview(bytearray(BLOCK_BYTES + _CHUNK_BYTES))

    def write(self, fragment: bytes | bytearray | memoryview) -> None:
        """The next bytes of the data set. Raises OSError."""
        self._check.update(fragment)
        size = len(fragment)
        self.size += size
        gathered = self._gathered + size
        if gathered < len(self._buffer):
            self._buffer[self._gathered : gathered] = fragment
            self._gathered = gathered
        else:
            self._write_blocks(memoryview(fragment))

    def seal(self, arrival: str) -> None:
        """End the entry; all of it is on the disk when this returns. Raises OSError."""
        self.is_failing = True  # until all of it is there
        file, buffer, offset, stop = self.file, self._buffer, self.end, whole_blocks(self._gathered)
        buffer[self._gathered : stop] = bytes(stop - self._gathered)
        buffer[:HEAD_BYTES] = encode(self.generation, arrival, self._about, self.size, self._check.intdigest())
        if self._written:
            write_at(file, buffer[BLOCK_BYTES:stop], offset + BLOCK_BYTES + self._written)
            write_at(file, buffer[:BLOCK_BYTES], offset)
            sync_file(file)
        else:
            write_durably(file, buffer[:stop], offset)
        if not is_in_place(file):
            raise OSError(errno.ENOENT, "the segment is not where it was")
        received_at = int(self.instance[1].received_at.timestamp() * 1_000_000)
        entry = Registered(self._count, arrival, received_at, offset, self.size, State.SEALED)
        register.add(self.register, self.generation, entry)
        self._count += 1
        self.end += self._written + stop
        self.is_failing = False

    def discard(self) -> None:
        """Forget what stands at `end`. Raises OSError."""
        write_at(self.file, bytes(BLOCK_BYTES), self.end)

    def read_back(self) -> bytes:
        """What was written of the data set so far. Raises OSError, also where it is not what was written."""
        buffer = self._buffer
        first, last = buffer[HEAD_BYTES : min(BLOCK_BYTES, self._gathered)], buffer[BLOCK_BYTES : self._gathered]
        content = bytes(first) + read_at(self.file, self._written, self.end + BLOCK_BYTES) + last
        if xxh3_64_intdigest(content) != self._check.intdigest():
            raise OSError(errno.EIO, "what was received is not there any more")
        return content

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

    def _write_blocks(self, fragment: memoryview) -> None:
        """Write what was gathered and the fragment, in whole blocks; what is left of it is gathered."""
        self.is_failing = True  # until it is there
        buffer = self._buffer
        first, held = fragment[: max(0, BLOCK_BYTES - self._gathered)], buffer[BLOCK_BYTES : self._gathered]
        buffer[self._gathered : self._gathered + len(first)] = first
        rest = fragment[len(first) :]
        size = (len(held) + len(rest)) // BLOCK_BYTES * BLOCK_BYTES
        place, count = self.end + BLOCK_BYTES + self._written, size - len(held)
        write_parts_at(self.file, (held, rest[:count]), place)
        self._written += size
        if self._written - self._begun >= _AHEAD_BYTES:
            start_to_sync(self.file, self.end + BLOCK_BYTES + self._begun, self._written - self._begun)
            self._begun = self._written
        self._gathered = BLOCK_BYTES + len(rest) - count
        buffer[BLOCK_BYTES : self._gathered] = rest[count:]
        self.is_failing = False

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
