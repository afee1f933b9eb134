"""Connections that have said nothing yet: held in the loop of a selector, without a thread for any of them."""

import selectors
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from math import inf

from router.dimse.waiting_room import WaitingRoom

Speaks = Callable[[socket.socket, float], None]  # the connection, and since when (monotonic) it has been there


class Doorstep:
    """Sockets in a selector, whose keys' data are called when they are ready; used by the selector's thread alone.

    A connection that closes again is let go; PS3.8 9.2 (AA-2) closes without a word one that asks for nothing in time.
    """

    def __init__(self, selector: selectors.BaseSelector) -> None:
        self._selector = selector
        self._room: WaitingRoom[socket.socket] = WaitingRoom()

    def add(self, host: str, sock: socket.socket, most: int, speaks: Speaks) -> str | None:
        """Wait for the first byte of a new connection, and call `speaks` when it is there to be read.

        With more than `most` here one is closed, whose address is returned: see `WaitingRoom.enter`.
        """
        now = time.monotonic()
        sock.setblocking(False)
        self._selector.register(sock, selectors.EVENT_READ, partial(self._ready, host, sock, now, speaks))
        return self._pushed_out(self._room.enter(host, sock, now, most))

    def make_room(self) -> str | None:
        """Close one, because something else is short; its address, None when there is none."""
        return self._pushed_out(self._room.push_out())

    def expire(self, instant: float) -> list[str]:
        """Close those that came before `instant`; their addresses."""
        late = self._room.entered_before(instant)
        for host, sock in late:
            self._close(host, sock)
        return [host for host, _ in late]

    def close(self) -> None:
        """Close all."""
        self.expire(inf)

    def _pushed_out(self, caller: tuple[str, socket.socket] | None) -> str | None:
        if caller is None:
            return None
        self._close(*caller)
        return caller[0]

    def _ready(self, host: str, sock: socket.socket, since: float, speaks: Speaks) -> None:
        try:
            has_spoken = bool(sock.recv(1, socket.MSG_PEEK))
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            has_spoken = False
        if not has_spoken:
            self._close(host, sock)
            return
        self._leave(host, sock)
        speaks(sock, since)

    def _leave(self, host: str, sock: socket.socket) -> None:
        self._room.leave(host, sock)
        self._selector.unregister(sock)

    def _close(self, host: str, sock: socket.socket) -> None:
        self._leave(host, sock)
        with suppress(OSError):
            sock.close()
