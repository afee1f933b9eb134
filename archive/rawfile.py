"""An open file that the system is never asked about. Reads and writes nothing itself: that is in `files`.

Linux may give a file whose times were asked for a new time with its very next write, else only 100 to 1,000 times a
second; FileIO asks as it opens. And on ext4 without a journal each synchronisation of a file with a new time writes and
waits for a second block, its inode. So what is written and synchronised once an instance is no FileIO.
"""

import os
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

_BINARY = getattr(os, "O_BINARY", 0)  # Windows
_NO_DESCRIPTOR = -1


class Opened(Protocol):
    """Any open file of the operating system's."""

    def fileno(self) -> int:
        """Its descriptor."""
        ...


class RawFile:
    """A file by its descriptor, closed with the object at the latest. Raises OSError where it cannot be opened."""

    __slots__ = ("fileno", "in_place_at", "name")

    fileno: Callable[[], int]  # its descriptor; after `close` one that no call takes

    def __init__(self, path: Path | str, flags: int = os.O_RDONLY, mode: int = 0) -> None:
        """`flags` and `mode` as for os.open."""
        self.fileno = _NO_DESCRIPTOR.__index__  # asked a dozen times an instance: no function of Python's
        self.name = os.fspath(path)
        self.in_place_at = 0  # what a Watch had counted when `name` was last seen to lead to it
        self.fileno = os.open(path, flags | _BINARY, mode).__index__

    def close(self) -> None:
        """Give the descriptor, and any lock, back; harmless when repeated."""
        descriptor, self.fileno = self.fileno(), _NO_DESCRIPTOR.__index__
        if descriptor != _NO_DESCRIPTOR:
            os.close(descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()
