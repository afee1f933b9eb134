"""Delivers by C-STORE (PS3.4 annex B) over an association that is kept for the next batch. Never edits or retries."""

from collections.abc import Generator, Sequence

from router.delivery.contents import EXPLICIT_LITTLE_ENDIAN, IMPLICIT_LITTLE_ENDIAN, as_implicit, with_digest
from router.delivery.outcomes import NO_ACCEPTED_CONTEXT, UNREADABLE, Kind, Outcome, from_association_error, from_status
from router.delivery.sender import DestinationError, Shipment
from router.dimse import DataSet, Limits, Peer, Requestor, StoreScu
from router.errors import AssociationAborted, AssociationError, ContextNotAccepted, DataSetUnreadable
from rules import RulesError

Context = tuple[str, str]  # SOP class UID, transfer syntax UID
Answer = tuple[Shipment, Outcome]


class DicomSender:
    """Sends to one peer; used by one thread."""

    def __init__(self, peer: Peer, calling_ae: str, limits: Limits | None = None) -> None:
        self._peer = peer
        self._calling_ae = calling_ae
        self._limits = limits
        self._proposed: frozenset[Context] = frozenset()
        self._association: Requestor | None = None
        self._scu: StoreScu | None = None

    def send(self, shipments: Sequence[Shipment]) -> Generator[Answer, None, None]:
        """One C-STORE each, in order; see `Sender.send`. At most 64 at a time, since each may need two contexts."""
        contexts = contexts_for(shipments)
        if not self._proposed.issuperset(contexts):
            self.close()
        is_idle = self._is_open()
        for shipment in shipments:
            try:
                answer = self._store_again(shipment, contexts) if is_idle else self._store(shipment, contexts)
            except AssociationError as error:
                outcome = from_association_error(error)
                yield shipment, Outcome(Kind.LATER, None, outcome.reason)
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

    def _store_again(self, shipment: Shipment, contexts: Sequence[Context]) -> Answer:
        """Store over an association that lay idle; the peer may have ended it meanwhile, then over a new one."""
        try:
            return self._store(shipment, contexts)
        except AssociationAborted:
            return self._store(shipment, contexts)

    def _store(self, shipment: Shipment, contexts: Sequence[Context]) -> Answer:
        scu = self._associated(contexts)
        try:
            sent = with_digest(self._acceptable(shipment))  # before it is sent: an answer is put on file at once
            status = scu.store(sent.identity, _data_set(sent))
        except ContextNotAccepted:
            return shipment, NO_ACCEPTED_CONTEXT
        except (DataSetUnreadable, OSError):
            return shipment, UNREADABLE
        except RulesError as error:
            return shipment, Outcome(Kind.PARKED, None, f"only implicit VR little endian is accepted: {error}")
        return sent, from_status(status)

    def _associated(self, contexts: Sequence[Context]) -> StoreScu:
        """The open association, or a new one; DestinationError where there can be none, nothing having been sent."""
        if self._scu is not None and self._is_open():
            return self._scu
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


def contexts_for(shipments: Sequence[Shipment]) -> list[Context]:
    """What to propose: each SOP class in each transfer syntax it is kept in, and explicit ones in implicit too.

    One transfer syntax a context, so that the peer cannot choose the conversion where it would take what we have.
    """
    contexts: dict[Context, None] = {}
    for identity in (shipment.identity for shipment in shipments):
        contexts[identity.sop_class_uid, identity.transfer_syntax_uid] = None
        if identity.transfer_syntax_uid == EXPLICIT_LITTLE_ENDIAN:
            contexts[identity.sop_class_uid, IMPLICIT_LITTLE_ENDIAN] = None
    return list(contexts)


def _data_set(shipment: Shipment) -> DataSet:
    prefix = shipment.prefix or b""
    resume = shipment.resume if shipment.prefix is not None else 0
    return DataSet(prefix, shipment.path, shipment.data_set_offset + resume, shipment.size - len(prefix))
