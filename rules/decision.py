"""What the rules answer: plain frozen values that cross the room's wall."""

from dataclasses import dataclass, field
from enum import IntEnum
from typing import Literal

from rules.draft import Splice
from rules.errors import Missing
from rules.facts import Readable
from rules.pixels import PixelWork

Scope = Literal["instance", "series", "study"]
Late = Literal["send", "hold", "ignore"]


class Priority(IntEnum):
    """How urgent a delivery is; the smaller number goes first."""

    HIGH = 0
    NORMAL = 1
    LOW = 2


@dataclass(frozen=True, slots=True)
class Change:
    """One attribute changed by one rule; None stands for absent."""

    rule: str
    attribute: str
    old: str | None
    new: str | None


@dataclass(frozen=True, slots=True)
class Verdict:
    """Why an instance is held, rejected or warned of. `reason` names attributes and rules, never a patient's values.

    `missing` does: the value that a table has no line for.
    """

    rule: str | None
    reason: str
    missing: Missing | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Dispatch:
    """One destination chosen by one route (`route` is the rule's name; "otherwise" for the fallback)."""

    destination: str
    route: str
    priority: Priority
    scope: Scope
    quiet_seconds: float
    late: Late


@dataclass(frozen=True, slots=True)
class Decision:
    """What happens to one instance: how the archive keeps it and where it goes.

    `warnings` are what rules let through and want to be known.
    """

    header: Readable
    changes: tuple[Change, ...]
    splice: Splice | None
    dispatches: tuple[Dispatch, ...]
    held: Verdict | None = None
    rejected: Verdict | None = None
    warnings: tuple[Verdict, ...] = ()


@dataclass(frozen=True, slots=True)
class Prepared:
    """The copy for one destination: its changes, and the splice that makes it (None: as archived).

    `sop_instance_uid` is its own where it has got a new one. What follows the pixel data does not leave with it where
    `ends_with_pixels`, since no edit has looked there. `pixels` is what is then to be done with its pixel data.
    """

    changes: tuple[Change, ...]
    splice: Splice | None
    sop_instance_uid: str | None = None
    ends_with_pixels: bool = False
    pixels: PixelWork | None = None
