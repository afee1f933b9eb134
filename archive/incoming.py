"""One instance on its way in: into a segment of the spool or, if it is large, a file of its own. Reads no header.

An entry of a segment is gathered in memory: first block and one chunk. A longer one leaves as it comes, in whole
blocks, so that the disk is busy with it before its end is there; its first block, with the head, is written last.
"""

import errno
from pathlib import Path
from types import TracebackType
from typing import Self

from xxhash import xxh3_64, xxh3_64_intdigest

from archive.arrivals import ArrivalNames
from archive.errors import SpoolFailedError, SpoolFullError
from archive.files import (
    FULL,
    read_at,
    start_to_sync,
    sync_file,
    write_at,
    write_durably,
    write_parts_at,
)
from archive.largefile import LargeFile
from archive.origin import Identity, Origin
from archive.segment import BLOCK_BYTES, HEAD_BYTES, LARGEST_BYTES, about, encode, whole_blocks
from archive.segments import Segments
from archive.writing import Segment

_AHEAD_BYTES = 256 << 10  # that are written before the disk is told to begin with them
_NO_BUFFER = memoryview(b"")


class Incoming:
    """One instance on its way in, used by one thread. After an error, `discard` or the end of a `with` it is gone."""

    def __init__(
        self, segments: Segments, folders: tuple[Path, Path], names: ArrivalNames, identity: Identity, origin: Origin
    ) -> None:
        """`folders` are those of unfinished and of sealed files of their own. Raises OSError."""
        self.size = 0  # bytes of the data set so far
        self._segments = segments
        self._folders = folders
        self._names = names
        self._instance = identity, origin
        self._about = about(identity, origin)  # now, while the sender is busy: nobody waits for it
        self._check = xxh3_64()  # of the data set, unless it is large
        self._place: Segment | LargeFile | None = segments.take()
        self._buffer = self._place.buffer  # the first block, and what of the rest is not written yet
        self._gathered = HEAD_BYTES  # bytes in it
        self._written = 0  # bytes of the entry that have left it, without the first block
        self._begun = 0  # of these, those that the disk was told to begin with

    def write(self, fragment: bytes | bytearray | memoryview) -> None:
        """The next bytes of the data set, as they came; SpoolFullError or SpoolFailedError."""
        size = len(fragment)
        self.size += size
        gathered = self._gathered + size
        if gathered < len(self._buffer) and self.size <= LARGEST_BYTES:
            self._check.update(fragment)
            self._buffer[self._gathered : gathered] = fragment
            self._gathered = gathered
            return
        try:
            place = self._place
            if isinstance(place, Segment) and self.size <= LARGEST_BYTES:
                self._write_blocks(place, memoryview(fragment))
            else:
                self._large_file().write(fragment)
        except OSError as error:
            self.discard()
            raise translated(error) from error

    def seal(self) -> str:
        """The arrival's name. All is on the disk when this returns; else it raises and keeps nothing."""
        try:
            arrival = self._names.next()
            place = self._place
            if isinstance(place, Segment):
                self._seal_entry(place, arrival)
            else:
                self._large_file().seal(arrival)
        except OSError as error:
            raise translated(error) from error
        finally:
            self.discard()
        return arrival

    def discard(self) -> None:
        """Keep nothing of what is not sealed; harmless when repeated."""
        place, self._place = self._place, None
        self._buffer = _NO_BUFFER
        if isinstance(place, Segment):
            self._segments.give_back(place)
        elif place is not None:
            place.discard()

    def _write_blocks(self, segment: Segment, fragment: memoryview) -> None:
        """Write what was gathered and the fragment, in whole blocks; what is left of it is gathered."""
        segment.is_failing = True  # until it is there
        self._check.update(fragment)
        buffer = self._buffer
        first, held = fragment[: max(0, BLOCK_BYTES - self._gathered)], buffer[BLOCK_BYTES : self._gathered]
        buffer[self._gathered : self._gathered + len(first)] = first
        rest = fragment[len(first) :]
        size = (len(held) + len(rest)) // BLOCK_BYTES * BLOCK_BYTES
        start, count = segment.end + BLOCK_BYTES, size - len(held)
        write_parts_at(segment.file, (held, rest[:count]), start + self._written)
        self._written += size
        if self._written - self._begun >= _AHEAD_BYTES:
            start_to_sync(segment.file, start + self._begun, self._written - self._begun)
            self._begun = self._written
        self._gathered = BLOCK_BYTES + len(rest) - count
        buffer[BLOCK_BYTES : self._gathered] = rest[count:]
        segment.is_failing = False

    def _seal_entry(self, segment: Segment, arrival: str) -> None:
        """Write what is left, and the head; all of the entry is on the disk when this returns."""
        segment.is_failing = True  # until all of it is there
        file, buffer, offset = segment.file, self._buffer, segment.end
        stop = whole_blocks(self._gathered)
        buffer[self._gathered : stop] = bytes(stop - self._gathered)
        buffer[:HEAD_BYTES] = encode(segment.generation, arrival, self._about, self.size, self._check.intdigest())
        if self._written:
            write_at(file, buffer[BLOCK_BYTES:stop], offset + BLOCK_BYTES + self._written)
            write_at(file, buffer[:BLOCK_BYTES], offset)
            sync_file(file)
        else:
            write_durably(file, buffer[:stop], offset)
        if not self._segments.watch.is_in_place(file):
            raise OSError(errno.ENOENT, "the segment is not where it was")
        segment.add(arrival, self._instance[1].received_at, self.size, self._written + stop)
        segment.is_failing = False

    def _large_file(self) -> LargeFile:
        """The file of its own of one that has become too long for a segment."""
        place = self._place
        if place is None:
            raise OSError(errno.EBADF, "it was given up before")
        if isinstance(place, LargeFile):
            return place
        own = LargeFile(*self._folders, *self._instance)
        try:
            own.write(self._read_back(place))
        except OSError:
            own.discard()
            raise
        self.discard()
        self._place = own
        return own

    def _read_back(self, segment: Segment) -> bytes:
        """What was written of the data set so far. Raises OSError, also where it is not what was written."""
        buffer, end = self._buffer, self._gathered
        first, last = buffer[HEAD_BYTES : min(BLOCK_BYTES, end)], buffer[BLOCK_BYTES:end]
        content = bytes(first) + read_at(segment.file, self._written, segment.end + BLOCK_BYTES) + last
        if xxh3_64_intdigest(content) != self._check.intdigest():
            raise OSError(errno.EIO, "what was received is not there any more")
        return content

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._place is not None:
            self.discard()


def translated(error: OSError) -> SpoolFullError | SpoolFailedError:
    """The spool's error for one of the operating system."""
    return SpoolFullError() if error.errno in FULL or error.errno == errno.EFBIG else SpoolFailedError()
