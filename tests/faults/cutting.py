"""A TCP relay that cuts the connection of each called AE title once, at a byte, and from then on passes all on."""

import select
import socket
import struct
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from tests.faults.answering import End
from tests.support.relay import relaying


@dataclass(frozen=True)
class Cut:
    """After so many bytes of the requestor, or `of_answers` of the acceptor, both connections end, by FIN or RST."""

    at: int
    end: End
    of_answers: bool = False


class Relay:
    """Every connection in a thread of its own; `left` is how far off each cut is, `done` are those that came."""

    def __init__(self, cuts: Mapping[str, Cut]) -> None:
        self._cuts = cuts
        self.left = {title: cut.at for title, cut in cuts.items()}
        self.done: set[str] = set()

    def pass_on(self, near: socket.socket, far: socket.socket) -> None:
        """In a thread of its own."""
        threading.Thread(target=self._serve, args=(near, far), daemon=True).start()

    def _serve(self, near: socket.socket, far: socket.socket) -> None:
        with suppress(OSError), near, far:
            title = near.recv(26, socket.MSG_PEEK | socket.MSG_WAITALL)[10:].decode().strip()  # PS3.8 9.3.2
            self._up_to_cut(near, far, title)

    def _up_to_cut(self, near: socket.socket, far: socket.socket, title: str) -> None:
        cut = self._cuts.get(title)
        counted = None
        if cut is not None and title not in self.done:
            counted = far if cut.of_answers else near
        reading = {near: far, far: near}
        while reading:
            for source in select.select(list(reading), [], [])[0]:
                data = source.recv(65536)
                if source is counted and cut is not None:
                    data, beyond = data[: self.left[title]], len(data) >= self.left[title]
                    self.left[title] -= len(data)
                    reading[source].sendall(data)
                    if beyond:
                        self.done.add(title)
                        _end(near, far, cut.end)
                        return
                elif data:
                    reading[source].sendall(data)
                if not data:
                    reading.pop(source).shutdown(socket.SHUT_WR)


def _end(near: socket.socket, far: socket.socket, end: End) -> None:
    """Both are closed after this; unread bytes would make a FIN a reset."""
    for sock in (near, far):
        if end is End.RST:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        else:
            sock.shutdown(socket.SHUT_WR)
            sock.settimeout(10)
    if end is End.FIN:
        for sock in (near, far):
            while sock.recv(65536):
                pass


@contextmanager
def cutting(to_port: int, cuts: Mapping[str, Cut]) -> Iterator[tuple[int, Relay]]:
    """A relay on a free port of the loopback; its port and itself."""
    relay = Relay(cuts)
    with relaying(to_port, relay.pass_on) as port:
        yield port, relay
