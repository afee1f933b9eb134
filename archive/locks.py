"""Advisory locks on open files, which the system gives back however their process ends. Waits without a limit."""

import sys
from io import FileIO

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl


def try_lock(file: FileIO) -> bool:
    """Take the file's advisory lock if no other process holds it; it is given back when the file is closed."""
    try:
        if sys.platform == "win32":
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def lock(file: FileIO) -> None:
    """Wait for the file's advisory lock; on Windows it is its first byte that is locked."""
    if sys.platform == "win32":
        file.seek(0)
        msvcrt.locking(file.fileno(), msvcrt.LK_LOCK, 1)
    else:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX)


def unlock(file: FileIO) -> None:
    """Give the lock back."""
    if sys.platform == "win32":
        file.seek(0)
        msvcrt.locking(file.fileno(), msvcrt.LK_UNLCK, 1)
    else:
        fcntl.flock(file.fileno(), fcntl.LOCK_UN)
