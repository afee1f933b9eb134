"""The acceptor's side: answers the A-ASSOCIATE-RQ, then serves request after request until release. Listens nowhere."""

import time
from collections import Counter
from typing import Protocol

from router.dimse import associate, contexts
from router.dimse.association import AcceptedContext, Association
from router.dimse.breach import Breach
from router.dimse.command import Command, response
from router.dimse.limits import ASSOCIATE_BYTES
from router.dimse.pdu import RELEASE_RP, AbortReason, PduType, data_pdu, reject_pdu
from router.dimse.reception import Reception
from router.dimse.sources import Source
from router.dimse.status import UNRECOGNISED_OPERATION
from router.dimse.stream import Stream
from router.errors import AssociationRejected, PeerIdle, PeerOverdue, PeerSilent, ProtocolError

_PERMANENT, _TRANSIENT = 1, 2
_BY_USER, _BY_ACSE, _BY_PRESENTATION = 1, 2, 3
_APPLICATION_CONTEXT_NOT_SUPPORTED, _CALLING_AE_NOT_RECOGNISED, _CALLED_AE_NOT_RECOGNISED = 2, 3, 7
_VERSION_NOT_SUPPORTED = 2
_LOCAL_LIMIT_EXCEEDED = 2
_MOST_CANCELS = 100  # of nothing, on one association
_MOST_REQUESTS_AHEAD = 16  # that did not wait for the response before, on one association


class Admit(Protocol):
    """Answers whether there is room for an association, and keeps it for that one."""

    def __call__(self, *, only_verifies: bool) -> bool:
        """True when there is."""
        ...


def everybody(*, only_verifies: bool) -> bool:  # noqa: ARG001
    """Room without end."""
    return True


class Acceptor(Association):
    """One association that a peer at `host` asked for; `statuses` counts what it was answered.

    Its connection was opened at `since` (monotonic); `admit` is asked once whether there is room for an association.
    """

    def __init__(self, stream: Stream, host: str, reception: Reception, since: float, admit: Admit) -> None:
        super().__init__(stream, reception.limits)
        self.host = host
        self.is_accepted = False
        self.calling_ae = ""
        self.called_ae = reception.ae_title  # by which we take calls
        self.called_as = ""  # the called AE title of the request, ours or not
        self.source: Source | None = None
        self.statuses: Counter[int] = Counter()
        self._reception = reception
        self._since = since
        self._admit = admit
        self._cancels = 0
        self._requests_ahead = 0

    def accept(self) -> None:
        """Read the A-ASSOCIATE-RQ and accept it; AssociationRejected when it may not be, and the peer has been told."""
        limits = self.limits
        deadline = self._since + limits.first_pdu_seconds
        pdu_type, body = self._reader.read(deadline, limits.first_pdu_seconds, ASSOCIATE_BYTES)
        if pdu_type is not PduType.ASSOCIATE_RQ:
            raise ProtocolError(f"a PDU of type {pdu_type:d} before association", reason=AbortReason.UNEXPECTED_PDU)
        request = associate.decode_request(bytes(body))
        self.calling_ae, self.called_as = request.calling_ae, request.called_ae
        refused = self._refusal(request)
        if refused is not None:
            self.stream.last_word(reject_pdu(*refused), limits.linger_seconds)
            raise AssociationRejected(*refused)
        self.peer_pdu_bytes = request.user.pdu_bytes
        answers, user = contexts.answer(request, limits.pdu_bytes)
        for proposed, answered in zip(request.contexts, answers, strict=True):
            if answered.result == 0:
                self.contexts[proposed.context_id] = AcceptedContext(
                    proposed.context_id, proposed.abstract_syntax, answered.transfer_syntax
                )
        accept = associate.encode_accept(associate.AssociateAccept(answers, user), request)
        self.stream.send([accept], time.monotonic() + limits.pdu_seconds)
        self._reader.make_room()
        self.is_accepted = True

    def serve(self) -> None:
        """Serve requests until the peer asks for release, and grant it."""
        services = {each.command_field: each for each in self._reception.services}
        while (message := self._next_request()) is not None:
            context, request = message
            if request.is_response:
                raise ProtocolError("a response to nothing", reason=AbortReason.UNEXPECTED_PARAMETER)
            service = services.get(request.field)
            if service is not None:
                service.serve(self, context, request)
            else:
                self._decline(context, request)
        self.stream.last_word(RELEASE_RP, self.limits.linger_seconds)

    def respond(self, context: AcceptedContext, request: Command, status: int, comment: str = "") -> None:
        """Answer a request with a status and, never with patient data, a comment."""
        answer = (None if status or comment else request.success()) or response(request, status, comment)
        pdu = data_pdu(context.context_id, answer, is_command=True)
        self.stream.send([pdu], time.monotonic() + self.limits.pdu_seconds)
        self.statuses[status] += 1

    def alarm(self, breach: Breach) -> None:
        """Tell who watches over this appliance what the peer did."""
        self._reception.alarm(breach, self.host, self.calling_ae)

    def _next_request(self) -> tuple[AcceptedContext, Command] | None:
        """The next command set, waited for as long as the association may idle and last."""
        if not self._reader.is_empty:  # asked before the response was read, although our window is 1 (PS3.7 D.3.3.3)
            self._requests_ahead += 1
            if self._requests_ahead == _MOST_REQUESTS_AHEAD:
                self.alarm(Breach.PROTOCOL)
        left = self._since + self.limits.association_seconds - time.monotonic()
        if left <= 0:
            raise PeerOverdue
        try:
            return self.next_command(min(left, self.limits.idle_seconds))
        except PeerSilent:
            if not self.is_idle:
                raise
        raise PeerIdle if left > self.limits.idle_seconds else PeerOverdue

    def _refusal(self, request: associate.AssociateRequest) -> tuple[int, int, int] | None:
        """Result, source and reason of the rejection (PS3.8 table 9-21), or None; sets `source`."""
        if not request.protocol_version & 1:
            return _PERMANENT, _BY_ACSE, _VERSION_NOT_SUPPORTED
        if request.application_context != associate.APPLICATION_CONTEXT:
            return _PERMANENT, _BY_USER, _APPLICATION_CONTEXT_NOT_SUPPORTED
        if request.called_ae != self._reception.ae_title:
            return _PERMANENT, _BY_USER, _CALLED_AE_NOT_RECOGNISED
        sources = self._reception.sources
        self.source = sources.find(request.calling_ae, self.host)
        may_send = self.source is not None or (sources.accept_unknown and associate.is_ae_title(request.calling_ae))
        if not may_send:
            return _PERMANENT, _BY_USER, _CALLING_AE_NOT_RECOGNISED
        only_verifies = all(context.abstract_syntax == contexts.VERIFICATION for context in request.contexts)
        has_room = self._admit(only_verifies=only_verifies)
        return None if has_room else (_TRANSIENT, _BY_PRESENTATION, _LOCAL_LIMIT_EXCEEDED)

    def _decline(self, context: AcceptedContext, request: Command) -> None:
        """Answer a request nobody here serves; a C-CANCEL has no answer (PS3.7 9.3.2.3)."""
        if request.is_cancel:
            self._cancels += 1
            if self._cancels > _MOST_CANCELS:
                raise ProtocolError("a flood of cancels", reason=AbortReason.NOT_SPECIFIED)
            return
        self.alarm(Breach.NOT_OFFERED)
        if request.has_data_set:
            for _ in self.data_set(context):
                pass
        self.respond(context, request, UNRECOGNISED_OPERATION)
