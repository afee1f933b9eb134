"""Command sets as values and bytes (PS3.7 6.3.1 and annex E), always implicit VR little endian; no service here."""

import re
import struct
from collections.abc import Iterator, Mapping
from enum import IntEnum

from router.dimse.pdu import AbortReason
from router.errors import ProtocolError

ELEMENT = struct.Struct("<HHI")
_NUMBERS = struct.Struct("<HHIHHHIHHHIHHHIH")  # four elements of VR US
_GROUP_LENGTH = struct.Struct("<HHII")
_DATA_SET, _NO_DATA_SET = 0x0001, 0x0101  # of (0000,0800)
_LONGEST_COMMENT = 64  # Error Comment is LO (PS3.7 annex C)
_LONGEST_UID = 64  # PS3.5 6.2
EVEN_UID = re.compile(rb"(?=(?:..){1,32}\Z)[0-9.]+\0?", re.DOTALL)  # as it is to be written


class Field(IntEnum):
    """Command fields (PS3.7 E.1); a response has bit 8000H set."""

    C_STORE_RQ = 0x0001
    C_STORE_RSP = 0x8001
    C_GET_RQ = 0x0010
    C_FIND_RQ = 0x0020
    C_MOVE_RQ = 0x0021
    C_ECHO_RQ = 0x0030
    C_ECHO_RSP = 0x8030
    C_CANCEL_RQ = 0x0FFF


class Element(IntEnum):
    """Element numbers of group 0000 (PS3.7 annex E)."""

    GROUP_LENGTH = 0x0000
    AFFECTED_SOP_CLASS_UID = 0x0002
    COMMAND_FIELD = 0x0100
    MESSAGE_ID = 0x0110
    MESSAGE_ID_RESPONDED_TO = 0x0120
    PRIORITY = 0x0700
    DATA_SET_TYPE = 0x0800
    STATUS = 0x0900
    ERROR_COMMENT = 0x0902
    AFFECTED_SOP_INSTANCE_UID = 0x1000


class Command:
    """One command set: `values`, of each element, undecoded."""

    __slots__ = ("values",)

    def __init__(self, values: Mapping[int, bytes]) -> None:
        self.values = values

    @property
    def field(self) -> int:
        """The command field (0000,0100)."""
        return self.number(Element.COMMAND_FIELD)

    @property
    def is_response(self) -> bool:
        """True when this answers a request."""
        return bool(self.field & 0x8000)

    @property
    def is_cancel(self) -> bool:
        """True for a C-CANCEL-RQ."""
        return self.field == Field.C_CANCEL_RQ

    @property
    def has_data_set(self) -> bool:
        """True when a data set follows."""
        return self.number(Element.DATA_SET_TYPE) != _NO_DATA_SET

    def number(self, element: int) -> int:
        """An element of VR US; ProtocolError when it is absent or no 16-bit number."""
        value = self.values.get(element, b"")
        if len(value) != 2:
            raise ProtocolError(
                f"element (0000,{element:04X}) of a command is absent or no number",
                reason=AbortReason.INVALID_PARAMETER,
            )
        return int.from_bytes(value, "little")

    def text(self, element: int) -> str:
        """An element of text or UID, without padding, "" when absent; what is no ASCII is replaced by U+FFFD."""
        return self.values.get(element, b"").decode("ascii", "replace").strip(" \0")

    def instance(self) -> tuple[str, str]:
        """The UIDs of SOP class and SOP instance it is about, as `text`."""
        return self.text(Element.AFFECTED_SOP_CLASS_UID), self.text(Element.AFFECTED_SOP_INSTANCE_UID)

    def success(self) -> bytes | None:
        """The answer to nearly every request, from what stands in it; None where its UIDs are not as they should be."""
        sop_class, sop_instance = (
            self.values.get(element, b"")
            for element in (Element.AFFECTED_SOP_CLASS_UID, Element.AFFECTED_SOP_INSTANCE_UID)
        )
        if not EVEN_UID.fullmatch(sop_class) or not EVEN_UID.fullmatch(sop_instance):
            return None
        numbers = _NUMBERS.pack(
            *(0, Element.COMMAND_FIELD, 2, self.field | 0x8000),
            *(0, Element.MESSAGE_ID_RESPONDED_TO, 2, self.number(Element.MESSAGE_ID)),
            *(0, Element.DATA_SET_TYPE, 2, _NO_DATA_SET),
            *(0, Element.STATUS, 2, 0),
        )
        return _of_instance(sop_class, numbers, sop_instance)


