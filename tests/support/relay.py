"""TCP relays: what they have in common, and one that keeps what each of two peers says and changes nothing."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

PassOn = Callable[[socket.socket, socket.socket], None]  # both ends of a connection; not waited for


@dataclass
class Recording:
    """What was said over the connections of one relay; in order of time, as long as they come one after the other."""

    port: int
    requestor: bytearray = field(default_factory=bytearray)
    acceptor: bytearray = field(default_factory=bytearray)
    running: list[threading.Thread] = field(default_factory=list)

    def pass_on(self, near: socket.socket, far: socket.socket) -> None:
        """Both ways, each in a thread of its own."""
        for source, sink, kept in ((near, far, self.requestor), (far, near, self.acceptor)):
            thread = threading.Thread(target=_pump, args=(source, sink, kept), daemon=True)
            self.running.append(thread)
            thread.start()

    def finish(self) -> None:
        """Wait until every connection is at its end."""
        for thread in list(self.running):
            thread.join(10)


@contextmanager
def relay(to_port: int) -> Iterator[Recording]:
    """A relay on a free port of the loopback to another one."""
    recording = Recording(0)
    with relaying(to_port, recording.pass_on) as recording.port:
        yield recording
        recording.finish()


def connect_all(listening: socket.socket, to_port: int, pass_on: PassOn) -> None:
    """Until nobody listens any more: hand on each connection, with one to the port, both without Nagle's delay."""
    with suppress(OSError):
        while True:
            near, _ = listening.accept()
            try:
                far = socket.create_connection(("127.0.0.1", to_port))
                for sock in (near, far):
                    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            except OSError:
                near.close()
                continue
            pass_on(near, far)


@contextmanager
def relaying(to_port: int, pass_on: PassOn) -> Iterator[int]:
    """The same on a free port of the loopback, which is given, until the end of the block."""
    with socket.create_server(("127.0.0.1", 0), backlog=256) as listening:
        accepting = threading.Thread(target=connect_all, args=(listening, to_port, pass_on), daemon=True)
        accepting.start()
        try:
            yield listening.getsockname()[1]
        finally:
            with suppress(OSError):
                listening.shutdown(socket.SHUT_RDWR)
            accepting.join(10)


def _pump(source: socket.socket, sink: socket.socket, kept: bytearray) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            kept += data
            sink.sendall(data)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_WR)
