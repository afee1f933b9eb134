"""A TCP relay between two peers that keeps what each of them says; it changes nothing."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field


@dataclass
class Recording:
    """What was said over the connections of one relay; in order of time, as long as they come one after the other."""

    port: int
    requestor: bytearray = field(default_factory=bytearray)
    acceptor: bytearray = field(default_factory=bytearray)
    running: list[threading.Thread] = field(default_factory=list)

    def finish(self) -> None:
        """Wait until every connection is at its end."""
        for thread in list(self.running):
            thread.join(10)


@contextmanager
def relay(to_port: int) -> Iterator[Recording]:
    """A relay on a free port of the loopback to another one."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        recording = Recording(listening.getsockname()[1])
        accepting = threading.Thread(target=_accept, args=(listening, to_port, recording), daemon=True)
        accepting.start()
        try:
            yield recording
            recording.finish()
        finally:
            with suppress(OSError):
                listening.shutdown(socket.SHUT_RDWR)
            accepting.join(10)


def _accept(listening: socket.socket, to_port: int, recording: Recording) -> None:
    with suppress(OSError):
        while True:
            near, _ = listening.accept()
            far = socket.create_connection(("127.0.0.1", to_port))
            for source, sink, kept in ((near, far, recording.requestor), (far, near, recording.acceptor)):
                sink.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                thread = threading.Thread(target=_pump, args=(source, sink, kept), daemon=True)
                recording.running.append(thread)
                thread.start()


def _pump(source: socket.socket, sink: socket.socket, kept: bytearray) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            kept += data
            sink.sendall(data)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_WR)
