"""Who decides: the name a person is recorded under. It checks no right."""

import getpass
import os

LONGEST = 64


def person(given: str | None) -> str:
    """The name given, else that of the user of the system."""
    if given and given.strip():
        return given.strip()[:LONGEST]
    try:
        return getpass.getuser()[:LONGEST]
    except (KeyError, OSError, ImportError):  # a container's user may have a number and no name
        return f"user {os.getuid()}" if hasattr(os, "getuid") else "unknown"
