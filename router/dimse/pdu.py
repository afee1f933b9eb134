"""PDUs on a stream (PS3.8 9.3): framing with limits, P-DATA in place, the short PDUs. A-ASSOCIATE is in associate."""

from collections.abc import Iterator
from enum import IntEnum
from struct import Struct
from time import monotonic

from router.dimse.stream import Stream
from router.errors import AssociationAborted, ProtocolError, TooLong

HEADER = Struct(">BxI")  # PDU type, length of what follows
DATA_HEADER = Struct(">BxIIBB")  # the same, then the only PDV's length, context ID and message control header
_PDV = Struct(">IBB")
_FIRST_BYTES = 4096  # of the buffer, which most requests for an association fit into
_LONG_BYTES = 16384
COMMAND, LAST = 1, 2  # bits of the message control header (PS3.8 E.2)

Fragment = tuple[int, int, memoryview]
"""A presentation data value: its context ID, its message control header, and a view of what is in it."""


class PduType(IntEnum):
    """The types of PS3.8 9.3."""

    ASSOCIATE_RQ = 1
    ASSOCIATE_AC = 2
    ASSOCIATE_RJ = 3
    DATA = 4
    RELEASE_RQ = 5
    RELEASE_RP = 6
    ABORT = 7


_TYPES = {each.value: each for each in PduType}
_DATA = PduType.DATA.value


class AbortReason(IntEnum):
    """Reasons of an A-ABORT by the provider (PS3.8 table 9-26)."""

    NOT_SPECIFIED = 0
    UNRECOGNISED_PDU = 1
    UNEXPECTED_PDU = 2
    UNRECOGNISED_PARAMETER = 4
    UNEXPECTED_PARAMETER = 5
    INVALID_PARAMETER = 6


RELEASE_RQ = HEADER.pack(PduType.RELEASE_RQ, 4) + bytes(4)
RELEASE_RP = HEADER.pack(PduType.RELEASE_RP, 4) + bytes(4)


def abort_pdu(source: int, reason: int) -> bytes:
    """An A-ABORT (PS3.8 9.3.8); source 0 the service user, 2 the provider."""
    return HEADER.pack(PduType.ABORT, 4) + bytes((0, 0, source, reason))


def reject_pdu(result: int, source: int, reason: int) -> bytes:
    """An A-ASSOCIATE-RJ (PS3.8 9.3.4)."""
    return HEADER.pack(PduType.ASSOCIATE_RJ, 4) + bytes((0, result, source, reason))


def data_pdu(context_id: int, data: bytes, *, is_command: bool, is_last: bool = True) -> bytes:
    """A P-DATA-TF with one presentation data value (PS3.8 9.3.5)."""
    control = (COMMAND if is_command else 0) | (LAST if is_last else 0)
    return DATA_HEADER.pack(PduType.DATA, len(data) + 6, len(data) + 2, context_id, control) + data


def fragments(body: memoryview) -> Iterator[Fragment]:
    """The presentation data values of one P-DATA-TF body; ProtocolError where a length is not true."""
    offset, end = 0, len(body)
    if not end:
        raise ProtocolError("a P-DATA PDU without a value", reason=AbortReason.INVALID_PARAMETER)
    while offset < end:
        if end - offset < 6:
            raise ProtocolError("a presentation data value is cut", reason=AbortReason.INVALID_PARAMETER)
        length, context_id, control = _PDV.unpack_from(body, offset)
        stop = offset + 4 + length
        if length < 2 or stop > end:
            raise ProtocolError(
                "a presentation data value is longer than its PDU", reason=AbortReason.INVALID_PARAMETER
            )
        yield context_id, control, body[offset + 6 : stop]
        offset = stop


