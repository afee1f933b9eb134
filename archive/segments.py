"""The segments of one writing process: which one an instance is written into, and when one is written again.

Each writing process has a folder of its own, told by a lock, and each instance on its way in a segment of its own.
"""

import errno
import threading
from collections import deque
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

from archive.files import create, reopen, sync_folder
from archive.folders import Folders
from archive.locks import try_lock
from archive.rawfile import RawFile
from archive.register import State, register_of
from archive.segment import SUFFIX, has_room
from archive.watch import Watch
from archive.writing import Segment

_KEPT = 16  # segments that stay when all is filed; and how many are looked at to find one that can be used again
_OPEN = 8  # that nobody writes just now and yet stay open, with the memory they gather in
_MOST_WRITERS = 256  # processes of one spool


class Segments:
    """The segments one process writes; given out one at a time to whoever receives an instance."""

    def __init__(self, folder: Path) -> None:
        """`folder` holds the folders of all writing processes."""
        self._folder = folder
        self._folders = Folders(folder)
        self._guard = threading.Lock()
        self._own: Path | None = None
        self.watch = Watch()  # over the folders of the segments
        self._locks: list[RawFile] = []
        self._free: list[Segment] = []
        self._full: deque[Segment] = deque()  # and what others left, oldest first; closed but for the first
        self._lent = 0
        self._is_closed = False

    def adopt(self) -> str:
        """Before the first is taken: take over what processes that died have left; the newest arrival, "" for none.

        Raises OSError.
        """
        with self._guard:
            if self._is_closed:
                raise _closed()
            return self._adopt() if self._own is None else ""

    def take(self) -> Segment:
        """A segment with room, for one thread until it is given back. Raises OSError."""
        with self._guard:
            if self._is_closed:
                raise _closed()
            if not self._free or len(self._full) >= _KEPT:
                self._look_for_filed()
            self._lent += 1
            if self._free:
                return self._free.pop()
        return self._new()

    def give_back(self, segment: Segment) -> None:
        """It may be given to another; one the disk did not take all of is never written again."""
        if segment.is_failing:
            with suppress(OSError):
                segment.discard()
        with self._guard:
            self._lent -= 1
            if segment.is_failing:
                self._retire(segment)
            elif self._is_closed:
                segment.put_down()
            elif not has_room(segment.end):
                segment.put_down()
                self._full.append(segment)
            elif len(self._free) < _OPEN:
                self._free.append(segment)
            else:
                segment.put_down()
                self._free.insert(0, segment)  # the last to be taken
            if self._is_closed:
                self._end()

    def release(self) -> int:
        """Remove the segments in which nothing waits to be filed, because the disk is short; how many these were."""
        with self._guard:
            idle = [segment for segment in self._free if segment.needed() is None]
            for segment in self._full:  # in order of arrival, and so they are filed
                if segment.needed() is not None:
                    segment.put_down()
                    break
                idle.append(segment)
            for segment in idle:
                _remove(segment)
            self._free = [segment for segment in self._free if segment not in idle]
            self._full = deque(segment for segment in self._full if segment not in idle)
        return len(idle)

    def close(self) -> None:
        """Let go of everything, of a segment that is in use when it is given back; what waits stays on the disk."""
        with self._guard:
            self._is_closed = True
            for segment in (*self._free, *self._full):
                segment.put_down()
            self._free.clear()
            self._full.clear()
            self._end()

    def _end(self) -> None:
        """Let others adopt what is here, once it is closed and nothing of it can be written any more."""
        if self._is_closed and not self._lent:
            self._unlock()

    def _unlock(self) -> None:
        for lock in self._locks:
            lock.close()
        self._locks.clear()
        self.watch.close()

    def _adopt(self) -> str:
        """The first folder that no living process has becomes ours, with the segments in all such folders."""
        folders: list[Path] = []
        try:
            for number in range(_MOST_WRITERS):
                folder = self._folder / f"{number}"
                if folders and not folder.is_dir():
                    break
                self._folders.ensure(folder)
                lock = _locked(folder)
                if lock is not None:
                    self._locks.append(lock)
                    folders.append(folder)
        except OSError:
            self._unlock()
            raise
        if not folders:
            raise OSError(errno.ENOLCK, "no lock can be had")
        self._own = folders[0]
        self.watch = Watch(folders)
        found = sorted((each for folder in folders for each in _recovered(folder)), key=lambda each: each[0])
        self._full += (segment for _, segment in found)
        return found[-1][0] if found else ""

    def _look_for_filed(self) -> None:
        """Free the oldest full segment once all in it is filed; what a long backlog added is removed again."""
        for _ in range(min(_KEPT, len(self._full))):
            segment = self._full[0]
            needed = segment.needed()
            if needed is State.SEALED:
                return
            self._full.popleft()
            if needed is not None:  # a person or a repaired disk will have to help; the others must not wait for that
                segment.put_down()
                self._full.append(segment)
                continue
            try:
                if self._free or segment.is_failing:
                    _remove(segment)
                else:
                    segment.renew()
                    self._free.append(segment)
            except OSError:
                _remove(segment)
            if self._free:
                return

    def _retire(self, segment: Segment) -> None:
        """It stays until what was sealed in it before is filed."""
        if segment.needed() is None:
            _remove(segment)
        else:
            segment.put_down()
            self._full.append(segment)

    def _new(self) -> Segment:
        """A new segment, which counts as lent already."""
        assert self._own is not None
        path = self._own / f"{uuid4().hex}{SUFFIX}"
        try:
            segment = Segment(path, is_new=True)
            sync_folder(self._own)
        except BaseException:
            _unlink(path)
            with self._guard:
                self._lent -= 1
                self._end()
            raise
        return segment


def _closed() -> OSError:
    return OSError(errno.ESHUTDOWN, "the spool is closed")


def _remove(segment: Segment) -> None:
    segment.put_down()
    _unlink(segment.path)


def _unlink(segment: Path) -> None:
    for path in (segment, register_of(segment)):
        with suppress(OSError):  # Windows: while the filing process reads in it; then it is found at the next start
            path.unlink()


def _locked(folder: Path) -> RawFile | None:
    """The folder's lock, given back when it is closed; None if a living process has it."""
    path = folder / "lock"
    try:
        file = create(path)
    except FileExistsError:
        file = reopen(path)
    if try_lock(file):
        return file
    file.close()
    return None


def _recovered(folder: Path) -> list[tuple[str, Segment]]:
    """The segments of a folder, each with its newest arrival; what the disk does not give back is left alone."""
    found = []
    for path in folder.glob(f"*{SUFFIX}"):
        segment = Segment(path)
        with suppress(OSError):
            found.append((segment.recover(), segment))
        segment.put_down()
    return found
