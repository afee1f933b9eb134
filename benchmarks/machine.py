"""What the figures are measured on: said in one line, and brought into the state of a machine that works."""

import os
import platform
import subprocess
from datetime import UTC, datetime
from mmap import MADV_NOHUGEPAGE, PAGESIZE, mmap
from pathlib import Path
from time import perf_counter

from tests.support.appliance import REPOSITORY

_NEW_BYTES = 2**29
_LEFT_FREE = 2**30  # bytes; Linux keeps some free itself
_MOST_FILLINGS = 2  # what a container may not have stays free


def described(folder: Path) -> str:
    """Date, cores and how many others keep busy, memory, system, file system, and the commit of this checkout."""
    day, commit = datetime.now(UTC).date().isoformat(), _commit()
    cores = f"{len(os.sched_getaffinity(0))} cores, load {os.getloadavg()[0]:.1f} before"
    memory = f"{new_page():.1f} µs a new page of memory"
    system = f"{platform.system()} {platform.release()}, Python {platform.python_version()}"
    return f"{day}, {cores}, {memory}, {system}, {file_system(folder)}, commit {commit}"


def new_page(size: int = _NEW_BYTES) -> float:
    """What the first touch of 4 kB costs, of so many bytes in all, µs.

    Ten times as much on a virtual machine that gives free memory back to its host: every file that is written pays it.
    """
    with mmap(-1, size) as memory:
        memory.madvise(MADV_NOHUGEPAGE)
        touched = bytes(size // PAGESIZE)
        started = perf_counter()
        memory[::PAGESIZE] = touched
        return 1e6 * (perf_counter() - started) / len(touched)


def fill_memory(folder: Path) -> None:
    """Have the page cache take what memory is free: by reading the holes of files in `folder`, which are small.

    So it is on every machine that has run for a day, and a new page is then one that the cache gives up. One of memory
    that lay free may have to be had back from the host of a virtual machine first, at a price that changes by the
    minute, and is paid by whoever makes new files.
    """
    for number in range(_MOST_FILLINGS):
        free = _free_bytes()
        if free <= _LEFT_FREE:
            return
        with (folder / f"holes-{number}").open("w+b", buffering=0) as file:
            file.truncate(free)
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_RANDOM)  # page by page, from wherever one is free
            taken = bytearray(2**20)
            while file.readinto(taken):
                pass


def _free_bytes() -> int:
    lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemFree:"))


def file_system(folder: Path) -> str:
    """The type of the file system a folder lies on; synchronising costs less without a journal, so that is said."""
    mounts = [line.split()[1:3] for line in Path("/proc/mounts").read_text(encoding="utf-8").splitlines()]
    holding = [(point, kind) for point, kind in mounts if folder.resolve().is_relative_to(point)]
    point, kind = max(holding, key=lambda mount: len(mount[0]))
    return f"{kind} without journal" if kind == "ext4" and not _has_journal(point) else kind


def _has_journal(point: str) -> bool:
    """True when the kernel keeps a journal for the file system mounted there."""
    number = Path(point).stat().st_dev
    device = Path(f"/sys/dev/block/{os.major(number)}:{os.minor(number)}").resolve()
    return any(Path("/proc/fs/jbd2").glob(f"{device.name}-*"))


def _commit() -> str:
    command = ["git", "rev-parse", "--short", "HEAD"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"
