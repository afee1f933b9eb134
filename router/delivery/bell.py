"""A bell between programs of one machine: who orders something rings, and the lines look at once. Says nothing of what.

A datagram on the loopback interface, to the port that stands in a file. It is only the quick way: lines look into the
queue by themselves, too, and so nothing depends on a ring that another machine, or a full disk, keeps from being heard.
"""

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

_LOOPBACK = "127.0.0.1"
_APART_SECONDS = 0.02  # two rings that are heard, however many there are


class Bell:
    """The bell of one data folder."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def ring(self) -> None:
        """Have whoever listens look; never fails."""
        with suppress(OSError, ValueError, OverflowError), _datagrams() as sock:
            sock.sendto(b"\n", (_LOOPBACK, int(self._file.read_text("ascii"))))

    def listen(self, then: Callable[[], object], stop: threading.Event) -> None:
        """From now on do `then` when it rings, and nobody else hears it, until `stop` or the end of this process.

        Whatever is sent to the port counts as a ring. OSError where it cannot be heard.
        """
        sock = _datagrams()
        sock.bind((_LOOPBACK, 0))
        beside = self._file.with_name(f"{self._file.name}.new")
        beside.write_text(f"{sock.getsockname()[1]}", "ascii")
        beside.replace(self._file)

        def heed() -> None:
            while not stop.is_set():
                with suppress(OSError):
                    sock.recv(1)
                then()
                stop.wait(_APART_SECONDS)

        threading.Thread(target=heed, name="bell", daemon=True).start()


def _datagrams() -> socket.socket:
    return socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
