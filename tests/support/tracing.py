"""Runs a script under strace: its output, its system calls, and faults or death at a chosen one."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
STRACE = shutil.which("strace")
needs_strace = pytest.mark.skipif(STRACE is None, reason="strace is not installed")


def traced(script: str, folder: Path, *options: str, ends: int = 0) -> tuple[str, list[str]]:
    """The script's output, and its system calls with the paths of descriptors. `ends`: the exit code it must have."""
    log = folder / "strace.log"
    command = [str(STRACE), "-f", "-y", "-qq", "-s", "200", "-o", str(log), *options]
    command += [sys.executable, "-c", script, str(folder)]
    environ = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    result = subprocess.run(command, cwd=REPOSITORY, env=environ, capture_output=True, text=True, check=False)
    assert result.returncode == ends, result.stderr
    return result.stdout.strip(), list(_whole_calls(log.read_text().splitlines()))


def _whole_calls(lines: list[str]) -> Iterator[str]:
    """Each call once, where it returned; strace cuts calls that overlap those of other threads into two lines."""
    begun: dict[str, str] = {}
    for line in lines:
        thread, _, call = line.partition(" ")
        call = call.lstrip()
        if call.endswith("<unfinished ...>"):
            begun[thread] = call.removesuffix("<unfinished ...>").rstrip()
        elif resumed := re.match(r"<\.\.\. \w+ resumed>", call):
            yield begun.pop(thread, "") + call[resumed.end() :]
        else:
            yield call
