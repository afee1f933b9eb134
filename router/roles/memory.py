"""What becomes of memory that is freed: told to the C library, once a process. Frees nothing itself."""

import ctypes
import sys

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # malloc.h of glibc


def keep_freed_memory(size: int, longest: int) -> None:
    """Keep up to so many freed bytes a thread, of objects of up to `longest`, where the C library is glibc.

    What is given back to the system and taken again comes with a page fault each 4 kB, and is filled with zeros.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, longest)
        mallopt(_M_TRIM_THRESHOLD, size)
