"""A destination that is DCMTK's `storescp` behind a relay, which cuts a delivery at a byte or swallows an answer.

The relay changes no byte. What it cuts it cuts on both sides, by FIN or by RST.
"""

import random
import socket
import struct
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path

from tests.support.dcmtk import storescp
from tests.support.relay import connect_all

LATEST_BYTE = 3000  # after it is asked for; a study has some 5,000 on the wire
_P_DATA = 4
_RESET = struct.pack("ii", 1, 0)


class Relayed:
    """`storescp`, which writes each copy into a file of its own in `folder`; `note` hears of what comes about."""

    def __init__(self, folder: Path, port: int, note: Callable[[str], None]) -> None:
        self._port = port
        self._note = note
        self._guard = threading.Lock()
        self._gone = threading.Lock()  # by whoever lets it be down
        self._cuts: list[tuple[int, bool]] = []  # how many bytes from now on, and whether by RST
        self._swallows = 0
        self._connections: set[socket.socket] = set()
        self._stack = ExitStack()
        self._there = self._stack.enter_context(storescp(folder, "--unique-filenames"))
        self._listening = self._listen()

    def trouble(self, kind: str, chance: random.Random) -> None:
        """Let it happen at the next chance."""
        with self._guard:
            if kind == "delivery cut at a byte":
                self._cuts.append((chance.randrange(1, LATEST_BYTE), chance.random() < 0.5))
            else:
                self._swallows += 1

    def down(self, seconds: float) -> None:
        """Nobody listens for a while, and every connection is cut."""
        with self._gone:
            self._stop()
            self._note("receiver is down")
            time.sleep(seconds)
            self._listening = self._listen()

    def close(self) -> None:
        """Stop for good."""
        self._stop()
        self._stack.close()

    def _listen(self) -> socket.socket:
        listening = socket.create_server(("127.0.0.1", self._port))
        threading.Thread(target=connect_all, args=(listening, self._there, self._pass_on), daemon=True).start()
        return listening

    def _stop(self) -> None:
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for each in list(self._connections):
            _cut(each, is_reset=False)

    def _pass_on(self, near: socket.socket, far: socket.socket) -> None:
        self._connections |= {near, far}
        for pump in (self._there_from, self._back_from):
            threading.Thread(target=pump, args=(near, far), daemon=True).start()

    def _there_from(self, near: socket.socket, far: socket.socket) -> None:
        """What the appliance says, up to the byte where it is to be cut."""
        with suppress(OSError):
            while data := near.recv(65536):
                passed, is_reset = self._up_to_cut(len(data))
                far.sendall(data[:passed])
                if is_reset is not None:
                    self._note("delivery cut at a byte")
                    self._end(near, far, is_reset=is_reset)
        self._end(near, far, is_reset=False)

    def _up_to_cut(self, length: int) -> tuple[int, bool | None]:
        """How many of so many bytes may pass, and whether a reset or, by False, an end comes then; None for neither."""
        with self._guard:
            if not self._cuts:
                return length, None
            left, is_reset = self._cuts[0]
            if left > length:
                self._cuts[0] = (left - length, is_reset)
                return length, None
            self._cuts.pop(0)
            return left, is_reset

    def _back_from(self, near: socket.socket, far: socket.socket) -> None:
        """What `storescp` says, but for an answer that is to be swallowed: after it the connection is gone."""
        with suppress(OSError):
            while data := far.recv(65536):
                if data[0] == _P_DATA and self._is_swallowed():
                    _take_rest(far, data)
                    self._note("answer of the destination swallowed")
                    self._end(near, far, is_reset=True)
                near.sendall(data)
        self._end(near, far, is_reset=False)

    def _is_swallowed(self) -> bool:
        with self._guard:
            self._swallows -= (is_swallowed := self._swallows > 0)
        return is_swallowed

    def _end(self, near: socket.socket, far: socket.socket, *, is_reset: bool) -> None:
        for each in (near, far):
            self._connections.discard(each)
            _cut(each, is_reset=is_reset)


def _take_rest(far: socket.socket, data: bytes) -> None:
    """Up to the end of the PDU: `storescp` writes its head and its body one by one, and who cannot keeps no copy."""
    while len(data) < (length := 6 + int.from_bytes(data[2:6].ljust(4, b"\xff"), "big")):
        if not (more := far.recv(min(length - len(data), 65536))):
            return
        data += more


def _cut(connection: socket.socket, *, is_reset: bool) -> None:
    """End it both ways, also for a thread that waits for it."""
    with suppress(OSError):
        if is_reset:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        connection.shutdown(socket.SHUT_RD if is_reset else socket.SHUT_RDWR)
    connection.close()
