"""The spool: what has been acknowledged and is not yet filed. Needs no database and never looks into a header."""

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

from archive.arrivals import ArrivalNames, checked, is_arrival, named_at
from archive.entry import Entry, read_entry
from archive.errors import EntryUnreadableError, SpoolFullError
from archive.files import sync_folder
from archive.folders import Folders, drop_abandoned
from archive.incoming import Incoming, translated
from archive.origin import Identity, Origin
from archive.segments import Segments
from archive.taking import Taking

_SPACE_IS_FRESH = 1.0  # seconds for which a measured free space is believed
_SUFFIX = ".dcm"


@dataclass(frozen=True, slots=True)
class Backlog:
    """What waits to be filed; `oldest` is when the first of them was received (aware UTC), None if nothing waits.

    `unreadable` counts those set aside because the disk does not give them back.
    """

    count: int
    oldest: datetime | None
    unreadable: int = 0


class Spool:
    """Folder `segments` for what is of usual size; a large instance has a file of its own.

    That is in `incoming` (being received), `sealed` (acknowledged) or `unreadable` (set aside, for a person).
    """

    def __init__(self, folder: Path, *, free_space: int = 0, clock: Callable[[], int] = time.time_ns) -> None:
        """`free_space` in bytes is left free on the disk; `clock` gives nanoseconds since 1970 for the names."""
        self._incoming = folder / "incoming"
        self._sealed = folder / "sealed"
        self._unreadable = folder / "unreadable"
        self.free_space = free_space  # may be set again at any time
        self._clock = clock
        self._space_guard = threading.Lock()
        self._space: tuple[float, int] | None = None
        folders = Folders(folder)
        for each in (self._incoming, self._sealed, self._unreadable):
            folders.ensure(each)
        self._segments = Segments(folder / "segments")
        self._is_adopted = False  # what processes that died have left in them
        self._taking = Taking(folder / "segments")
        newest = max(self._names(), default="")
        self._names_to_come = ArrivalNames(folder / "last-arrival", newest, clock)

    def open(self, identity: Identity, origin: Origin) -> "Incoming":
        """A place for one instance on its way in; SpoolFullError or SpoolFailedError if there is none."""
        try:
            if not self._is_adopted:
                self._adopt()
            space = self._space
            if space is None or time.monotonic() - space[0] > _SPACE_IS_FRESH:
                space = self._measured()
            if space[1] < self.free_space:
                raise SpoolFullError
            return Incoming(self._segments, (self._incoming, self._sealed), self._names_to_come, identity, origin)
        except OSError as error:
            raise translated(error) from error

    def sealed(self, limit: int) -> list[str]:
        """The arrivals that wait to be filed, oldest first, at most `limit`."""
        return heapq.nsmallest(limit, [*self._taking.waiting(limit), *self._names()])

    def content_bytes(self, arrival: str) -> int:
        """The length of the data set that comes with an entry of those `sealed` gave last when it is read."""
        return self._taking.content_bytes(arrival)

    def newest(self) -> str:
        """The newest arrival when `sealed` looked last, "" if there was none; it may be filed by now."""
        return max(self._taking.newest(), *self._names(), "")

    def age(self, arrival: str) -> float:
        """Seconds since an arrival was sealed; less than 0 where the clock was set back since."""
        return (self._clock() // 1000 - named_at(arrival)) / 1_000_000

    def read(self, arrival: str) -> Entry:
        """The sealed entry of this name, from the spool alone; EntryUnreadableError if it cannot be read."""
        path = self._path(arrival)
        in_segment = self._taking.read(arrival) if arrival in self._taking or not path.exists() else None
        if in_segment is not None:
            return in_segment
        entry = read_entry(path)
        if entry.arrival != arrival:
            raise EntryUnreadableError("the file is not the one its name says")
        return entry

    def remove(self, arrivals: Iterable[str]) -> None:
        """Forget entries that are filed. Not synchronised: one that comes back after a power cut is filed again."""
        in_segments = []
        for arrival in arrivals:
            path = self._path(arrival)
            if arrival in self._taking or not path.exists():
                in_segments.append(arrival)
            else:
                path.unlink(missing_ok=True)
        self._taking.remove(in_segments)

    def set_aside(self, arrival: str) -> None:
        """Put an entry that cannot be read out of the way, a file into `unreadable`; nothing is deleted."""
        path = self._path(arrival)
        if not path.exists() and self._taking.set_aside(arrival):
            return
        path.rename(self._unreadable / path.name)
        sync_folder(self._unreadable)

    def readmit(self) -> int:
        """Take back what was set aside and can be read again, to its last byte; gives how many."""
        taken = self._taking.readmit()
        renamed = 0
        for path in self._unreadable.glob("*.dcm"):
            with suppress(EntryUnreadableError, OSError):
                entry = read_entry(path)
                with path.open("rb") as file:
                    file.seek(entry.data_set_offset)
                    is_whole = hashlib.file_digest(file, "sha256").hexdigest() == entry.digest
                if is_whole:
                    path.rename(self._path(entry.arrival))
                    renamed += 1
        if renamed:
            sync_folder(self._sealed)
        return taken + renamed

    def sweep(self) -> int:
        """Tidy up after processes that died: adopt what they sealed, drop unfinished files; gives how many of these.

        Live ones are left alone.
        """
        with suppress(OSError):  # then whoever sends is told
            self._adopt()
        return drop_abandoned(self._incoming)

    def backlog(self) -> Backlog:
        """How much waits to be filed, and since when."""
        waiting, set_aside = self._taking.count()
        names = list(self._names())
        count = waiting + len(names)
        unreadable = set_aside + sum(1 for _ in self._unreadable.iterdir())
        oldest = self._taking.oldest()
        for arrival in heapq.nsmallest(8, names):
            with suppress(EntryUnreadableError):
                received_at = self.read(arrival).origin.received_at
                return Backlog(count, min(received_at, oldest or received_at), unreadable)
        return Backlog(count, oldest, unreadable)

    def close(self) -> None:
        """Give the spool's own files back; what waits to be filed stays, what is on its way in is given up."""
        self._segments.close()
        self._names_to_come.close()

    def _adopt(self) -> None:
        newest = self._segments.adopt()
        if newest:
            self._names_to_come.go_on_after(newest)
        self._is_adopted = True

    def _names(self) -> Iterator[str]:
        with os.scandir(self._sealed) as found:
            names = (each.name.removesuffix(_SUFFIX) for each in found if each.name.endswith(_SUFFIX))
            yield from (name for name in names if is_arrival(name))  # what else lies there is not ours, and stays

    def _path(self, arrival: str) -> Path:
        return self._sealed / f"{checked(arrival)}.dcm"

    def _measured(self) -> tuple[float, int]:
        """When the free bytes of the disk were measured, and these, not long ago.

        Where they are too few, segments with nothing to file give up theirs first.
        """
        with self._space_guard:
            now = time.monotonic()
            if self._space is None or now - self._space[0] > _SPACE_IS_FRESH:
                free = shutil.disk_usage(self._incoming).free
                if free < self.free_space and self._segments.release():
                    free = shutil.disk_usage(self._incoming).free
                self._space = (now, free)
            return self._space
