"""A destination's end of the wire, byte by byte, which answers each called AE title by its own script.

It keeps digests, never data. Run as a program it takes everything and writes each copy into a ledger.
"""

import hashlib
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from tests.faults.responding import Request, accepting, requested, response

_P_DATA, _RELEASE, _ABORT = 4, 5, 7


class End(Enum):
    """How a peer ends a connection."""

    ABORT = "A-ABORT"
    FIN = "FIN"
    RST = "RST"


Step = int | bytes | End  # a status, a whole command set, or the end


@dataclass
class Script:
    """What the peer does under one AE title, and what it saw.

    `answer` gives what follows a request, `rejection` (result, source, reason) what the n-th association gets, None
    for none, `context_result` each presentation context of an accepted one; it answers after `seconds`.
    """

    answer: Callable[[Request], Sequence[Step]] = lambda _: (0x0000,)
    rejection: Callable[[int], tuple[int, int, int] | None] = lambda _: None
    context_result: int = 0
    seconds: float = 0.0
    associations: int = 0
    requests: list[Request] = field(default_factory=list)

    def copies(self) -> dict[str, set[str]]:
        """Of each UID the digests of the data sets that came whole."""
        found: dict[str, set[str]] = {}
        for request in self.requests:
            found.setdefault(request.uid, set()).add(request.sha256)
        return found


@dataclass(frozen=True)
class Pace:
    """How it reads: so many bytes a call at most, from a receive buffer of so many bytes (0: the system's)."""

    piece: int = 65536
    buffer: int = 0


@contextmanager
def answering(
    scripts: Mapping[str, Script], address: tuple[str, int] = ("127.0.0.1", 0), pace: Pace | None = None
) -> Iterator[int]:
    """A peer that is called by each of these AE titles; gives its port."""
    pace = pace or Pace()
    with socket.create_server(address, backlog=256) as listening:
        if pace.buffer:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, pace.buffer)
        thread = threading.Thread(target=_accept, args=(listening, scripts, pace), daemon=True)
        thread.start()
        try:
            yield listening.getsockname()[1]
        finally:
            with suppress(OSError):
                listening.shutdown(socket.SHUT_RDWR)
            thread.join(10)


def _accept(listening: socket.socket, scripts: Mapping[str, Script], pace: Pace) -> None:
    with suppress(OSError):
        while True:
            sock, _ = listening.accept()
            threading.Thread(target=_Answerer(sock, scripts, pace).run, daemon=True).start()


class _Answerer:
    """One connection."""

    def __init__(self, sock: socket.socket, scripts: Mapping[str, Script], pace: Pace) -> None:
        self._socket = sock
        self._scripts = scripts
        self._piece = pace.piece
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def run(self) -> None:
        with suppress(OSError, EOFError), self._socket:
            script = self._associate()
            while script is not None and self._message(script):
                pass

    def _associate(self) -> Script | None:
        _, body = self._pdu()
        script = self._scripts[body[4:20].decode().strip()]
        script.associations += 1
        rejection = script.rejection(script.associations)
        if rejection is not None:
            self._socket.sendall(struct.pack(">BxIx3B", 3, 4, *rejection))
            self._socket.recv(1)
            return None
        self._socket.sendall(accepting(body, script.context_result))
        return script

    def _message(self, script: Script) -> bool:
        """Take one request and answer it; False at the end."""
        digest, command = hashlib.sha256(), b""
        while True:
            kind, body = self._pdu()
            if kind == _RELEASE:
                self._socket.sendall(struct.pack(">BxI4x", 6, 4))
            if kind != _P_DATA:
                return False
            while body:
                length, context, control = struct.unpack_from(">IBB", body)
                value, body = body[6 : 4 + length], body[4 + length :]
                if control & 1:
                    command += value
                else:
                    digest.update(value)
            if control == 2:
                request = requested(len(script.requests) + 1, command, digest.hexdigest())
                script.requests.append(request)
                time.sleep(script.seconds)
                return all(self._take(step, request, context) for step in script.answer(request))

    def _take(self, step: Step, request: Request, context: int) -> bool:
        """Take one step of an answer; False if it was the last one ever."""
        if step is End.ABORT:
            self._socket.sendall(struct.pack(">BxI4x", _ABORT, 4))
        elif step is End.RST:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        elif not isinstance(step, End):
            raw = response(request, x0900=struct.pack("<H", step)) if isinstance(step, int) else step
            self._socket.sendall(struct.pack(">BxIIBB", _P_DATA, len(raw) + 6, len(raw) + 2, context, 3) + raw)
        return not isinstance(step, End)

    def _pdu(self) -> tuple[int, bytes]:
        kind, length = struct.unpack(">BxI", self._read(6))
        return kind, self._read(length)

    def _read(self, length: int) -> bytes:
        data = bytearray()
        while len(data) < length:
            some = self._socket.recv(min(self._piece, length - len(data)))
            if not some:
                raise EOFError
            data += some
        return bytes(data)


def main() -> None:
    """HOST PORT AE-TITLE LEDGER BYTES-A-READ RECEIVE-BUFFER SECONDS-TO-ANSWER: takes everything until it is ended."""
    host, port, title, ledger, piece, buffer, seconds = sys.argv[1:]
    with Path(ledger).open("a", encoding="utf-8", buffering=1) as notes:

        def note(request: Request) -> Sequence[Step]:
            notes.write(f"{request.uid} {request.sha256}\n")
            return (0x0000,)

        script = Script(answer=note, seconds=float(seconds))
        with answering({title: script}, (host, int(port)), Pace(int(piece), int(buffer))):
            threading.Event().wait()


if __name__ == "__main__":
    main()
