"""What is said of the machine that figures were measured on."""

import re
import sys
from pathlib import Path

import pytest

if sys.platform != "linux":
    pytest.skip("what is asked is Linux's", allow_module_level=True)

from benchmarks.machine import described, new_page


def test_new_page_costs_something() -> None:
    """Between 10 ns and 1 ms."""
    assert 0.01 < new_page(2**24) < 1000


def test_machine_is_described(tmp_path: Path) -> None:
    """Date, cores, memory, system, file system and commit, in one line."""
    assert re.fullmatch(
        r"[0-9-]{10}, \d+ cores, load [0-9.]+ before, [0-9.]+ µs a new page of memory, \w+ .+, Python [0-9.]+, .+, "
        r"commit \w+",
        described(tmp_path),
    )
