"""Accepts connections on given sockets; each that speaks gets a thread. The sockets stay their owner's."""

import selectors
import socket
import threading
import time
from collections.abc import Sequence
from functools import partial
from queue import Queue

import structlog

from router.dimse.breach import Breach
from router.dimse.conversation import converse
from router.dimse.doorstep import Doorstep
from router.dimse.reception import Reception
from router.dimse.seats import Seats
from router.dimse.sources import plain_address
from router.dimse.stream import Stream

_TICK_SECONDS = 1.0
_LAST_SECONDS = 10.0
_SILENT_FOR_ONE_ASKING = 5  # they cost no thread, and who is slow to speak in a flood shall have the time
_MOST_WAITING = 16  # for a thread; more, and somebody might have to make room before he is heard
_PAUSE_SECONDS = 0.2  # after the system had no socket or thread left

log = structlog.get_logger(__name__)


class Listener:
    """Serves associations from `start` to `stop`; `reconfigure` holds for associations that begin after it."""

    def __init__(
        self, sockets: Sequence[socket.socket], reception: Reception, secured: Sequence[socket.socket] = ()
    ) -> None:
        """Connections on the sockets `secured` begin with a TLS handshake, in the association's own thread."""
        self._sockets = (*sockets, *secured)
        self._secured = frozenset(secured)
        self._reception = reception
        self._guard = threading.Lock()
        self._running: dict[threading.Thread, Stream] = {}
        self._seats = Seats()
        self._stopping = threading.Event()
        self._wake_reader, self._wake_writer = socket.socketpair()
        self._thread = threading.Thread(target=self._loop, name="listener", daemon=True)
        self._to_start: Queue[tuple[threading.Thread, str, Stream] | None] = Queue(_MOST_WAITING)
        self._usher = threading.Thread(target=self._start_threads, name="usher", daemon=True)

    @property
    def running(self) -> int:
        """How many connections have a thread now."""
        with self._guard:
            return len(self._running)

    def start(self) -> None:
        """Begin to accept."""
        self._thread.start()
        self._usher.start()

    def reconfigure(self, reception: Reception) -> None:
        """What holds for associations from now on; those that run keep what they began with."""
        self._reception = reception

    def accept_no_more(self) -> None:
        """Leave the sockets alone from now on; running associations go on. Harmless when repeated."""
        if self._stopping.is_set():
            return
        self._stopping.set()
        self._wake_writer.send(b"\0")
        self._thread.join()
        self._to_start.put(None)
        self._usher.join()

    def stop(self, drain_seconds: float) -> None:
        """Accept no more, let running associations end by themselves for so long, then abort them.

        Who calls meanwhile waits in the backlog of the sockets, which are not closed here. Harmless when repeated.
        """
        self.accept_no_more()
        deadline = time.monotonic() + drain_seconds
        with self._guard:
            running = dict(self._running)
        for thread in running:
            thread.join(max(0.0, deadline - time.monotonic()))
        for thread, stream in running.items():
            if thread.is_alive():
                stream.stop()
        for thread in running:
            thread.join(_LAST_SECONDS)  # waits of a stopped stream end at once, its last word within linger_seconds
        self._wake_reader.close()
        self._wake_writer.close()

    def _loop(self) -> None:
        with selectors.DefaultSelector() as selector:
            doorstep = Doorstep(selector)
            selector.register(self._wake_reader, selectors.EVENT_READ, lambda: None)
            for sock in self._sockets:
                sock.setblocking(False)
                selector.register(sock, selectors.EVENT_READ, partial(self._accept, sock, doorstep))
            while not self._stopping.is_set():
                ready = [key for key, _ in selector.select(_TICK_SECONDS)]
                # whoever has spoken is heard before somebody new, for whom it might have to make room
                for key in sorted(ready, key=lambda each: each.fileobj in self._sockets):
                    try:
                        key.data()
                    except Exception:  # the border of a work loop: one connection must not end all those to come
                        log.exception("connection lost while it was taken")
                for host in doorstep.expire(time.monotonic() - self._reception.limits.first_pdu_seconds):
                    self._unheard(host)
            doorstep.close()

    def _accept(self, listening: socket.socket, doorstep: Doorstep) -> None:
        try:
            sock, address = listening.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return  # the caller has gone again, or another process was faster
        except OSError as error:
            pushed_out = doorstep.make_room()  # mostly it is descriptors that there are no more of
            if pushed_out is None:
                log.error("cannot accept connections", error=error.strerror)  # noqa: TRY400 - the trace says no more
                self._stopping.wait(_PAUSE_SECONDS)
            else:
                self._unheard(pushed_out)
            return
        host = plain_address(str(address[0]))
        begin = partial(self._begin, host, is_secured=listening in self._secured)
        most = _SILENT_FOR_ONE_ASKING * self._reception.limits.unassociated
        pushed_out = doorstep.add(host, sock, most, begin)
        if pushed_out is not None:
            self._unheard(pushed_out)

    def _unheard(self, host: str) -> None:
        """A connection from `host` was closed that had said nothing."""
        self._reception.alarm(Breach.NO_REQUEST, host, "")

    def _begin(self, host: str, sock: socket.socket, since: float, *, is_secured: bool) -> None:
        reception = self._reception
        if is_secured and reception.tls is None:  # taken out of the configuration since the socket was opened
            sock.close()
            return
        stream = reception.tls.stream(sock) if is_secured and reception.tls else Stream(sock)
        thread = threading.Thread(
            target=self._serve, args=(stream, host, reception, since), name=f"dicom {host}", daemon=True
        )
        with self._guard:
            self._running[thread] = stream
        self._seats.come(host, stream, reception.limits)
        self._to_start.put((thread, host, stream))

    def _start_threads(self) -> None:
        """Beside the listener, since each is waited for; whoever had to make room meanwhile needs none."""
        while (waiting := self._to_start.get()) is not None:
            thread, host, stream = waiting
            if stream.is_dropped:
                self._unheard(host)
                self._forget(thread, host, stream)
                continue
            try:
                thread.start()
            except RuntimeError:
                log.error("cannot start a thread for a connection", host=host)  # noqa: TRY400 - the trace says no more
                self._forget(thread, host, stream)
                self._stopping.wait(_PAUSE_SECONDS)

    def _serve(self, stream: Stream, host: str, reception: Reception, since: float) -> None:
        admit = partial(self._seats.take, host, stream, reception.limits)
        try:
            converse(stream, host, reception, since=since, admit=admit)
        finally:
            self._forget(threading.current_thread(), host, stream)

    def _forget(self, thread: threading.Thread, host: str, stream: Stream) -> None:
        stream.close()
        self._seats.leave(host, stream)
        with self._guard:
            del self._running[thread]
