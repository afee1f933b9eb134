"""A connected socket with deadlines: bytes in, bytes out, no delayed acknowledgements. Knows nothing of PDUs."""

import select
import socket
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from struct import pack
from time import monotonic

from router.errors import AssociationAborted, PeerSilent

_QUICKACK: int | None = getattr(socket, "TCP_QUICKACK", None)  # Linux only, and soon forgotten by it: said each time
_HAS_POLL = hasattr(select, "poll")
_HAS_SENDMSG = hasattr(socket.socket, "sendmsg")
_MOST_BUFFERS = 512  # a kernel takes at least 1,024 in one call (IOV_MAX)
_SLICE_SECONDS = 1  # how long a wait may last before the order to stop is looked at again
_PATIENT_SECONDS = 10  # the same for one in the kernel, which the order to stop ends
_AT_ONCE, _ALL = getattr(socket, "MSG_DONTWAIT", 0), getattr(socket, "MSG_WAITALL", 0)


class Stream:
    """One connected stream socket; deadlines are readings of the monotonic clock.

    A wait ends with PeerSilent at its deadline, however many bytes dripped in before it, and with AssociationAborted
    when the peer closed or `stop` was called from another thread.
    """

    can_wait_in_kernel = sys.platform == "linux"  # for a slice of time; elsewhere a call returns at once, and we wait

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._is_stopped = self._is_dropped = False
        self._is_unanswered = False  # something came, and nothing was sent since that acknowledges it
        self._quickack: int | None = None  # the option, where there is one
        self._receive: Callable[[memoryview, int, int], int] = sock.recv_into  # as that: view, 0 for all of it, flags
        self._send: Callable[[Sequence[bytes | memoryview], tuple[()], int], int] = (
            sock.sendmsg if _HAS_SENDMSG else partial(_send_joined, sock)  # as the first: buffers, (), flags
        )
        self._readable = self._writable = None
        if _HAS_POLL:
            self._readable, self._writable = select.poll(), select.poll()
            self._readable.register(sock, select.POLLIN)
            self._writable.register(sock, select.POLLOUT)
        sock.setblocking(self.can_wait_in_kernel)
        if self.can_wait_in_kernel:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, pack("ll", _PATIENT_SECONDS, 0))
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, pack("ll", _SLICE_SECONDS, 0))
        with suppress(OSError):  # not a TCP socket, or already gone: the next read tells
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            if _QUICKACK is not None:
                sock.setsockopt(socket.IPPROTO_TCP, _QUICKACK, 1)
                self._quickack = _QUICKACK

    @property
    def security(self) -> dict[str, str]:
        """What protects this stream, for the log: the TLS version and who the peer proved to be; nothing here."""
        return {}

    @property
    def is_stopped(self) -> bool:
        """True after `stop`."""
        return self._is_stopped

    @property
    def is_dropped(self) -> bool:
        """True after `drop`."""
        return self._is_dropped

    def receive_into(self, view: memoryview, deadline: float, *, all_of_it: bool = False) -> int:
        """Wait for bytes and put them into `view`; how many came, at least one.

        With `all_of_it` it may wait until `view` is full, or a slice of time is over.
        """
        while True:
            if self._is_stopped:
                raise AssociationAborted("the association was ended by this side")
            left = deadline - monotonic()
            if left <= 0:
                raise PeerSilent
            may_wait = self.can_wait_in_kernel and left > _PATIENT_SECONDS
            flags = (_ALL if all_of_it else 0) if may_wait else _AT_ONCE
            try:
                if self._is_unanswered and self._quickack is not None:  # or it costs some peers 40 ms a message
                    self._socket.setsockopt(socket.IPPROTO_TCP, self._quickack, 1)
                count = self._receive(view, 0, flags)
            except (BlockingIOError, InterruptedError):
                if not may_wait:
                    self._wait(deadline, for_reading=True)
                continue
            except OSError as error:
                raise AssociationAborted("the connection was lost") from error
            if not count:
                raise AssociationAborted("the peer closed the connection")
            self._is_unanswered = True
            return count

    def send(self, buffers: Sequence[bytes | memoryview], deadline: float, each_seconds: float = 0.0) -> None:
        """Hand all buffers to the kernel, in order; each one gone moves the deadline to `each_seconds` from then."""
        self._is_unanswered = False
        while buffers:
            if self._is_stopped:
                raise AssociationAborted("the association was ended by this side")
            may_wait = self.can_wait_in_kernel and deadline - monotonic() > _PATIENT_SECONDS
            try:
                count = self._send(buffers[:_MOST_BUFFERS], (), 0 if may_wait else _AT_ONCE)
            except (BlockingIOError, InterruptedError):
                if not may_wait:
                    self._wait(deadline, for_reading=False)
                continue
            except OSError as error:
                raise AssociationAborted("the connection was lost") from error
            before = len(buffers)
            if before == 1 and count == len(buffers[0]):
                return
            buffers = _without(buffers, count)
            if each_seconds and len(buffers) < before:
                deadline = monotonic() + each_seconds

    def has_spoken(self) -> bool:
        """True when unread bytes or the end of the connection are there; does not wait."""
        try:
            if self._readable is not None:
                return bool(self._readable.poll(0))
            return bool(select.select([self._socket], [], [], 0)[0])
        except (OSError, ValueError):
            return True

    def last_word(self, data: bytes, seconds: float) -> None:
        """Send the last PDU, let the peer read it and close, and close; never raises.

        Closing with unread bytes would make the kernel reset the connection, and the peer might never see `data`.
        """
        deadline = monotonic() + seconds
        self._is_stopped = False
        with suppress(AssociationAborted, PeerSilent, OSError):
            self.send([data], deadline)
            self._end_sending()
            sink = memoryview(bytearray(65536))
            while True:
                self.receive_into(sink, deadline)
        self.close()

    def stop(self) -> None:
        """From another thread: end whatever wait this stream is in."""
        self._is_stopped = True
        with suppress(OSError):
            self._shut(socket.SHUT_RD)

    def drop(self) -> None:
        """From another thread: end the connection at once, without a last word."""
        self._is_dropped = True
        self._is_stopped = True
        with suppress(OSError):
            self._shut(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close the socket."""
        with suppress(OSError):
            self._socket.close()

    def _end_sending(self) -> None:
        self._shut(socket.SHUT_WR)

    def _shut(self, how: int) -> None:
        self._socket.shutdown(how)

    def _wait(self, deadline: float, *, for_reading: bool) -> None:
        """Wait until the socket is ready or a slice of time is over; PeerSilent when there is no time left."""
        seconds = deadline - monotonic()
        if seconds <= 0:
            raise PeerSilent
        seconds = min(seconds, _SLICE_SECONDS)
        try:
            poller = self._readable if for_reading else self._writable
            if poller is not None:
                poller.poll(seconds * 1000 + 1)
            elif for_reading:
                select.select([self._socket], [], [], seconds)
            else:
                select.select([], [self._socket], [self._socket], seconds)
        except (OSError, ValueError) as error:
            raise AssociationAborted("the connection was closed") from error


def _send_joined(sock: socket.socket, buffers: Sequence[bytes | memoryview], _: tuple[()], flags: int, /) -> int:
    """As `sendmsg`, where there is none."""
    return sock.send(b"".join(buffers), flags)


def _without(buffers: Sequence[bytes | memoryview], count: int) -> Sequence[bytes | memoryview]:
    """The buffers without their first `count` bytes."""
    for index, buffer in enumerate(buffers):
        if count < len(buffer):
            return [memoryview(buffer)[count:], *buffers[index + 1 :]]
        count -= len(buffer)
    return ()
