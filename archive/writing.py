"""The receiving side of the spool's segments: which one an instance is written into, and when one is written again.

Each writing process has a folder of its own, told by a lock, and each instance on its way in a segment of its own.
"""

import os
import threading
import zlib
from collections import deque
from contextlib import suppress
from io import FileIO
from pathlib import Path
from uuid import uuid4

from archive.files import Folders, create, read_at, sync_file, sync_folder, try_lock, write_at
from archive.segment import (
    GENERATION_BYTES,
    HEAD_BYTES,
    SUFFIX,
    SegmentEntry,
    State,
    encode,
    entries,
    entry_at,
    state_mark,
)

SEGMENT_BYTES = 32 << 20
LARGEST_BYTES = 4 << 20  # of a data set in a segment; a longer one gets a file of its own, and pays nothing for it
_KEPT = 8  # segments that stay when all is filed


class Segment:
    """One open segment, used by one thread at a time; `end` is where the next entry starts."""

    def __init__(self, file: FileIO, path: Path) -> None:
        self.file = file
        self.path = path
        self.generation = os.urandom(GENERATION_BYTES)
        self.end = 0
        self._unfiled: deque[int] = deque()  # offsets of entries

    @property
    def has_room(self) -> bool:
        """Whether the longest data set has room."""
        return self.end + HEAD_BYTES + LARGEST_BYTES <= SEGMENT_BYTES

    @property
    def is_empty(self) -> bool:
        """Whether nothing is known to be in it that waits to be filed."""
        return not self._unfiled

    def seal(self, entry: SegmentEntry) -> None:
        """The head of what was written behind `end`; all of it is on the disk when this returns. Raises OSError."""
        write_at(self.file, encode(entry), entry.offset)
        sync_file(self.file)
        self._mark(entry.offset, State.SEALED)
        self._unfiled.append(entry.offset)
        self.end = entry.end

    def discard(self) -> None:
        """Forget what stands at `end`. Raises OSError."""
        write_at(self.file, bytes(HEAD_BYTES), self.end)

    def is_filed(self) -> bool:
        """Whether nothing in it is needed any more. Raises OSError."""
        while self._unfiled:
            entry = entry_at(self.file, self._unfiled[0])
            if entry is None or entry.state is not State.FILED:
                return False
            self._unfiled.popleft()
        return True

    def renew(self) -> None:
        """Begin again at the start; that all was filed is on the disk before. Raises OSError."""
        sync_file(self.file)
        self.generation = os.urandom(GENERATION_BYTES)
        self.end = 0

    def recover(self) -> str:
        """Take over what another process left, the last entry also if it was not marked yet; the newest arrival."""
        newest = ""
        for entry in entries(self.file, 0):
            if entry.state is State.WRITTEN:
                if zlib.crc32(read_at(self.file, entry.size, entry.data_set_offset)) != entry.check:
                    self.end = entry.offset
                    self.discard()  # it was never acknowledged
                    break
                sync_file(self.file)
                self._mark(entry.offset, State.SEALED)
            self._unfiled.append(entry.offset)
            self.end, newest = entry.end, entry.arrival
        return newest

    def _mark(self, offset: int, state: State) -> None:
        at, mark = state_mark(offset, state)
        write_at(self.file, mark, at)


class Segments:
    """The segments one process writes; given out one at a time to whoever receives an instance."""

    def __init__(self, folder: Path) -> None:
        """`folder` holds the folders of all writing processes."""
        self._folder = folder
        self._folders = Folders(folder)
        self._guard = threading.Lock()
        self._own: Path | None = None
        self._lock: FileIO | None = None
        self._free: list[Segment] = []
        self._full: deque[Segment] = deque()

    def take(self) -> Segment:
        """A segment with room, for one thread until it is given back. Raises OSError."""
        with self._guard:
            folder = self._own_folder()
            self._look_for_filed()
            if self._free:
                return self._free.pop()
        return self._new(folder)

    def give_back(self, segment: Segment) -> None:
        """It may be given to another."""
        with self._guard:
            (self._free if segment.has_room else self._full).append(segment)

    def retire(self, segment: Segment) -> None:
        """Write it never again, because the disk failed; what was sealed in it before stays."""
        with suppress(OSError):
            segment.file.close()
            if segment.is_empty:
                segment.path.unlink()

    def close(self) -> None:
        """Let go of everything; what waits to be filed stays on the disk."""
        with self._guard:
            for segment in (*self._free, *self._full):
                segment.file.close()
            self._free.clear()
            self._full.clear()
            if self._lock:
                self._lock.close()
                self._lock = self._own = None

    def recover(self) -> str:
        """Adopt what processes that died have sealed but not marked; the newest arrival found, "" for none."""
        newest = ""
        for folder in sorted(self._folder.iterdir()):
            lock = _locked(folder)
            if lock is not None:
                with lock:
                    for segment in _segments(folder):
                        with segment.file:
                            newest = max(newest, segment.recover())
        return newest

    def _own_folder(self) -> Path:
        """The folder of this process: the first that no living one has, with what is in it."""
        number = 0
        while self._own is None:
            folder = self._folder / f"{number}"
            self._folders.ensure(folder)
            self._lock = _locked(folder)
            if self._lock is not None:
                self._own = folder
                for segment in _segments(folder):
                    segment.recover()
                    self._full.append(segment)
            number += 1
        return self._own

    def _look_for_filed(self) -> None:
        """Free the oldest full segments once all in them is filed; what a long backlog added is removed again."""
        while self._full and not self._free and self._full[0].is_filed():
            segment = self._full.popleft()
            segment.renew()
            self._free.append(segment)
        if len(self._full) >= _KEPT and self._full[0].is_filed():
            surplus = self._full.popleft()
            surplus.file.close()
            with suppress(OSError):  # Windows: while the filing process has it open
                surplus.path.unlink()

    def _new(self, folder: Path) -> Segment:
        path = folder / f"{uuid4().hex}{SUFFIX}"
        segment = Segment(create(path), path)
        sync_folder(folder)
        return segment


def _locked(folder: Path) -> FileIO | None:
    """The folder's lock, given back when it is closed; None if a living process has it."""
    path = folder / "lock"
    try:
        file = create(path)
    except FileExistsError:
        file = FileIO(path, "r+")
    if try_lock(file):
        return file
    file.close()
    return None


def _segments(folder: Path) -> list[Segment]:
    """The segments of a folder, opened."""
    return [Segment(FileIO(path, "r+"), path) for path in sorted(folder.glob(f"*{SUFFIX}"))]
