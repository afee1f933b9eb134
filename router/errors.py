"""The errors of the room that moves; each docstring is the default message. Never patient data in a text."""

_REJECT_REASONS = {  # PS3.8 table 9-21, by (source, reason)
    (1, 1): "no reason given",
    (1, 2): "application context name not supported",
    (1, 3): "calling AE title not recognised",
    (1, 7): "called AE title not recognised",
    (2, 1): "no reason given",
    (2, 2): "protocol version not supported",
    (3, 1): "temporary congestion",
    (3, 2): "local limit exceeded",
}


class RouterError(Exception):
    """The router cannot do what it was asked."""

    def __str__(self) -> str:
        """The message given, or else the docstring."""
        return super().__str__() or (self.__doc__ or "")


class AssociationError(RouterError):
    """The association came to nothing, or ended before its work was done."""


class PeerUnreachable(AssociationError):  # noqa: N818 - named after what happened, as PS3.8 names its events
    """The peer cannot be reached."""


class PeerSilent(AssociationError):  # noqa: N818
    """The peer did not answer, or did not go on, in time."""


class PeerIdle(PeerSilent):
    """The peer asked for nothing for too long."""


class PeerOverdue(PeerSilent):
    """The association lasted longer than one may."""


class AssociationRejected(AssociationError):  # noqa: N818
    """The association was rejected (A-ASSOCIATE-RJ, PS3.8 9.3.4)."""

    def __init__(self, result: int, source: int, reason: int) -> None:
        text = _REJECT_REASONS.get((source, reason), f"reason {reason} of source {source}")
        super().__init__(f"the association was rejected: {text}")
        self.result = result
        self.source = source
        self.reason = reason

    @property
    def is_transient(self) -> bool:
        """True when the same request may be accepted later."""
        return self.result == 2


class AssociationAborted(AssociationError):  # noqa: N818
    """The association was aborted, or the connection closed in its middle."""

    def __init__(self, text: str = "", *, source: int | None = None, reason: int | None = None) -> None:
        super().__init__(text)
        self.source = source  # 0 the peer's user, 2 the peer's provider, None: no A-ABORT was seen (PS3.8 9.3.8)
        self.reason = reason


class TlsFailed(AssociationAborted):
    """No TLS connection could be agreed on with the peer, or it broke."""


class ProtocolError(AssociationAborted):
    """The peer broke the rules of the wire (PS3.8), so the association was aborted."""

    def __init__(self, text: str = "", *, reason: int = 0) -> None:
        super().__init__(text, source=2, reason=reason)


class TooLong(ProtocolError):  # noqa: N818
    """A PDU or a data set is longer than it may be."""


class ContextNotAccepted(AssociationError):  # noqa: N818
    """The peer accepted no presentation context for this SOP class and transfer syntax."""


class DataSetUnreadable(RouterError):  # noqa: N818
    """The data set to be sent cannot be read from its file, or its file is shorter than it must be."""


class DataSetDamaged(DataSetUnreadable):
    """The data set to be sent is not the one that was kept."""


class PixelsError(RouterError):
    """What a route asks to be done with the pixels cannot be done."""
