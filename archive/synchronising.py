"""Whether this process can synchronise at all. Knows nothing of a disk, real or virtual, that lies about it."""

import os
import sys


def synchronises() -> bool:
    """False where `fsync` or `fdatasync` do nothing, as under libeatmydata or in a container that suppresses them.

    A pipe cannot be synchronised, and a system that tries to says so.
    """
    if sys.platform == "win32":
        return True
    ends = os.pipe()
    try:
        return all(_refuses(name, ends[0]) for name in ("fsync", "fdatasync"))
    finally:
        for end in ends:
            os.close(end)


def _refuses(name: str, descriptor: int) -> bool:
    call = getattr(os, name, None)  # macOS has no fdatasync
    try:
        return call is None or call(descriptor) is not None  # both give None where they believe it was done
    except OSError:
        return True
