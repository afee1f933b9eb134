"""TCP ports for servers of the tests that cannot be told to take any free one."""

import os
import random
import socket

_BELOW_EPHEMERAL = range(15_000, 32_000)  # no outgoing connection of another test takes one of these meanwhile
_given: set[int] = set()


def free_port() -> int:
    """A port of the loopback address that was free a moment ago, and that no other call is given, of no worker."""
    while True:
        port = random.choice(_of_this_worker())
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        if port not in _given:
            _given.add(port)
            return port


def _of_this_worker() -> range:
    """The part of the range that is this process's among those that run the tests."""
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % workers
    each = len(_BELOW_EPHEMERAL) // workers
    return _BELOW_EPHEMERAL[number * each : (number + 1) * each]
