"""What each answer of a peer means."""

import pytest

from router.delivery.outcomes import Kind, from_association_error, from_status
from router.errors import AssociationAborted, AssociationError, AssociationRejected, PeerSilent, PeerUnreachable


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (0x0000, Kind.DELIVERED),
        (0xB000, Kind.DELIVERED),
        (0xB006, Kind.DELIVERED),
        (0xB007, Kind.DELIVERED),
        (0xBFFF, Kind.DELIVERED),
        (0xA700, Kind.LATER),
        (0xA7FF, Kind.LATER),
        (0x0110, Kind.LATER),
        (0xA900, Kind.PARKED),
        (0xA9FF, Kind.PARKED),
        (0xC000, Kind.PARKED),
        (0xCFFF, Kind.PARKED),
        (0x0122, Kind.PARKED),
        (0x0124, Kind.PARKED),
    ],
)
def test_status_classes(status: int, kind: Kind) -> None:
    """Every status class of PS3.4 B.2.3 leads where the table says, and no known one is called unknown."""
    outcome = from_status(status)
    assert (outcome.kind, outcome.status, outcome.is_unknown) == (kind, status, False)


@pytest.mark.parametrize("status", [0x0211, 0xA800, 0xD000, 0xFE00, 0xFFFF])
def test_unknown_status_is_tried_again_and_marked(status: int) -> None:
    """A status nobody defined is neither success nor the end: it is tried again, and counted as unknown."""
    outcome = from_status(status)
    assert outcome.kind is Kind.LATER
    assert outcome.is_unknown


def test_a_warning_is_kept_with_the_success() -> None:
    """A delivery that succeeded with a warning says which."""
    assert from_status(0xB006).reason == "warning: elements discarded"


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (AssociationRejected(2, 3, 2), Kind.LATER),
        (AssociationRejected(1, 1, 7), Kind.PARKED),
        (AssociationRejected(1, 1, 3), Kind.PARKED),
        (AssociationAborted(), Kind.LATER),
        (PeerSilent(), Kind.LATER),
        (PeerUnreachable(), Kind.LATER),
    ],
)
def test_association_ends(error: AssociationError, kind: Kind) -> None:
    """Only a permanent rejection parks; whatever may pass by itself is tried later."""
    assert from_association_error(error).kind is kind
