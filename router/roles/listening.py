"""Opens the socket the scanners call; accepts nothing itself."""

import socket
import time

from router.config import Address
from router.errors import RouterError

BACKLOG = 2048  # the system may allow less; one that overflows costs a caller a second
PATIENCE_SECONDS = 15.0


class ListenError(RouterError):
    """The address to listen on cannot be had."""


def listen(address: Address) -> socket.socket:
    """A listening socket on `address`; waits a little for the roles of a killed supervisor to let go of it.

    Raises `ListenError`.
    """
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return socket.create_server((address.host, address.port), backlog=BACKLOG, family=family)
        except OSError as error:
            if time.monotonic() > deadline:
                raise ListenError(f"cannot listen on {address}: {error.strerror}") from error
            time.sleep(0.2)
