"""What the figures were measured on, and when, in one line. Measures nothing."""

import os
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path

from tests.support.appliance import REPOSITORY


def described(folder: Path) -> str:
    """Date, cores, system, file system of the folder that was measured in, and the commit of this checkout."""
    cores = len(os.sched_getaffinity(0))
    system = f"{platform.system()} {platform.release()}, Python {platform.python_version()}"
    return f"{datetime.now(UTC).date().isoformat()}, {cores} cores, {system}, {file_system(folder)}, commit {_commit()}"


def file_system(folder: Path) -> str:
    """The type of the file system a folder lies on, as the kernel calls it."""
    mounts = [line.split()[1:3] for line in Path("/proc/mounts").read_text(encoding="utf-8").splitlines()]
    holding = [(point, kind) for point, kind in mounts if folder.resolve().is_relative_to(point)]
    return max(holding, key=lambda mount: len(mount[0]))[1]


def _commit() -> str:
    command = ["git", "rev-parse", "--short", "HEAD"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"
