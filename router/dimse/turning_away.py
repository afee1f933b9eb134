"""Tells connections beyond the caps to come again later, without a thread for any of them; decides on no cap."""

import selectors
import socket
import time
from contextlib import suppress
from functools import partial

from router.dimse.pdu import reject_pdu

_TRANSIENT, _BY_PRESENTATION_PROVIDER, _LOCAL_LIMIT_EXCEEDED = 2, 3, 2  # PS3.8 table 9-21
_ANSWER = reject_pdu(_TRANSIENT, _BY_PRESENTATION_PROVIDER, _LOCAL_LIMIT_EXCEEDED)
_SECONDS = 3.0
_MOST = 256


class TurnedAway:
    """Sockets turned away in the loop of a selector, whose keys' data are called when they are ready."""

    def __init__(self, selector: selectors.BaseSelector) -> None:
        self._selector = selector
        self._deadlines: dict[socket.socket, float] = {}  # in order of arrival, so in order of deadline
        self._told: set[socket.socket] = set()

    def add(self, sock: socket.socket) -> None:
        """Turn one away; when too many are still there, the oldest is closed."""
        if len(self._deadlines) >= _MOST:
            self._close(next(iter(self._deadlines)))
        sock.setblocking(False)
        self._deadlines[sock] = time.monotonic() + _SECONDS
        self._selector.register(sock, selectors.EVENT_READ, partial(self._ready, sock))

    def _ready(self, sock: socket.socket) -> None:
        """Something is to be read from `sock`: answer what it asked, or close it when it has closed."""
        try:
            data = sock.recv(65536)
            if data and sock not in self._told:
                sock.send(_ANSWER)
                sock.shutdown(socket.SHUT_WR)
                self._told.add(sock)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data = b""
        if not data:
            self._close(sock)

    def expire(self, now: float) -> None:
        """Close those whose time (monotonic) is over."""
        while self._deadlines:
            oldest, deadline = next(iter(self._deadlines.items()))
            if deadline > now:
                return
            self._close(oldest)

    def close(self) -> None:
        """Close all."""
        for sock in list(self._deadlines):
            self._close(sock)

    def _close(self, sock: socket.socket) -> None:
        self._deadlines.pop(sock, None)
        self._told.discard(sock)
        self._selector.unregister(sock)
        with suppress(OSError):
            sock.close()
