"""The spool: what has been acknowledged and is not yet filed. Needs no database and never looks into a header."""

import errno
import hashlib
import heapq
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self
from uuid import uuid4

from archive.arrivals import ARRIVAL_LENGTH, ArrivalNames, checked
from archive.entry import Entry, read_entry
from archive.errors import EntryUnreadableError, SpoolFailedError, SpoolFullError
from archive.files import FULL, Folders, create, drop_abandoned, sync_file, sync_folder, try_lock, write
from archive.origin import Identity, Origin
from archive.part10 import Stamp, blank_stamp, encode_head

_SPACE_IS_FRESH = 1.0  # seconds for which a measured free space is believed
_NAME_LENGTH = ARRIVAL_LENGTH + len(".dcm")


@dataclass(frozen=True, slots=True)
class Backlog:
    """What waits to be filed; `oldest` is when the first of them was received (aware UTC), None if nothing waits.

    `unreadable` counts those set aside because the disk does not give them back.
    """

    count: int
    oldest: datetime | None
    unreadable: int = 0


class Spool:
    """Folders `incoming` (being received), `sealed` (acknowledged) and `unreadable` (set aside, for a person)."""

    def __init__(self, folder: Path, *, free_space: int = 0, clock: Callable[[], int] = time.time_ns) -> None:
        """`free_space` in bytes is left free on the disk; `clock` gives nanoseconds since 1970 for the names."""
        self._incoming = folder / "incoming"
        self._sealed = folder / "sealed"
        self._unreadable = folder / "unreadable"
        self.free_space = free_space  # may be set again at any time
        self._space_guard = threading.Lock()
        self._space: tuple[float, int] | None = None
        folders = Folders(folder)
        for each in (self._incoming, self._sealed, self._unreadable):
            folders.ensure(each)
        newest = max(self._names(), default="")
        self._names_to_come = ArrivalNames(folder / "last-arrival", newest, clock)

    def open(self, identity: Identity, origin: Origin) -> "Incoming":
        """A place for one instance on its way in; SpoolFullError or SpoolFailedError if there is none."""
        if self._free() < self.free_space:
            raise SpoolFullError
        try:
            return Incoming(self._incoming / f"{uuid4().hex}.part", self._sealed, self._names_to_come, identity, origin)
        except OSError as error:
            raise translated(error) from error

    def sealed(self, limit: int) -> list[str]:
        """The arrivals that wait to be filed, oldest first, at most `limit`."""
        return heapq.nsmallest(limit, self._names())

    def read(self, arrival: str) -> Entry:
        """The sealed entry of this name, from its file alone; EntryUnreadableError if it cannot be read."""
        entry = read_entry(self._path(arrival))
        if entry.arrival != arrival:
            raise EntryUnreadableError("the file is not the one its name says")
        return entry

    def remove(self, arrivals: Iterable[str]) -> None:
        """Forget entries that are filed. Not synchronised: one that comes back after a power cut is filed again."""
        for arrival in arrivals:
            self._path(arrival).unlink(missing_ok=True)

    def set_aside(self, arrival: str) -> None:
        """Put an entry that cannot be read out of the way, into `unreadable`, durably; nothing is deleted."""
        path = self._path(arrival)
        path.rename(self._unreadable / path.name)
        sync_folder(self._unreadable)

    def readmit(self) -> int:
        """Take back what was set aside and can be read again, to its last byte; gives how many."""
        taken = 0
        for path in self._unreadable.glob("*.dcm"):
            with suppress(EntryUnreadableError, OSError):
                entry = read_entry(path)
                with path.open("rb") as file:
                    file.seek(entry.data_set_offset)
                    is_whole = hashlib.file_digest(file, "sha256").hexdigest() == entry.digest
                if is_whole:
                    path.rename(self._path(entry.arrival))
                    taken += 1
        if taken:
            sync_folder(self._sealed)
        return taken

    def sweep(self) -> int:
        """Drop what was never sealed, because its process has died; gives how many. Live ones are left alone."""
        return drop_abandoned(self._incoming)

    def backlog(self) -> Backlog:
        """How much waits to be filed, and since when."""
        names = list(self._names())
        unreadable = sum(1 for _ in self._unreadable.iterdir())
        for arrival in heapq.nsmallest(8, names):
            with suppress(EntryUnreadableError):
                return Backlog(len(names), self.read(arrival).origin.received_at, unreadable)
        return Backlog(len(names), None, unreadable)

    def close(self) -> None:
        """Give the spool's own file back; instances on their way in are not touched."""
        self._names_to_come.close()

    def _names(self) -> Iterator[str]:
        with os.scandir(self._sealed) as found:
            yield from (each.name[:-4] for each in found if len(each.name) == _NAME_LENGTH)

    def _path(self, arrival: str) -> Path:
        return self._sealed / f"{checked(arrival)}.dcm"

    def _free(self) -> int:
        with self._space_guard:
            now = time.monotonic()
            if self._space is None or now - self._space[0] > _SPACE_IS_FRESH:
                try:
                    self._space = (now, shutil.disk_usage(self._incoming).free)
                except OSError as error:
                    raise SpoolFailedError from error
            return self._space[1]


class Incoming:
    """One instance on its way in, used by one thread. After an error, `discard` or the end of a `with` it is gone."""

    def __init__(self, path: Path, sealed: Path, names: ArrivalNames, identity: Identity, origin: Origin) -> None:
        self.size = 0  # bytes of the data set so far
        self._path = path
        self._sealed = sealed
        self._names = names
        self._identity = identity
        self._origin = origin
        self._hash = hashlib.sha256()
        self._head: bytes | None = encode_head(identity, blank_stamp(origin))
        self._head_length = len(self._head)
        self._file = create(path)
        try_lock(self._file)  # says to a sweep that somebody lives

    def write(self, fragment: bytes | bytearray | memoryview) -> None:
        """The next bytes of the data set, as they came; SpoolFullError or SpoolFailedError."""
        try:
            if self._head is not None:
                write(self._file, self._head + bytes(fragment))
                self._head = None
            else:
                write(self._file, fragment)
        except OSError as error:
            self.discard()
            raise translated(error) from error
        self._hash.update(fragment)
        self.size += len(fragment)

    def seal(self) -> str:
        """The arrival's name. File and name are synchronised when this returns; else it raises and keeps nothing."""
        sealed: Path | None = None
        try:
            arrival = self._names.next()
            digest = self._hash.hexdigest()
            stamp = Stamp(arrival, self._origin, digest, self.size, digest)
            self._file.seek(0)
            write(self._file, encode_head(self._identity, stamp, self._head_length))
            sync_file(self._file)
            self._file.close()
            sealed = self._sealed / f"{arrival}.dcm"
            self._path.rename(sealed)
            sync_folder(self._sealed)
        except OSError as error:
            self.discard()
            if sealed is not None:
                with suppress(OSError):
                    sealed.unlink(missing_ok=True)
            raise translated(error) from error
        return arrival

    def discard(self) -> None:
        """Keep nothing of it; harmless after `seal` and when repeated."""
        with suppress(OSError):
            self._file.close()
        with suppress(OSError):
            self._path.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.discard()


def translated(error: OSError) -> SpoolFullError | SpoolFailedError:
    """The spool's error for one of the operating system."""
    return SpoolFullError() if error.errno in FULL or error.errno == errno.EFBIG else SpoolFailedError()
