"""Memory that is freed and taken again by a role: from its own process and not from the system, where that is glibc."""

import platform
import subprocess
import sys
from pathlib import Path

import pytest

_SCRIPT = """
import resource, sys, threading
from router.roles.memory import keep_freed_memory
if sys.argv[1] == "kept":
    keep_freed_memory(40 << 20, 8 << 20)
def faults(size):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    batch = [b"x" * size for _ in range((32 << 20) // size)]
    del batch
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
def work():
    print(*(faults(size) for size in (600_000, 600_000, 4_000_000, 4_000_000, 600_000)))
thread = threading.Thread(target=work)
thread.start()
thread.join()
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc is told how much to keep")
def test_batch_is_read_into_the_place_of_the_last_one() -> None:
    """32 MB of instances cost a page fault each 4 kB once, and with every batch where nothing is said."""
    told, untold = ([int(count) for count in _run(how).split()] for how in ("kept", "as it is"))
    assert told[0] > 7_000
    assert max(told[1], told[3], told[4]) < 700, told
    assert min(untold) > 7_000, untold


def _run(how: str) -> str:
    command = [sys.executable, "-c", _SCRIPT, how]
    return subprocess.run(command, cwd=Path(__file__).parents[3], capture_output=True, text=True, check=True).stdout
