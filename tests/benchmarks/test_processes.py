"""What the benchmarks ask Linux about other processes."""

import os
import socket
import sys

import pytest

from benchmarks.processes import listening_on

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")


def test_who_listens_on_a_port() -> None:
    """This process does, and nobody once it has stopped."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        assert listening_on(port) == os.getpid()
    with pytest.raises(ProcessLookupError):
        listening_on(port)
