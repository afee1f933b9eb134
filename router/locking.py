"""A lock file: one process a role and data folder; the system frees it however the process ends."""

import os
import time
from pathlib import Path
from typing import IO

from router.errors import RouterError

if os.name == "nt":
    import msvcrt

    def _try_lock(file: IO[bytes]) -> bool:
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
        except OSError:
            return False
        return True

else:
    import fcntl

    def _try_lock(file: IO[bytes]) -> bool:
        try:
            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True


class LockedError(RouterError):
    """Another process holds this lock."""


class FileLock:
    """An exclusive lock on `path`, held from `acquire` until `release` or the end of the process."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: IO[bytes] | None = None

    def acquire(self, wait_seconds: float = 0.0) -> None:
        """Take the lock, waiting up to `wait_seconds`; raises `LockedError`."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        file = self.path.open("ab")
        deadline = time.monotonic() + wait_seconds
        while not _try_lock(file):
            if time.monotonic() >= deadline:
                file.close()
                raise LockedError(f"{self.path} is held by another process")
            time.sleep(0.05)
        self._file = file

    def release(self) -> None:
        """Give the lock back."""
        if self._file is not None:
            self._file.close()
            self._file = None


def is_held(path: Path) -> bool:
    """Whether some process holds the lock on `path` at this moment."""
    try:
        with path.open("rb") as file:
            return not _try_lock(file)
    except FileNotFoundError:
        return False
