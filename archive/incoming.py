"""One instance on its way in: into a segment of the spool or, if it is large, a file of its own. Reads no header."""

import errno
import hashlib
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self
from uuid import uuid4

from archive.arrivals import ArrivalNames
from archive.errors import SpoolFailedError, SpoolFullError
from archive.files import FULL, create, sync_file, sync_folder, write, write_at
from archive.locks import try_lock
from archive.origin import Identity, Origin
from archive.part10 import Stamp, blank_stamp, encode_head
from archive.segment import LARGEST_BYTES
from archive.segments import Segments
from archive.writing import Segment


class _Place(Protocol):
    """Where the bytes go."""

    def write(self, fragment: bytes | bytearray | memoryview, /) -> None: ...
    def seal(self, arrival: str, /) -> None: ...


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
        segment = segments.take()
        segment.begin(identity, origin)
        self._place: _Place = segment

    def write(self, fragment: bytes | bytearray | memoryview) -> None:
        """The next bytes of the data set, as they came; SpoolFullError or SpoolFailedError."""
        self.size += len(fragment)
        try:
            if self.size > LARGEST_BYTES and isinstance(self._place, Segment):
                self._move_out(self._place)
            self._place.write(fragment)
        except OSError as error:
            self.discard()
            raise translated(error) from error

    def seal(self) -> str:
        """The arrival's name. All is on the disk when this returns; else it raises and keeps nothing."""
        try:
            arrival = self._names.next()
            self._place.seal(arrival)
        except OSError as error:
            raise translated(error) from error
        finally:
            self.discard()
        return arrival

    def discard(self) -> None:
        """Keep nothing of what is not sealed; harmless when repeated."""
        place, self._place = self._place, _GIVEN_UP
        if isinstance(place, Segment):
            self._segments.give_back(place)
        elif isinstance(place, _InFile):
            place.discard()

    def _move_out(self, segment: Segment) -> None:
        """It has become too long for a segment."""
        own = _InFile(*self._folders, *segment.instance)
        try:
            own.write(segment.read_back())
        except OSError:
            own.discard()
            raise
        self.discard()
        self._place = own

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.discard()


class _Nowhere:
    """The place of what was given up."""

    def write(self, fragment: bytes | bytearray | memoryview, /) -> None:  # noqa: ARG002
        raise OSError(errno.EBADF, "it was given up before")

    def seal(self, arrival: str, /) -> None:  # noqa: ARG002
        raise OSError(errno.EBADF, "it was given up before")


_GIVEN_UP = _Nowhere()


class _InFile:
    """A file of its own, which becomes the archive's: for what is so large that its own file costs nothing."""

    def __init__(self, incoming: Path, sealed: Path, identity: Identity, origin: Origin) -> None:
        self.size = 0
        self._path = incoming / f"{uuid4().hex}.part"
        self._sealed = sealed
        self._identity = identity
        self._origin = origin
        self._hash = hashlib.sha256()
        head = encode_head(identity, blank_stamp(origin))
        self._head_length = len(head)
        self._file = create(self._path)
        try:
            try_lock(self._file)  # says to a sweep that somebody lives
            write(self._file, head)
        except OSError:
            self.discard()
            raise

    def write(self, fragment: bytes | bytearray | memoryview) -> None:
        write(self._file, fragment)
        self._hash.update(fragment)
        self.size += len(fragment)

    def seal(self, arrival: str) -> None:
        digest = self._hash.hexdigest()
        stamp = Stamp(arrival, self._origin, digest, self.size, digest)
        write_at(self._file, encode_head(self._identity, stamp, self._head_length), 0)
        sync_file(self._file)
        self._file.close()
        sealed = self._sealed / f"{arrival}.dcm"
        try:
            self._path.rename(sealed)
            sync_folder(self._sealed)
        except OSError:
            with suppress(OSError):
                sealed.unlink(missing_ok=True)
            raise

    def discard(self) -> None:
        with suppress(OSError):
            self._file.close()
        with suppress(OSError):
            self._path.unlink(missing_ok=True)


def translated(error: OSError) -> SpoolFullError | SpoolFailedError:
    """The spool's error for one of the operating system."""
    return SpoolFullError() if error.errno in FULL or error.errno == errno.EFBIG else SpoolFailedError()
