"""Who may associate: connections that ask for it within one cap, associations within two others. Speaks to no peer."""

import time
from collections import Counter
from threading import Lock

from router.dimse.limits import Limits
from router.dimse.stream import Stream
from router.dimse.waiting_room import WaitingRoom

_MOST_VERIFYING = 50


class Seats:
    """A seat for every association; whoever has none yet may be pushed out by those who come after. For all threads.

    Who only verifies needs no seat, so that an echo is answered when all are taken; echoes push out one another.
    """

    def __init__(self) -> None:
        self._guard = Lock()
        self._asking: WaitingRoom[Stream] = WaitingRoom()
        self._verifying: WaitingRoom[Stream] = WaitingRoom()
        self._seated: dict[Stream, str] = {}
        self._hosts: Counter[str] = Counter()

    def come(self, host: str, stream: Stream, limits: Limits) -> None:
        """A connection begins to ask; one that has asked for too long is dropped when too many do."""
        with self._guard:
            pushed_out = self._asking.enter(host, stream, time.monotonic(), limits.unassociated)
        if pushed_out is not None:
            pushed_out[1].drop()

    def take(self, host: str, stream: Stream, limits: Limits, *, only_verifies: bool) -> bool:
        """A seat for this connection; False when all are taken, in all or by its address."""
        if only_verifies:
            return self._verify(host, stream)
        with self._guard:
            if len(self._seated) >= limits.associations or self._hosts[host] >= limits.per_host:
                return False
            if not self._asking.leave(host, stream):
                return False  # pushed out a moment ago
            self._seated[stream] = host
            self._hosts[host] += 1
            return True

    def _verify(self, host: str, stream: Stream) -> bool:
        with self._guard:
            if not self._asking.leave(host, stream):
                return False
            pushed_out = self._verifying.enter(host, stream, time.monotonic(), _MOST_VERIFYING)
        if pushed_out is not None:
            pushed_out[1].drop()
        return True

    def leave(self, host: str, stream: Stream) -> None:
        """The connection has ended, seated or not."""
        with self._guard:
            if self._seated.pop(stream, None) is None:
                _ = self._asking.leave(host, stream) or self._verifying.leave(host, stream)
                return
            self._hosts[host] -= 1
            if not self._hosts[host]:
                del self._hosts[host]
