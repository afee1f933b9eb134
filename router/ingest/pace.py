"""How fast is filed: with all there is, or beside somebody who is sending and goes first. Files nothing, rests nowhere.

A decision with figures: docs/decisions/0012-filing-beside-a-stream.md.
"""

from collections.abc import Iterator, Sequence

from archive import Spool

SENDING_SECONDS = 0.03  # since the newest arrived: the next is being sent just now
PATIENCE_SECONDS = 1.0  # that what waits is filed the slower for it, and the longest rest
LOOK_SECONDS = SENDING_SECONDS / 2  # between two looks, in a rest, at who is sending


class Pace:
    """The pace of who files what one spool holds."""

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self._is_gentle = False

    def is_gentle(self, waiting: Sequence[str]) -> bool:
        """Whether the next batch is filed beside a stream; `waiting` are the arrivals that `sealed` gave just now."""
        is_patient = bool(waiting) and self._spool.age(waiting[0]) < PATIENCE_SECONDS
        self._is_gentle = is_patient and self._is_being_sent()
        return self._is_gentle

    def rests(self, seconds: float) -> Iterator[float]:
        """The rests, in seconds, after the batch: in all as long as it took, `seconds`, or until the stream ends."""
        left = min(seconds, PATIENCE_SECONDS)
        while self._is_gentle and left > 0:
            self._spool.sealed(1)
            if not self._is_being_sent():
                return
            yield min(left, LOOK_SECONDS)
            left -= LOOK_SECONDS

    def _is_being_sent(self) -> bool:
        """Whether the newest arrival that was seen came just now."""
        newest = self._spool.newest()
        return bool(newest) and 0 <= self._spool.age(newest) < SENDING_SECONDS
