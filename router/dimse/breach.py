"""What a bad peer did, in a few plain words. Who is told of it, and what is done about it, is decided elsewhere."""

from collections.abc import Callable
from enum import StrEnum

from router.dimse.pdu import AbortReason
from router.errors import (
    AssociationError,
    AssociationRejected,
    PeerIdle,
    PeerOverdue,
    PeerSilent,
    ProtocolError,
    TlsFailed,
    TooLong,
)


class Breach(StrEnum):
    """The kinds of security events that a peer on the wire can cause."""

    NO_REQUEST = "no association request in time"
    UNKNOWN_PDU = "unknown PDU"
    MALFORMED_PDU = "malformed PDU"
    TOO_LONG = "PDU or instance too long"
    PROTOCOL = "protocol violation"
    TOO_SLOW = "PDU or message too slow"
    OVERDUE = "association too long"
    TOO_MANY = "too many associations"
    UNKNOWN_CALLER = "unknown calling AE title or address"
    WRONG_TITLE = "wrong called AE title"
    TLS = "TLS failed"
    MISMATCH = "instance does not match its request"
    NOT_OFFERED = "service not offered"


Alarm = Callable[[Breach, str, str], None]  # what was done, by which address, under which calling AE title ("": none)

_OF_REJECTIONS = {(1, 3): Breach.UNKNOWN_CALLER, (1, 7): Breach.WRONG_TITLE, (3, 2): Breach.TOO_MANY}
_OF_REASONS = {
    AbortReason.UNRECOGNISED_PDU: Breach.UNKNOWN_PDU,
    AbortReason.INVALID_PARAMETER: Breach.MALFORMED_PDU,
}


def breach_of(error: AssociationError, *, is_accepted: bool) -> Breach | None:
    """What the peer did wrong when its association ended so; None for what happens to good peers too.

    A lost connection, an A-ABORT and an association on which nothing is asked are no breach.
    """
    if isinstance(error, AssociationRejected):
        return _OF_REJECTIONS.get((error.source, error.reason), Breach.PROTOCOL)
    if isinstance(error, TlsFailed):
        return Breach.TLS
    if isinstance(error, TooLong):
        return Breach.TOO_LONG
    if isinstance(error, ProtocolError):
        return _OF_REASONS.get(AbortReason(error.reason or 0), Breach.PROTOCOL)
    if isinstance(error, PeerOverdue):
        return Breach.OVERDUE
    if isinstance(error, PeerSilent) and not isinstance(error, PeerIdle):
        return Breach.TOO_SLOW if is_accepted else Breach.NO_REQUEST
    return None


def unheard(_breach: Breach, _host: str, _calling_ae: str) -> None:
    """The alarm where nobody listens."""
