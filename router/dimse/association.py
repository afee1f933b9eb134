"""What both sides of an association do once it stands: messages in, messages out, abort. Negotiates nothing."""

import time
from collections.abc import Iterator
from dataclasses import dataclass

from router.dimse.command import Command
from router.dimse.familiar import Familiar
from router.dimse.limits import COMMAND_BYTES, Limits
from router.dimse.pdu import (
    AbortReason,
    Fragment,
    PduReader,
    PduType,
    abort_of,
    abort_pdu,
    data_pdu,
    fragments,
    only_fragment,
)
from router.dimse.stream import Stream
from router.errors import ProtocolError, TooLong

_SMALLEST_PDU_BYTES = 512  # a peer that takes less could not be sent a response


@dataclass(frozen=True, slots=True)
class AcceptedContext:
    """A presentation context both sides agreed on."""

    context_id: int
    abstract_syntax: str
    transfer_syntax: str


class Association:
    """One association on one socket, used by one thread, blocking; every wait has a deadline.

    Methods raise PeerSilent, AssociationAborted or ProtocolError; after any of them the association is to be aborted.
    """

    def __init__(self, stream: Stream, limits: Limits) -> None:
        self.stream = stream
        self.limits = limits
        self.contexts: dict[int, AcceptedContext] = {}
        self._reader = PduReader(stream, limits.pdu_bytes)
        self._familiar = Familiar()
        self._pending: Iterator[Fragment] | None = None  # of the PDU that was read last
        self._message_deadline = 0.0
        self._peer_pdu_bytes = 0

    @property
    def peer_pdu_bytes(self) -> int:
        """The longest P-DATA-TF the peer takes (its length field), 0 for any."""
        return self._peer_pdu_bytes

    @peer_pdu_bytes.setter
    def peer_pdu_bytes(self, value: int) -> None:
        if 0 < value < _SMALLEST_PDU_BYTES:
            raise ProtocolError(f"the peer takes only {value} bytes a PDU", reason=AbortReason.INVALID_PARAMETER)
        self._peer_pdu_bytes = value

    @property
    def is_idle(self) -> bool:
        """True while nothing has come of a message or PDU that was not read."""
        return not self._message_deadline and self._reader.is_empty

    def next_command(self, seconds: float) -> tuple[AcceptedContext, Command] | None:
        """The command set of the next message, waited for so long; None when the peer asks for release."""
        self._message_deadline = 0.0
        fragment = self._next_fragment(time.monotonic() + seconds)
        if fragment is None:
            return None
        self._message_deadline = time.monotonic() + self.limits.message_seconds
        context = self._context(fragment, is_command=True)
        data = bytes(fragment.data)
        while not fragment.is_last:
            fragment = self._same_message(context, is_command=True)
            data += fragment.data
            if len(data) > COMMAND_BYTES:
                raise ProtocolError("a command set is too long", reason=AbortReason.INVALID_PARAMETER)
        return context, self._familiar.decode(data)

    def data_set(self, context: AcceptedContext) -> Iterator[memoryview]:
        """The fragments of the data set that follows a command; each is good until the next one is asked for."""
        size = 0
        is_last = False
        while not is_last:
            fragment = self._same_message(context, is_command=False)
            size += len(fragment.data)
            if size > self.limits.instance_bytes:
                raise TooLong(f"a data set is longer than {self.limits.instance_bytes} bytes")
            is_last = fragment.is_last
            yield fragment.data

    def send_command(self, context: AcceptedContext, encoded: bytes) -> None:
        """Send one command set in one PDU."""
        pdu = data_pdu(context.context_id, encoded, is_command=True)
        self.stream.send([pdu], time.monotonic() + self.limits.pdu_seconds)

    def abort(self, source: int = 0, reason: int = 0) -> None:
        """Send A-ABORT and close; harmless when already closed."""
        self.stream.last_word(abort_pdu(source, reason), self.limits.linger_seconds)

    def _same_message(self, context: AcceptedContext, *, is_command: bool) -> Fragment:
        """The next fragment of the message under way."""
        fragment = self._next_fragment(None)
        if fragment is None:
            raise ProtocolError("release was asked for in the middle of a message", reason=AbortReason.UNEXPECTED_PDU)
        if self._context(fragment, is_command=is_command) is not context:
            raise ProtocolError("a message changes its presentation context", reason=AbortReason.UNEXPECTED_PARAMETER)
        return fragment

    def _context(self, fragment: Fragment, *, is_command: bool) -> AcceptedContext:
        context = self.contexts.get(fragment.context_id)
        if context is None:
            raise ProtocolError("a presentation context that was not accepted", reason=AbortReason.INVALID_PARAMETER)
        if fragment.is_command is not is_command:
            text = "a data set without its command" if is_command else "a command in the middle of a data set"
            raise ProtocolError(text, reason=AbortReason.UNEXPECTED_PARAMETER)
        return context

    def _next_fragment(self, deadline: float | None) -> Fragment | None:
        """The next presentation data value, its PDU begun before `deadline`; None for an A-RELEASE-RQ.

        No deadline stands for the usual one in the middle of a message.
        """
        while True:
            if self._pending is not None:
                fragment = next(self._pending, None)
                if fragment is not None:
                    return fragment
                self._pending = None
            pdu_type, body = self._reader.buffered() or self._read(deadline)
            if pdu_type is PduType.DATA:
                only = only_fragment(body)
                if only is not None:
                    return only
                self._pending = fragments(body)
            elif pdu_type is PduType.RELEASE_RQ:
                return None
            elif pdu_type is PduType.ABORT:
                raise abort_of(body)
            else:
                raise ProtocolError(f"an unexpected PDU of type {pdu_type:d}", reason=AbortReason.UNEXPECTED_PDU)

    def _read(self, deadline: float | None) -> tuple[PduType, memoryview]:
        seconds = self.limits.pdu_seconds
        if deadline is None:
            deadline = min(time.monotonic() + seconds, self._message_deadline)
        return self._reader.read(deadline, seconds)
