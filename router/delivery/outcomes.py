"""What became of one attempt, and the one table that says what each answer of a peer means. It moves nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from router.delivery.states import State
from router.errors import AssociationError, AssociationRejected


class Kind(StrEnum):
    """What follows from an attempt."""

    DELIVERED = "delivered"
    LATER = "later"
    PARKED = "parked"
    HELD = "held"


STATE_AFTER = {
    Kind.DELIVERED: State.DELIVERED,
    Kind.LATER: State.DUE,
    Kind.PARKED: State.PARKED,
    Kind.HELD: State.HELD,
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one instance, or of one association.

    `status` is the DIMSE status answered (0 to 0xFFFF), None if none was. `is_unknown` marks a status nobody has told
    us the meaning of: it is tried again a few times and then parked. `is_ours` marks a fault of this side, which says
    nothing of the destination.
    """

    kind: Kind
    status: int | None
    reason: str
    is_unknown: bool = False
    is_ours: bool = False


@dataclass(frozen=True, slots=True)
class StatusRow:
    """One row of the table: the statuses from `first` to `last`, both included."""

    first: int
    last: int
    kind: Kind
    reason: str


# PS3.7 Annex C and PS3.4 table B.2-1. What stands in no row is unknown.
STATUSES: Sequence[StatusRow] = (
    StatusRow(0x0000, 0x0000, Kind.DELIVERED, ""),
    StatusRow(0x0001, 0x0001, Kind.DELIVERED, "warning"),
    StatusRow(0x0107, 0x0107, Kind.DELIVERED, "warning: attribute list error"),
    StatusRow(0x0116, 0x0116, Kind.DELIVERED, "warning: attribute value out of range"),
    StatusRow(0xB000, 0xB000, Kind.DELIVERED, "warning: coercion of data elements"),
    StatusRow(0xB006, 0xB006, Kind.DELIVERED, "warning: elements discarded"),
    StatusRow(0xB007, 0xB007, Kind.DELIVERED, "warning: data set does not match SOP class"),
    StatusRow(0xB000, 0xBFFF, Kind.DELIVERED, "warning"),
    StatusRow(0x0110, 0x0110, Kind.LATER, "processing failure"),
    StatusRow(0x0213, 0x0213, Kind.LATER, "resource limitation"),
    StatusRow(0xA700, 0xA7FF, Kind.LATER, "out of resources"),
    StatusRow(0x0117, 0x0117, Kind.PARKED, "invalid SOP instance"),
    StatusRow(0x0122, 0x0122, Kind.PARKED, "SOP class not supported"),
    StatusRow(0x0124, 0x0124, Kind.PARKED, "not authorised"),
    StatusRow(0xA900, 0xA9FF, Kind.PARKED, "data set does not match SOP class"),
    StatusRow(0xC000, 0xCFFF, Kind.PARKED, "cannot understand"),
)

UNREADABLE = Outcome(Kind.LATER, None, "the archive's file cannot be read", is_ours=True)
DAMAGED = Outcome(
    Kind.PARKED, None, "the kept file is damaged: it is not what was received; micropacs verify", is_ours=True
)
NO_ACCEPTED_CONTEXT = Outcome(Kind.PARKED, None, "no accepted presentation context")


@lru_cache(1024)
def from_status(status: int) -> Outcome:
    """What a DIMSE status answered to a C-STORE means for that instance."""
    for row in STATUSES:
        if row.first <= status <= row.last:
            return Outcome(row.kind, status, row.reason)
    return Outcome(Kind.LATER, status, f"unknown status {status:04X}", is_unknown=True)


def from_association_error(error: AssociationError) -> Outcome:
    """What it means that an association came to nothing or broke off: it says nothing of an instance.

    Unreachable, silent, aborted, rejected for now (PS3.8 9.3.4, result 2): later. Rejected for good: parked and told.
    """
    is_permanent = isinstance(error, AssociationRejected) and not error.is_transient
    return Outcome(Kind.PARKED if is_permanent else Kind.LATER, None, str(error))
