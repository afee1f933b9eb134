"""What a role asks of its machine: for its memory, and for a thread that nobody waits for. Decides nothing."""

import ctypes
import os
import sys
from contextlib import suppress

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # malloc.h of glibc


def keep_freed_memory(size: int, longest: int) -> None:
    """Keep up to so many freed bytes a thread, of objects of up to `longest`, where the C library is glibc.

    What is given back to the system and taken again comes with a page fault each 4 kB, and is filled with zeros.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, longest)
        mallopt(_M_TRIM_THRESHOLD, size)


def keep_to_one_processor() -> None:
    """Let this thread run on one of the process's processors only, where there are several and the system can be told.

    A thread that waits for the disk again and again else takes whichever is free for a moment, and what somebody waits
    for finds them all taken.
    """
    if sys.platform == "linux":
        with suppress(OSError):  # forbidden in some containers: then it runs wherever there is room
            os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
