"""Folders that are on the disk once they are made, and what dead processes left unfinished in one. Writes no file."""

import errno
from contextlib import suppress
from pathlib import Path

from archive.files import reopen, sync_folder
from archive.locks import try_lock

FOLDER_MODE = 0o750
FOLDERS_REMEMBERED = 1000


class Folders:
    """Makes folders and sees to it that each of their names is on the disk, and remembers those it saw to last."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._first: Path | None = None  # while this is there the root is no empty mount point
        self._known: set[Path] = set()
        was_there = root.is_dir()
        try:
            self._make(root)
        except PermissionError:
            if not was_there:  # a root that an administrator made may lie in a folder we cannot open
                raise

    def ensure(self, folder: Path) -> None:
        """The folder below the root is there, and synchronised in its parents, also if another process made it."""
        if folder in self._known and folder.is_dir():
            return
        if self._first is not None and not self._first.is_dir():
            raise OSError(errno.ENODEV, "what was in the folder is gone")
        for above in reversed(folder.parents):
            if above != self._root and above not in self._known and above.is_relative_to(self._root):
                self._make(above)
                self._remember(above)
        self._make(folder)
        self._remember(folder)
        self._first = self._first or folder

    def _remember(self, folder: Path) -> None:
        if len(self._known) >= FOLDERS_REMEMBERED:  # else every study there is would be in memory in the end
            self._known = set()
        self._known.add(folder)

    def _make(self, folder: Path) -> None:
        if not folder.parent.is_dir():
            self._make(folder.parent)
        folder.mkdir(mode=FOLDER_MODE, exist_ok=True)
        sync_folder(folder.parent)  # even if it was there: whoever made it may have died before this


def drop_abandoned(folder: Path) -> int:
    """Remove the unfinished files (`*.part`) whose process has died and so holds no lock on them; gives how many."""
    dropped = 0
    for path in folder.glob("*.part"):
        with suppress(OSError):
            with reopen(path) as file:
                is_abandoned = try_lock(file)
            if is_abandoned:
                path.unlink()  # closed before: Windows removes no open file
                dropped += 1
    return dropped
