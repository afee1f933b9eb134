"""The requestor's side: connects, proposes, sends requests, waits for responses, releases. Offers no service."""

import socket
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from router.dimse import associate
from router.dimse.association import AcceptedContext, Association
from router.dimse.command import Command, Element, Field
from router.dimse.limits import ASSOCIATE_BYTES, Limits
from router.dimse.pdu import RELEASE_RP, RELEASE_RQ, AbortReason, PduType, abort_of
from router.dimse.stream import Stream
from router.dimse.tls import ClientTls
from router.errors import (
    AssociationError,
    AssociationRejected,
    ContextNotAccepted,
    PeerUnreachable,
    ProtocolError,
)

MOST_CONTEXTS = 128


@dataclass(frozen=True, slots=True)
class Peer:
    """Whom to call, and with `tls` only over TLS."""

    ae_title: str
    host: str
    port: int
    tls: ClientTls | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """A message ready to be sent, the next one or never: its command and its data set in groups of whole PDUs.

    Its response has to be an `answer`.
    """

    message_id: int
    context: AcceptedContext
    answer: Field
    windows: Iterable[Sequence[bytes | memoryview]]


class Requestor(Association):
    """An association we asked for. Any error it raises has aborted it, unless the error says otherwise."""

    def __init__(self, stream: Stream, limits: Limits) -> None:
        super().__init__(stream, limits)
        self._is_open = True
        self._message_id = 0

    @classmethod
    def connect(
        cls,
        peer: Peer,
        calling_ae: str,
        contexts: Sequence[tuple[str, Sequence[str]]],
        limits: Limits | None = None,
    ) -> "Requestor":
        """Connect and associate; `contexts` are up to 128 pairs of an abstract syntax and its transfer syntaxes.

        Raises PeerUnreachable, AssociationRejected, AssociationAborted (TlsFailed among them), PeerSilent. Contexts the
        peer did not accept are no error here.
        """
        if not 1 <= len(contexts) <= MOST_CONTEXTS:
            raise ValueError(f"{len(contexts)} presentation contexts; from 1 to {MOST_CONTEXTS} can be proposed")
        limits = limits or Limits()
        try:
            sock = socket.create_connection((peer.host, peer.port), limits.connect_seconds)
        except (OSError, UnicodeError) as error:
            reason = getattr(error, "strerror", None) or "no answer in time"
            raise PeerUnreachable(f"{peer.host}:{peer.port} cannot be reached: {reason}") from error
        association = cls(peer.tls.stream(sock, peer.host) if peer.tls else Stream(sock), limits)
        proposed = tuple(
            associate.ProposedContext(2 * index + 1, abstract_syntax, tuple(transfer_syntaxes))
            for index, (abstract_syntax, transfer_syntaxes) in enumerate(contexts)
        )
        user = associate.UserInformation(limits.pdu_bytes)
        request = associate.AssociateRequest(peer.ae_title, calling_ae, proposed, user)
        with association.aborting():
            association.negotiate(request)
        return association

    @property
    def is_open(self) -> bool:
        """False once either side has ended it; to be asked between requests, when a peer has nothing else to say."""
        if self._is_open and self.stream.has_spoken():
            self.close()
        return self._is_open

    def negotiate(self, request: associate.AssociateRequest) -> None:
        """Send the A-ASSOCIATE-RQ and take the answer."""
        deadline = time.monotonic() + self.limits.connect_seconds
        self.stream.send([associate.encode_request(request)], deadline)
        pdu_type, body = self._reader.read(deadline, self.limits.connect_seconds, ASSOCIATE_BYTES)
        if pdu_type is PduType.ASSOCIATE_RJ:
            self.close()
            raise AssociationRejected(body[1], body[2], body[3])
        if pdu_type is PduType.ABORT:
            raise abort_of(body)
        if pdu_type is not PduType.ASSOCIATE_AC:
            raise ProtocolError(f"a PDU of type {pdu_type:d} as answer", reason=AbortReason.UNEXPECTED_PDU)
        accept = associate.decode_accept(bytes(body))
        self._reader.make_room()
        self.peer_pdu_bytes = accept.user.pdu_bytes
        answers = {answer.context_id: answer for answer in accept.contexts if answer.result == 0}
        for proposed in request.contexts:
            answer = answers.get(proposed.context_id)
            if answer is not None and answer.transfer_syntax in proposed.transfer_syntaxes:
                self.contexts[proposed.context_id] = AcceptedContext(
                    proposed.context_id, proposed.abstract_syntax, answer.transfer_syntax
                )

    def context(self, abstract_syntax: str, transfer_syntax: str | None = None) -> AcceptedContext:
        """The accepted context for these; ContextNotAccepted, and the association goes on."""
        for context in self.contexts.values():
            if context.abstract_syntax == abstract_syntax and transfer_syntax in (None, context.transfer_syntax):
                return context
        raise ContextNotAccepted

    def next_message_id(self) -> int:
        """1 to 65,535 and again from 1."""
        self._message_id = self._message_id % 0xFFFF + 1
        return self._message_id

    def request(self, request: Request, meanwhile: Callable[[], None] = lambda: None) -> int:
        """Send a message; the status of the response to it, 0 to 0xFFFF.

        When all of it has left, `meanwhile` is called before the response is waited for.
        """
        seconds = self.limits.pdu_seconds
        with self.aborting():
            for window in request.windows:
                self.stream.send(window, time.monotonic() + seconds, each_seconds=seconds)
            meanwhile()
            return self._response(request).number(Element.STATUS)

    def release(self) -> None:
        """End the association in order; harmless when it has ended. Never raises."""
        if not self._is_open:
            return
        deadline = time.monotonic() + self.limits.connect_seconds
        try:
            self.stream.send([RELEASE_RQ], deadline)
            while True:
                pdu_type, body = self._reader.read(deadline, self.limits.pdu_seconds)
                if pdu_type is PduType.RELEASE_RP:
                    break
                if pdu_type is PduType.RELEASE_RQ:  # both at once (PS3.8 9.2.3, AR-8 and AR-9)
                    self.stream.send([RELEASE_RP], deadline)
                elif pdu_type is PduType.ABORT:
                    raise abort_of(body)
        except AssociationError:
            self.abort()
        self.close()

    def abort(self, source: int = 0, reason: int = 0) -> None:
        """Send A-ABORT and close; harmless when the association has ended."""
        if self._is_open:
            self._is_open = False
            super().abort(source, reason)

    def close(self) -> None:
        """Close the connection without a word."""
        self._is_open = False
        self.stream.close()

    @contextmanager
    def aborting(self) -> Iterator[None]:
        """Abort the association when what is done inside fails."""
        try:
            yield
        except ProtocolError as error:
            self.abort(source=2, reason=error.reason or 0)
            raise
        except BaseException:
            self.abort()
            raise

    def _response(self, request: Request) -> Command:
        """The response to the message sent last; a peer sends nothing else to us."""
        message = self.next_command(self.limits.response_seconds)
        if message is None:
            raise ProtocolError("release instead of a response", reason=AbortReason.UNEXPECTED_PDU)
        answered, response = message
        is_ours = response.is_response and response.number(Element.MESSAGE_ID_RESPONDED_TO) == request.message_id
        if answered is not request.context or not is_ours or response.has_data_set:
            raise ProtocolError("a response to another request", reason=AbortReason.UNEXPECTED_PARAMETER)
        if response.field != request.answer:
            raise ProtocolError("a response of another kind")
        return response