def places(data: bytes) -> Iterator[tuple[int, slice]]:
    """The elements of a command set, and where the value of each lies; ProtocolError where it is none."""
    offset, end = 0, len(data)
    while offset < end:
        if end - offset < ELEMENT.size:
            raise ProtocolError("a command set is cut", reason=AbortReason.INVALID_PARAMETER)
        group, element, length = ELEMENT.unpack_from(data, offset)
        start = offset + ELEMENT.size
        offset = start + length
        if group or offset > end:
            raise ProtocolError("a command set is cut or holds another group", reason=AbortReason.INVALID_PARAMETER)
        yield element, slice(start, offset)


def decode(data: bytes) -> Command:
    """The command set in `data`; ProtocolError when it is none, or a request that could not be answered."""
    command = Command({element: data[place] for element, place in places(data)})
    if not command.is_response and not command.is_cancel:
        command.number(Element.MESSAGE_ID)  # or an instance would be kept, and its sender never told
    return command


def encode(values: Mapping[int, int | str]) -> bytes:
    """A command set: numbers as US, texts padded to even length, in the order of their elements, with group length."""
    parts = []
    for element, value in sorted(values.items()):
        if isinstance(value, int):
            encoded = struct.pack("<H", value)
        else:
            encoded = _encoded(value, b" " if element == Element.ERROR_COMMENT else b"\0")
        parts.append(ELEMENT.pack(0, element, len(encoded)) + encoded)
    body = b"".join(parts)
    return ELEMENT.pack(0, Element.GROUP_LENGTH, 4) + struct.pack("<I", len(body)) + body


def store_request(message_id: int, sop_class_uid: str, sop_instance_uid: str) -> bytes:
    """A C-STORE-RQ of medium priority (PS3.7 9.3.1.1)."""
    numbers = _NUMBERS.pack(
        *(0, Element.COMMAND_FIELD, 2, Field.C_STORE_RQ),
        *(0, Element.MESSAGE_ID, 2, message_id),
        *(0, Element.PRIORITY, 2, 0),
        *(0, Element.DATA_SET_TYPE, 2, _DATA_SET),
    )
    return _of_instance(_encoded(sop_class_uid), numbers, _encoded(sop_instance_uid))


def echo_request(message_id: int, sop_class_uid: str) -> bytes:
    """A C-ECHO-RQ (PS3.7 9.3.5.1)."""
    return encode(
        {
            Element.AFFECTED_SOP_CLASS_UID: sop_class_uid,
            Element.COMMAND_FIELD: Field.C_ECHO_RQ,
            Element.MESSAGE_ID: message_id,
            Element.DATA_SET_TYPE: _NO_DATA_SET,
        }
    )


def _of_instance(sop_class: bytes, numbers: bytes, sop_instance: bytes) -> bytes:
    """A command set about one instance: two UIDs of even length, and the elements of VR US between them."""
    body = b"".join(
        (
            ELEMENT.pack(0, Element.AFFECTED_SOP_CLASS_UID, len(sop_class)),
            sop_class,
            numbers,
            ELEMENT.pack(0, Element.AFFECTED_SOP_INSTANCE_UID, len(sop_instance)),
            sop_instance,
        )
    )
    return _GROUP_LENGTH.pack(0, Element.GROUP_LENGTH, 4, len(body)) + body


def _encoded(text: str, padding: bytes = b"\0") -> bytes:
    """A text or UID, padded to even length."""
    encoded = text.encode("ascii", "replace")
    return encoded + padding if len(encoded) % 2 else encoded


def response(request: Command, status: int, comment: str = "") -> bytes:
    """The response without a data set to any request (PS3.7 9.3, 10.3); one of at most 400 bytes, whatever it answers.

    The comment is cut to what LO can hold, and so are UIDs: what a peer sent as one may be longer than its PDUs.
    """
    values: dict[int, int | str] = {
        Element.COMMAND_FIELD: request.field | 0x8000,
        Element.MESSAGE_ID_RESPONDED_TO: request.number(Element.MESSAGE_ID),
        Element.DATA_SET_TYPE: _NO_DATA_SET,
        Element.STATUS: status,
    }
    for element in (Element.AFFECTED_SOP_CLASS_UID, Element.AFFECTED_SOP_INSTANCE_UID):
        if element in request.values:
            values[element] = request.text(element)[:_LONGEST_UID]
    if comment:
        values[Element.ERROR_COMMENT] = comment[:_LONGEST_COMMENT]
    return encode(values)
