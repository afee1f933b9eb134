"""A bell between programs of one machine: who orders something rings, and the lines look at once. Says nothing of what.

A datagram on the loopback interface, to the port that stands in a file. It is only the quick way: lines look into the
queue by themselves, too, and so nothing depends on a ring that another machine, or a full disk, keeps from being heard.
"""

import socket
from contextlib import suppress
from pathlib import Path

_LOOPBACK = "127.0.0.1"


class Bell:
    """The bell of one data folder."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def ring(self) -> None:
        """Have whoever listens look; never fails."""
        with suppress(OSError, ValueError, OverflowError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.sendto(b"\n", (_LOOPBACK, int(self._file.read_text("ascii"))))

    def listener(self) -> "Listener":
        """Who hears it from now on, and nobody else; OSError where it cannot be heard."""
        return Listener(self._file)


class Listener:
    """Hears a bell, while it is kept."""

    def __init__(self, file: Path) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((_LOOPBACK, 0))
        beside = file.with_name(f"{file.name}.new")
        beside.write_text(f"{self._socket.getsockname()[1]}", "ascii")
        beside.replace(file)

    def wait(self) -> None:
        """Until it rings; whatever is sent counts as a ring, and an error too. Costs nothing meanwhile."""
        with suppress(OSError):
            self._socket.recv(1)