class PduReader:
    """Reads PDUs through one buffer that is used again and again; a claimed length is checked before it is believed."""

    def __init__(self, stream: Stream, data_bytes: int) -> None:
        self._stream = stream
        self._data_bytes = data_bytes
        self._view = memoryview(bytearray(_FIRST_BYTES))
        self._start = self._end = 0

    @property
    def is_empty(self) -> bool:
        """True while no byte has come of a PDU that was not read."""
        return self._start == self._end

    def only_fragment(self, deadline: float, pdu_seconds: float) -> Fragment | None:
        """The fragment of the next PDU, good until the next call, if that is a P-DATA-TF with one, as most are.

        None where it is another, which `read` gives then. Times and errors as there.
        """
        if self._start == self._end:
            self._start = self._end = 0
            self._end = self._stream.receive_into(self._view, deadline)
        if self._end - self._start < DATA_HEADER.size:
            return None
        pdu_type, length, value_length, context_id, control = DATA_HEADER.unpack_from(self._view, self._start)
        size = HEADER.size + length
        is_usual = pdu_type == _DATA and length <= self._data_bytes and size <= len(self._view)
        if not is_usual or not 2 <= value_length == length - 4:
            return None
        if self._end - self._start < size:
            self._need(size, monotonic() + pdu_seconds)
        start = self._start + DATA_HEADER.size
        self._start += size
        return context_id, control, self._view[start : self._start]

    def read(self, deadline: float, pdu_seconds: float, associate_bytes: int = 0) -> tuple[PduType, memoryview]:
        """The next PDU's type and body; the body is good until the next call.

        Its first byte has to come before `deadline`, its last within `pdu_seconds` after that and, with
        `associate_bytes` (the longest A-ASSOCIATE taken, 0: none is), before `deadline` too.
        Raises PeerSilent, AssociationAborted, ProtocolError.
        """
        if self._start == self._end:
            self._start = self._end = 0
            self._end = self._stream.receive_into(self._view, deadline)
        whole_by = monotonic() + pdu_seconds
        if associate_bytes:
            whole_by = min(whole_by, deadline)
        pdu_type = _pdu_type(self._view[self._start])
        if self._end - self._start < HEADER.size:
            self._need(HEADER.size, whole_by)
        length = HEADER.unpack_from(self._view, self._start)[1]
        if pdu_type is not PduType.DATA or length > self._data_bytes:
            self._check_length(pdu_type, length, associate_bytes)
        size = HEADER.size + length
        if size > len(self._view):
            self._enlarge(size)
        if self._end - self._start < size:
            self._need(size, whole_by)
        body_start = self._start + HEADER.size
        self._start = body_start + length
        return pdu_type, self._view[body_start : self._start]

    def make_room(self) -> None:
        """For several P-DATA-TF at a time, once there is an association."""
        self._enlarge(max(4 * (self._data_bytes + HEADER.size), 2**18))

    def _enlarge(self, size: int) -> None:
        """A buffer of so many bytes; who only connects costs little."""
        held = self._end - self._start
        larger = memoryview(bytearray(max(size, held)))
        larger[:held] = self._view[self._start : self._end]
        self._view, self._start, self._end = larger, 0, held

    def _check_length(self, pdu_type: PduType, length: int, associate_bytes: int) -> None:
        if pdu_type is PduType.DATA:
            fits = length <= self._data_bytes
        elif pdu_type in (PduType.ASSOCIATE_RQ, PduType.ASSOCIATE_AC):
            fits = length <= associate_bytes
        else:
            fits = length == 4
        if fits:
            return
        text = f"a PDU of type {pdu_type:d} claims {length} bytes"
        if pdu_type in (PduType.ASSOCIATE_RQ, PduType.ASSOCIATE_AC) and not associate_bytes:
            raise ProtocolError(text, reason=AbortReason.UNEXPECTED_PDU)
        raise TooLong(text, reason=AbortReason.INVALID_PARAMETER)

    def _need(self, count: int, deadline: float) -> None:
        """Have `count` bytes in the buffer from `_start` on, which are not there yet."""
        if self._start + count > len(self._view):
            held = self._end - self._start
            self._view[:held] = self._view[self._start : self._end]
            self._start, self._end = 0, held
        while (missing := self._start + count - self._end) > 0:
            is_long = missing > _LONG_BYTES  # then nothing behind it is asked for, so that it comes in one piece
            view = self._view[self._end : self._end + missing] if is_long else self._view[self._end :]
            self._end += self._stream.receive_into(view, deadline, all_of_it=is_long)


def _pdu_type(value: int) -> PduType:
    pdu_type = _TYPES.get(value)
    if pdu_type is None:
        raise ProtocolError(f"a PDU of unknown type 0x{value:02X}", reason=AbortReason.UNRECOGNISED_PDU)
    return pdu_type


def abort_of(body: memoryview) -> AssociationAborted:
    """What an A-ABORT body says (PS3.8 9.3.8)."""
    return AssociationAborted("the peer aborted the association", source=body[2], reason=body[3])
