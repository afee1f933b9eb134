"""What both sides of an association do once it stands: messages in, messages out, abort. Negotiates nothing."""

from collections.abc import Iterator
from dataclasses import dataclass
from time import monotonic

from router.dimse.command import Command
from router.dimse.familiar import Familiar
from router.dimse.limits import COMMAND_BYTES, Limits
from router.dimse.pdu import (
    COMMAND,
    LAST,
    AbortReason,
    Fragment,
    PduReader,
    PduType,
    abort_of,
    abort_pdu,
    fragments,
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
        deadline = monotonic() + seconds
        fragment = None if self._pending else self._reader.only_fragment(deadline, self.limits.pdu_seconds)
        fragment = fragment or self._next_fragment(deadline)
        if fragment is None:
            return None
        context_id, control, data = fragment
        self._message_deadline = monotonic() + self.limits.message_seconds
        context = self.contexts.get(context_id)
        if context is None or not control & COMMAND:
            raise self._out_of_place(context_id, control, is_command=True)
        command = bytes(data)
        while not control & LAST:
            context_id, control, data = self._same_message(monotonic() + self.limits.pdu_seconds)
            if context_id != context.context_id or not control & COMMAND:
                raise self._out_of_place(context_id, control, is_command=True)
            command += data
            if len(command) > COMMAND_BYTES:
                raise ProtocolError("a command set is too long", reason=AbortReason.INVALID_PARAMETER)
        return context, self._familiar.decode(command)

    def data_set(self, context: AcceptedContext) -> Iterator[memoryview]:
        """The fragments of the data set that follows a command; each is good until the next one is asked for."""
        reader, seconds, longest = self._reader, self.limits.pdu_seconds, self.limits.instance_bytes
        size = is_last = 0
        while not is_last:
            deadline = min(monotonic() + seconds, self._message_deadline)
            fragment = None if self._pending else reader.only_fragment(deadline, seconds)  # nearly always that is it
            context_id, control, data = fragment or self._same_message(deadline)
            if context_id != context.context_id or control & COMMAND:
                raise self._out_of_place(context_id, control, is_command=False)
            size += len(data)
            if size > longest:
                raise TooLong(f"a data set is longer than {longest} bytes")
            is_last = control & LAST
            yield data

    def abort(self, source: int = 0, reason: int = 0) -> None:
        """Send A-ABORT and close; harmless when already closed."""
        self.stream.last_word(abort_pdu(source, reason), self.limits.linger_seconds)

    def _same_message(self, deadline: float) -> Fragment:
        """The next fragment of the message under way, whosever it is, its PDU begun before `deadline`."""
        fragment = self._next_fragment(min(deadline, self._message_deadline))
        if fragment is None:
            raise ProtocolError("release was asked for in the middle of a message", reason=AbortReason.UNEXPECTED_PDU)
        return fragment

    def _out_of_place(self, context_id: int, control: int, *, is_command: bool) -> ProtocolError:
        """Why a fragment is not of the message under way, whose command or data set has to go on."""
        if context_id not in self.contexts:
            text, reason = "a presentation context that was not accepted", AbortReason.INVALID_PARAMETER
        elif bool(control & COMMAND) is is_command:
            text, reason = "a message changes its presentation context", AbortReason.UNEXPECTED_PARAMETER
        elif is_command:
            text, reason = "a data set without its command", AbortReason.UNEXPECTED_PARAMETER
        else:
            text, reason = "a command in the middle of a data set", AbortReason.UNEXPECTED_PARAMETER
        return ProtocolError(text, reason=reason)

    def _next_fragment(self, deadline: float) -> Fragment | None:
        """The next presentation data value, its PDU begun before `deadline`; None for an A-RELEASE-RQ."""
        reader, seconds = self._reader, self.limits.pdu_seconds
        while True:
            if self._pending is not None:
                fragment = next(self._pending, None)
                if fragment is not None:
                    return fragment
                self._pending = None
            fragment = reader.only_fragment(deadline, seconds)
            if fragment is not None:
                return fragment
            pdu_type, body = reader.read(deadline, seconds)
            if pdu_type is PduType.DATA:
                self._pending = fragments(body)
            elif pdu_type is PduType.RELEASE_RQ:
                return None
            elif pdu_type is PduType.ABORT:
                raise abort_of(body)
            else:
                raise ProtocolError(f"an unexpected PDU of type {pdu_type:d}", reason=AbortReason.UNEXPECTED_PDU)
