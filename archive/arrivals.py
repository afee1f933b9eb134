"""The names of arrivals: strictly increasing over threads, processes, restarts and clocks that step back.

Made from the clock, a counter and chance; nothing received is ever part of one.
"""

import os
import re
import threading
import time
from collections.abc import Callable
from pathlib import Path

from archive.errors import NotKeptError
from archive.files import create, read_at, reopen, write_at
from archive.locks import lock, unlock

ARRIVAL_LENGTH = 24
_ARRIVAL = re.compile(r"[0-9a-f]{24}")
_LATEST = 1 << 52  # microseconds since 1970, in 2112: more was never given out, and names must not grow longer by it


def checked(arrival: str) -> str:
    """The arrival if it has the form of one of our names, so that it may be part of a path; else NotKeptError."""
    if not _ARRIVAL.fullmatch(arrival):
        raise NotKeptError("this is not the name of an arrival")
    return arrival


def is_arrival(name: str) -> bool:
    """Whether it may be one of our names: of their form, and of our time."""
    return _ARRIVAL.fullmatch(name) is not None and named_at(name) < _LATEST


def named_at(arrival: str) -> int:
    """When an arrival was given its name, microseconds since 1970."""
    return int(arrival[:16], 16)


class ArrivalNames:
    """Gives out names: 16 hex digits of microseconds since 1970, never again the same or less, and 8 drawn for itself.

    The last number is shared through one small locked file. It is not synchronised: after a power cut the clock and
    `at_least` carry on, and chance keeps names apart even if the clock was set back by then.
    """

    def __init__(self, path: Path, at_least: str = "", clock: Callable[[], int] = time.time_ns) -> None:
        self._clock = clock
        self._floor = int(at_least[:16] or "0", 16)
        self._guard = threading.Lock()
        self._chance = os.urandom(4).hex()
        try:
            self._file = create(path)
        except FileExistsError:
            self._file = reopen(path)

    def next(self) -> str:
        """A name above all names given out before."""
        with self._guard:
            lock(self._file)
            try:
                number = max(self._clock() // 1000, self._last() + 1, self._floor + 1)
                write_at(self._file, f"{number:016x}".encode("ascii"), 0)
            finally:
                unlock(self._file)
        return f"{number:016x}{self._chance}"

    def go_on_after(self, arrival: str) -> None:
        """Give out only names above this one, if it is one."""
        with self._guard:
            self._floor = max(self._floor, int(arrival[:16] or "0", 16))

    def close(self) -> None:
        """Give the file back."""
        self._file.close()

    def _last(self) -> int:
        try:
            last = int(read_at(self._file, 16, 0) or b"0", 16)
        except ValueError:
            return 0  # torn by a power cut
        return last if 0 < last < _LATEST else 0
