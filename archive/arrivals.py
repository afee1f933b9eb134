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
_RESERVED = 10_000  # numbers, which are microseconds
_RESERVED_SECONDS = _RESERVED / 1_000_000  # for which they may be used
_TURNS = 8  # at the file without anybody else, before numbers are reserved
_IS_RESERVED, _IS_NOT = b"+", b" "  # stands behind the number in the file
_CONTENT_BYTES = 16 + len(_IS_RESERVED)
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

    The last number is shared through one small locked file. Who finds that nobody else gives out names reserves the
    numbers of the next moment there, and needs the file for none of them; who finds them reserved waits that moment.
    The file is not synchronised: after a power cut the clock and `at_least` carry on, and chance keeps names apart even
    if the clock was set back by then.
    """

    def __init__(self, path: Path, at_least: str = "", clock: Callable[[], int] = time.time_ns) -> None:
        self._clock = clock
        self._last = int(at_least[:16] or "0", 16)
        self._guard = threading.Lock()
        self._chance = os.urandom(4).hex()
        self._reserved = 0  # up to this number, and until this reading of the monotonic clock
        self._reserved_until = 0.0
        self._turns = 0  # at the file, one after the other, that nobody else came between
        try:
            self._file = create(path)
        except FileExistsError:
            self._file = reopen(path)

    def next(self) -> str:
        """A name above all names given out before. Raises OSError."""
        with self._guard:
            number = max(self._clock() // 1000, self._last + 1)
            if number > self._reserved or time.monotonic() >= self._reserved_until:
                number = self._at_the_file()
            self._last = number
        return f"{number:016x}{self._chance}"

    def go_on_after(self, arrival: str) -> None:
        """Give out only names above this one, if it is one."""
        with self._guard:
            self._last = max(self._last, int(arrival[:16] or "0", 16))

    def close(self) -> None:
        """Give the file back."""
        self._file.close()

    def _at_the_file(self) -> int:
        """A number above all others, whoever gave them out; more are reserved where that is nobody else."""
        lock(self._file)
        try:
            found, is_reserved = self._read()
            self._turns = self._turns + 1 if found == self._reserved else 0
            if is_reserved and not self._turns:
                time.sleep(_RESERVED_SECONDS)  # it may be in use until then
            until = time.monotonic() + _RESERVED_SECONDS
            number = max(self._clock() // 1000, self._last + 1, 0 if self._turns else found + 1)
            reserves = self._turns >= _TURNS
            reserved = number + _RESERVED if reserves else number
            content = f"{reserved:016x}".encode("ascii") + (_IS_RESERVED if reserves else _IS_NOT)
            write_at(self._file, content, 0)
        finally:
            unlock(self._file)
        self._reserved, self._reserved_until = reserved, until
        return number

    def _read(self) -> tuple[int, bool]:
        """The last number that may have been given out, and whether it and others before it are reserved."""
        content = read_at(self._file, _CONTENT_BYTES, 0)
        try:
            number = int(content[:16] or b"0", 16)
        except ValueError:
            number = 0  # torn by a power cut
        return number if 0 < number < _LATEST else 0, content[16:] == _IS_RESERVED
