"""Delivers by C-STORE (PS3.4 annex B) over an association that is kept for the next batch. Never edits or retries."""

from collections.abc import Callable, Generator, Iterator, Sequence
from typing import NamedTuple

from archive import Identity
from router.delivery.contents import EXPLICIT_LITTLE_ENDIAN, IMPLICIT_LITTLE_ENDIAN, as_implicit
from router.delivery.outcomes import (
    DAMAGED,
    NO_ACCEPTED_CONTEXT,
    UNREADABLE,
    Kind,
    Outcome,
    from_association_error,
    from_status,
)
from router.delivery.sender import DestinationError, Shipment
from router.dimse import MOST_CONTEXTS, DataSet, Limits, Peer, Request, Requestor, StoreScu
from router.errors import AssociationAborted, AssociationError, ContextNotAccepted, DataSetDamaged, DataSetUnreadable
from router.senders.ahead import Ahead
from router.senders.checking import comparison
from router.senders.summing import Sum
from rules import RulesError

Context = tuple[str, str]  # SOP class UID, transfer syntax UID
Answer = tuple[Shipment, Outcome]


class Loaded(NamedTuple):
    """A shipment ready to be sent: as it was asked for, as it will leave; or why it cannot."""

    asked: Shipment
    leaving: Shipment
    request: Request | Outcome
    sum: Sum | None  # grows while it leaves, where the shipment has no digest yet


class DicomSender:
    """Sends to one peer; used by one thread."""

    def __init__(self, peer: Peer, calling_ae: str, limits: Limits | None = None) -> None:
        self._peer = peer
        self._calling_ae = calling_ae
        self._limits = limits
        self._proposed: frozenset[Context] = frozenset()
        self._association: Requestor | None = None
        self._scu: StoreScu | None = None

    def send(self, identities: Sequence[Identity], shipments: Iterator[Shipment]) -> Generator[Answer, None, None]:
        """One C-STORE each, in order; see `Sender.send`. At most 64 at a time, since each may need two contexts."""
        contexts = contexts_for(identities)
        if not self._proposed.issuperset(contexts):
            self.close()
        is_idle = self._is_open()
        ahead = Ahead(shipments, lambda shipment: self._load(shipment, contexts))
        while (loaded := ahead.take()) is not None:
            try:
                if is_idle:
                    answer = self._store_again(loaded, contexts)
                else:
                    answer = self._store(loaded, contexts, ahead.prepare)
            except AssociationError as error:
                outcome = from_association_error(error)
                yield loaded.asked, Outcome(Kind.LATER, None, outcome.reason)
                raise DestinationError(outcome) from error
            is_idle = False
            yield answer

    def close(self) -> None:
        """Release the association that may still be open."""
        association, self._association, self._scu = self._association, None, None
        if association is not None:
            association.release()

    def _is_open(self) -> bool:
        return self._association is not None and self._association.is_open

    def _store_again(self, loaded: Loaded, contexts: Sequence[Context]) -> Answer:
        """Store over an association that lay idle; the peer may have ended it meanwhile, then over a new one."""
        try:
            return self._store(loaded, contexts)
        except AssociationAborted:
            return self._store(loaded, contexts)

    def _store(
        self, loaded: Loaded, contexts: Sequence[Context], meanwhile: Callable[[], None] = lambda: None
    ) -> Answer:
        """Send one; `meanwhile` is done while the peer takes it in."""
        if not self._is_open():  # ended since, and this was made ready for it
            self.close()
            loaded = self._load(loaded.asked, contexts)
        if isinstance(loaded.request, Outcome):
            return loaded.leaving, loaded.request
        assert self._scu is not None
        try:
            status = self._scu.send(loaded.request, meanwhile)
        except DataSetDamaged:  # the association was aborted: of what has left the peer makes nothing
            return loaded.leaving, DAMAGED
        except DataSetUnreadable:
            return loaded.leaving, UNREADABLE
        leaving = loaded.sum.told(loaded.leaving) if loaded.sum else loaded.leaving
        return leaving, from_status(status)

    def _load(self, shipment: Shipment, contexts: Sequence[Context]) -> Loaded:
        """Make one ready: in a transfer syntax the peer takes, its file opened and begun to be read.

        While a response is waited for the association is not asked whether it is open.
        """
        scu = self._scu or self._associated(contexts)
        try:
            leaving = self._acceptable(shipment)
            total = Sum(leaving) if leaving.digest is None else None
            sent = total.update if total else None
            request = scu.prepare(leaving.identity, _data_set(leaving), sent, comparison(leaving))
        except ContextNotAccepted:
            return Loaded(shipment, shipment, NO_ACCEPTED_CONTEXT, None)
        except DataSetDamaged:
            return Loaded(shipment, shipment, DAMAGED, None)
        except (DataSetUnreadable, OSError):
            return Loaded(shipment, shipment, UNREADABLE, None)
        except RulesError as error:
            outcome = Outcome(Kind.PARKED, None, f"only implicit VR little endian is accepted: {error}")
            return Loaded(shipment, shipment, outcome, None)
        return Loaded(shipment, leaving, request, total)

    def _associated(self, contexts: Sequence[Context]) -> StoreScu:
        """Over a new association; DestinationError where there can be none, nothing having been sent."""
        try:
            proposed = [(sop_class_uid, (transfer_syntax_uid,)) for sop_class_uid, transfer_syntax_uid in contexts]
            association = Requestor.connect(self._peer, self._calling_ae, proposed, self._limits)
        except AssociationError as error:
            raise DestinationError(from_association_error(error)) from error
        self._association, self._scu, self._proposed = association, StoreScu(association), frozenset(contexts)
        return self._scu

    def _acceptable(self, shipment: Shipment) -> Shipment:
        """The shipment as it is, or in the one other transfer syntax we can write; ContextNotAccepted if neither."""
        assert self._association is not None
        identity = shipment.identity
        try:
            self._association.context(identity.sop_class_uid, identity.transfer_syntax_uid)
        except ContextNotAccepted:
            if identity.transfer_syntax_uid != EXPLICIT_LITTLE_ENDIAN:
                raise
            self._association.context(identity.sop_class_uid, IMPLICIT_LITTLE_ENDIAN)
            return as_implicit(shipment)
        return shipment


def contexts_for(identities: Sequence[Identity]) -> list[Context]:
    """What to propose: each SOP class in each transfer syntax it is kept in, and explicit ones in implicit too.

    One transfer syntax a context, so that the peer cannot choose the conversion where it would take what we have.
    Where they are too many for one association, some are not proposed in implicit.
    """
    kept = [(each.sop_class_uid, each.transfer_syntax_uid) for each in identities]
    implicit = [(sop_class, IMPLICIT_LITTLE_ENDIAN) for sop_class, uid in kept if uid == EXPLICIT_LITTLE_ENDIAN]
    return list(dict.fromkeys(kept + implicit))[:MOST_CONTEXTS]


def _data_set(shipment: Shipment) -> DataSet:
    """What is to be sent; what the edits have read of the file already is not read again."""
    prefix = shipment.prefix or b""
    resume = shipment.resume if shipment.prefix is not None else 0
    left = shipment.size - len(prefix)
    if shipment.start is not None:
        at_hand = memoryview(shipment.start)[resume : resume + left]
        prefix = b"".join((prefix, at_hand))
        resume, left = resume + len(at_hand), left - len(at_hand)
    return DataSet(prefix, shipment.path, shipment.data_set_offset + resume, left)
