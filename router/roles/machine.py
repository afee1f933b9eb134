"""What a role asks of its machine: for its memory, and for a thread that nobody waits for. Decides nothing."""

import ctypes
import os
import platform
import sys
from collections.abc import Callable
from contextlib import suppress
from struct import Struct

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # malloc.h of glibc
_SCHED_SETATTR = {"x86_64": 314, "aarch64": 274, "riscv64": 274, "ppc64le": 355, "s390x": 345}  # system calls
_ATTRIBUTES = Struct("=IIQiIQQQ")  # struct sched_attr: size, policy, flags, nice, priority, runtime, deadline, period
_LONGEST_SLICE = 100_000_000  # ns


def keep_freed_memory(size: int, longest: int) -> None:
    """Keep up to so many freed bytes a thread, of objects of up to `longest`, where the C library is glibc.

    What is given back to the system and taken again comes with a page fault each 4 kB, and is filled with zeros.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, longest)
        mallopt(_M_TRIM_THRESHOLD, size)


def keep_to_the_last_processor() -> None:
    """Let this thread run on one of the process's processors only, where there are several and the system can be told.

    A thread that waits for the disk again and again else takes whichever is free for a moment, and what somebody waits
    for finds them all taken.
    """
    _keep_to(lambda all_of_them: {max(all_of_them)})


def keep_off_the_last_processor() -> None:
    """Let this thread run on all others, so that it and the one that keeps to the last are never one behind the other.

    Where there is only one, it runs on that.
    """
    _keep_to(lambda all_of_them: all_of_them - {max(all_of_them)} or all_of_them)


def _keep_to(choose: Callable[[set[int]], set[int]]) -> None:
    if sys.platform == "linux":
        with suppress(OSError):  # forbidden in some containers: then it runs wherever there is room
            os.sched_setaffinity(0, choose(os.sched_getaffinity(os.getpid())))


def take_long_slices() -> None:
    """Let this thread have long slices of time, rarely, where the system can be told (Linux 6.12 on known processors).

    Whoever wakes up and has shorter ones, as everybody has, then gets the processor at once; else the one who is on it
    goes on for 3 ms first, even if he is the less important.
    """
    number = _SCHED_SETATTR.get(platform.machine()) if sys.platform == "linux" else None
    if number is not None:
        nice = os.getpriority(os.PRIO_PROCESS, 0)
        attributes = _ATTRIBUTES.pack(_ATTRIBUTES.size, os.SCHED_OTHER, 0, nice, 0, _LONGEST_SLICE, 0, 0)
        ctypes.CDLL(None).syscall(number, 0, attributes, 0)  # where it is refused, slices stay as they are
