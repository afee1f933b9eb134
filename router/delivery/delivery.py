"""A delivery on its way through the queue, as values: new, leased, settled, listed. No rows leave this package."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from router.delivery.outcomes import Outcome
from router.delivery.states import State
from rules import Dispatch


@dataclass(frozen=True, slots=True)
class NewDelivery:
    """One instance that a route sends to one destination, decided by the configuration of `revision`.

    `made_from` is the fingerprint of the secrets that its copy is to be made from, None where there are none.
    """

    instance_id: int
    study_id: int
    series_id: int
    dispatch: Dispatch
    revision: str
    made_from: str | None = None


@dataclass(frozen=True, slots=True)
class Ordered:
    """What is known of a delivery when its copy is made; `made_from` as of a new one.

    `replaces`: the destination has another version already.
    """

    delivery_id: int
    instance_id: int
    route: str
    revision: str
    made_from: str | None
    replaces: bool


@dataclass(frozen=True, slots=True)
class Leased(Ordered):
    """A delivery in the hands of one connection; `token` proves whose it is.

    `attempts` are its own so far, `line_failures` those of its line while it was due, `line_failures_in_a_row` those
    the line has not recovered from. `is_probe`: the destination failed before, and this one finds out how it is now.
    """

    token: int
    study_id: int
    attempts: int
    line_failures: int
    line_failures_in_a_row: int
    created_at: datetime
    due_since: datetime
    is_probe: bool


class Settlement(NamedTuple):
    """What became of a leased delivery.

    `at` is when the answer came, `seconds` how long it took, `wait_seconds` how long to wait where it is to be tried
    later; `digest` (SHA-256, hex) or `check` (XXH3-128, hex; the digest is computed later) and `size` (bytes) of the
    data set as sent, None if none was.
    """

    delivery_id: int
    token: int
    outcome: Outcome
    at: datetime
    seconds: float = 0.0
    digest: str | None = None
    size: int | None = None
    wait_seconds: float = 0.0
    check: str | None = None


@dataclass(frozen=True, slots=True)
class Listed:
    """One delivery as a person sees it; `reason` says why it is where it is.

    `is_outdated`: what the destination has, or is being sent, is an older version than the archive's.
    """

    delivery_id: int
    instance_id: int
    study_id: int
    destination: str
    route: str
    revision: str
    state: State
    attempts: int
    created_at: datetime
    due_at: datetime | None
    status: int | None
    reason: str
    is_outdated: bool = False


@dataclass(frozen=True, slots=True)
class LineState:
    """How one destination and its line are; `counts` by state, `oldest_at` of its oldest undelivered one."""

    destination: str
    is_configured: bool
    is_paused: bool
    paused_reason: str | None
    failures: int
    failing_since: datetime | None
    retry_at: datetime | None
    last_error: str | None
    last_success_at: datetime | None
    counts: Mapping[State, int]
    oldest_at: datetime | None
