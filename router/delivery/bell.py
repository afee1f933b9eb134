"""A bell between programs of one machine: who orders something rings, and the lines look at once. Says nothing of what.

It is only the quick way, a file whose time changes: lines look into the queue by themselves, too, and so those of
another machine are not forgotten.
"""

import os
import time
from contextlib import suppress
from pathlib import Path


class Bell:
    """The bell of one data folder, for one listener."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._heard = self._rung_at()

    def ring(self) -> None:
        """Have whoever listens look; never fails."""
        now = time.time_ns()
        with suppress(OSError):  # the lines look by themselves, a little later
            self._file.touch()
            os.utime(self._file, ns=(now, now))

    def has_rung(self) -> bool:
        """Whether it has been rung since this was asked last, or since the bell was made."""
        heard, self._heard = self._heard, self._rung_at()
        return heard != self._heard

    def _rung_at(self) -> int:
        """When, in nanoseconds since 1970; 0 for never."""
        try:
            return self._file.stat().st_mtime_ns
        except OSError:
            return 0
