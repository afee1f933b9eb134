"""A wall clock that is set while programs go by it, by libfaketime. Monotonic clocks are left alone."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest

_LIBRARY = next(iter(sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))), None)

needs_faketime = pytest.mark.skipif(_LIBRARY is None, reason="libfaketime is not installed")


class SetClock:
    """The wall clock of programs that are started with `environment`; it goes on from where it was set."""

    def __init__(self, folder: Path, zone: str = "UTC") -> None:
        self._file = folder / "clock"
        self._zone = zone
        self._ahead = 0.0
        self.step(0.0)

    @property
    def environment(self) -> Mapping[str, str]:
        """What a program must be started with."""
        return {
            "LD_PRELOAD": str(_LIBRARY),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            "DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",
            "TZ": self._zone,
        }

    def now(self) -> datetime:
        """What it shows."""
        return datetime.fromtimestamp(datetime.now(UTC).timestamp() + self._ahead, UTC)

    def step(self, seconds: float) -> None:
        """Set it forward, or back."""
        self._ahead += seconds
        new = self._file.with_suffix(".new")
        new.write_text(f"{self._ahead:+.3f}\n")
        new.replace(self._file)

    def set(self, moment: datetime) -> None:
        """Let it show this."""
        self.step((moment - self.now()).total_seconds())
