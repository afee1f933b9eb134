"""Advisory locks on open files, which the system gives back however their process ends. Waits without a limit."""

import os
import sys

from archive.rawfile import Opened

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl


def try_lock(file: Opened) -> bool:
    """Take the file's advisory lock if no other process holds it; it is given back when the file is closed."""
    try:
        if sys.platform == "win32":
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def lock(file: Opened) -> None:
    """Wait for the file's advisory lock; on Windows it is its first byte that is locked."""
    if sys.platform == "win32":
        os.lseek(file.fileno(), 0, os.SEEK_SET)
        msvcrt.locking(file.fileno(), msvcrt.LK_LOCK, 1)
    else:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX)


def unlock(file: Opened) -> None:
    """Give the lock back."""
    if sys.platform == "win32":
        os.lseek(file.fileno(), 0, os.SEEK_SET)
        msvcrt.locking(file.fileno(), msvcrt.LK_UNLCK, 1)
    else:
        fcntl.flock(file.fileno(), fcntl.LOCK_UN)
