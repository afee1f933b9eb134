"""How fast is filed: with all there is, or beside somebody who is sending and goes first. Files nothing, rests nowhere.

A decision with figures: docs/decisions/0012-filing-beside-a-stream.md.
"""

from collections.abc import Sequence

from archive import Spool

SENDING_SECONDS = 0.03  # since the newest arrived: the next is being sent just now
PATIENCE_SECONDS = 1.0  # that what waits is filed the slower for it, and the longest rest
REST = 1 / 2  # of the time a batch took


class Pace:
    """The pace of who files what one spool holds."""

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self._is_gentle = False

    def is_gentle(self, waiting: Sequence[str]) -> bool:
        """Whether the next batch is filed beside a stream; `waiting` are the arrivals that `sealed` gave just now."""
        age = self._spool.age
        is_being_sent = bool(waiting) and 0 <= age(self._spool.newest()) < SENDING_SECONDS
        self._is_gentle = is_being_sent and age(waiting[0]) < PATIENCE_SECONDS
        return self._is_gentle

    def rest(self, seconds: float) -> float:
        """How many seconds to rest after the batch, which took so many."""
        return min(REST * seconds, PATIENCE_SECONDS) if self._is_gentle else 0.0
