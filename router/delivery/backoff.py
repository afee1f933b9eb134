"""How long to wait before the next attempt, and when to attempt no more. Pure: it knows no clock and no database."""

from datetime import datetime
from typing import Protocol

UNKNOWN_STATUS_ATTEMPTS = 3


class GiveUp(Protocol):
    """When a delivery is tried no more: after `seconds`, after `attempts`, or never (both None)."""

    @property
    def seconds(self) -> float | None:
        """Since it became due."""
        ...

    @property
    def attempts(self) -> int | None:
        """Its own, and the failures of its line while it was due."""
        ...


class Retry(Protocol):
    """The waits between attempts: `first` seconds, each next one `factor` times longer, none above `longest`."""

    @property
    def first(self) -> float:
        """Seconds."""
        ...

    @property
    def factor(self) -> float:
        """At least 1."""
        ...

    @property
    def longest(self) -> float:
        """Seconds."""
        ...

    @property
    def give_up(self) -> GiveUp:
        """When to stop."""
        ...


def wait_seconds(retry: Retry, failures: int) -> float:
    """The wait after the `failures`-th failure in a row (1 is the first); never above `retry.longest`."""
    wait = min(retry.first, retry.longest)
    for _ in range(failures - 1):
        if wait >= retry.longest or retry.factor <= 1:
            break
        wait = min(wait * retry.factor, retry.longest)
    return wait


def reason_to_give_up(retry: Retry, attempts: int, due_since: datetime, now: datetime) -> str | None:
    """Why a delivery that failed `attempts` times, and became due at `due_since`, is tried no more; None if it is."""
    limit = retry.give_up
    if limit.attempts is not None and attempts >= limit.attempts:
        return f"gave up after {attempts} attempt{'' if attempts == 1 else 's'}"
    if limit.seconds is not None and (now - due_since).total_seconds() >= limit.seconds:
        return f"gave up {limit.seconds:g} s after it became due"
    return None
