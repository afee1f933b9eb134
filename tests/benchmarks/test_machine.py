"""What is said of the machine that figures were measured on, and how it is made ready."""

import re
import sys
from pathlib import Path

import pytest

if sys.platform != "linux":
    pytest.skip("what is asked is Linux's", allow_module_level=True)

from benchmarks import machine
from benchmarks.machine import described, fill_memory, new_page


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


def test_free_memory_is_filled_without_using_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page cache holds so many bytes of holes then; what it does not take is asked for once more, no longer."""
    free = [2**24, 2**23, 2**22]
    monkeypatch.setattr(machine, "_free_bytes", lambda: free.pop(0))
    monkeypatch.setattr(machine, "_LEFT_FREE", 0)
    fill_memory(tmp_path)
    made = sorted((path.name, path.stat().st_size, path.stat().st_blocks) for path in tmp_path.iterdir())
    assert made == [("holes-0", 2**24, 0), ("holes-1", 2**23, 0)]


def test_full_memory_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What Linux itself keeps free is not asked for."""
    monkeypatch.setattr(machine, "_free_bytes", lambda: 2**29)
    fill_memory(tmp_path)
    assert not list(tmp_path.iterdir())
