"""TCP ports for servers of the tests that cannot be told to take any free one."""

import random
import socket

_BELOW_EPHEMERAL = range(15_000, 32_000)  # no outgoing connection of another test takes one of these meanwhile


def free_port() -> int:
    """A port of the loopback address that was free a moment ago."""
    while True:
        port = random.choice(_BELOW_EPHEMERAL)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
