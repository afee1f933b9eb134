"""The states of a delivery and which may follow which, as data. It changes nothing itself."""

from collections.abc import Mapping
from enum import StrEnum


class State(StrEnum):
    """What a delivery (one instance to one destination) is waiting for, or how it ended."""

    WAITING = "waiting"  # for its study or series to be quiet
    DUE = "due"  # to be sent as soon as its destination and its own due time allow
    LEASED = "leased"  # in the hands of one connection, until its lease ends
    DELIVERED = "delivered"  # the destination answered that it has it
    PARKED = "parked"  # the destination will not have it, or we gave up: waits for a person
    HELD = "held"  # its edits could not be made, or it came late and shall be looked at: waits for a person
    CANCELLED = "cancelled"  # by a person
    IGNORED = "ignored"  # it came late, and its route says that late ones are not sent


SETTLED = frozenset({State.DELIVERED, State.CANCELLED, State.IGNORED})

TRANSITIONS: Mapping[State, frozenset[State]] = {
    State.WAITING: frozenset({State.DUE, State.CANCELLED}),
    # Its lease ended before the answer to it was entered: what the destination has is the truth.
    State.DUE: frozenset({State.LEASED, State.DELIVERED, State.PARKED, State.CANCELLED}),
    State.LEASED: frozenset({State.DUE, State.DELIVERED, State.PARKED, State.HELD, State.CANCELLED}),
    State.PARKED: frozenset({State.DUE, State.CANCELLED}),
    State.HELD: frozenset({State.DUE, State.CANCELLED}),
    # Cancelled while on the wire, and then answered: what the destination has is the truth.
    State.CANCELLED: frozenset({State.DELIVERED}),
    State.DELIVERED: frozenset(),
    State.IGNORED: frozenset(),
}


def sources_of(state: State) -> list[State]:
    """The states from which `state` may be reached."""
    return [before for before, after in TRANSITIONS.items() if state in after]
