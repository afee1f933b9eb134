"""How far tests go that could go on: as far as `make test` has time for, or with `MICROPACS_EVERY_POINT=1` all the way.

Both ask the same questions with the same bounds; the short form asks fewer times.
"""

import os
from typing import TypeVar

T = TypeVar("T")

EVERY_POINT = bool(os.environ.get("MICROPACS_EVERY_POINT"))


def extent(short: T, full: T) -> T:
    """The one or the other."""
    return full if EVERY_POINT else short
