"""The A-ASSOCIATE PDUs as values and bytes (PS3.8 9.3.2, 9.3.3, annex D; PS3.7 D.3.3); nothing is decided here.

pynetdicom's codecs are not used: they refuse the whole request for one item type they do not know, which PS3.8 9.3.1
has us skip. They are the oracle of the tests.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from archive import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from router.dimse.pdu import HEADER, AbortReason, PduType
from router.errors import ProtocolError

APPLICATION_CONTEXT = "1.2.840.10008.3.1.1.1"
_UNSTATED_PDU_BYTES = 16384  # for a peer that does not say its maximum, which PS3.8 D.1 demands
_FIXED = struct.Struct(">HH16s16s32s")  # protocol version, reserved, called and calling AE title, reserved
_ITEM = struct.Struct(">BxH")


@dataclass(frozen=True, slots=True)
class ProposedContext:
    """A presentation context as the requestor proposes it."""

    context_id: int
    abstract_syntax: str
    transfer_syntaxes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AnsweredContext:
    """The acceptor's answer to one context: result 0 accepted, 1 to 4 rejected (PS3.8 table 9-18)."""

    context_id: int
    result: int
    transfer_syntax: str


@dataclass(frozen=True, slots=True)
class Role:
    """Which roles the requestor proposes, or the acceptor allows it, for one SOP class (PS3.7 D.3.3.4)."""

    sop_class_uid: str
    scu: bool
    scp: bool


@dataclass(frozen=True, slots=True)
class UserInformation:
    """What the two sides tell each other besides contexts; `pdu_bytes` 0 means without limit."""

    pdu_bytes: int
    asynchronous: bool = False  # the operations window was proposed or is answered
    roles: tuple[Role, ...] = ()


@dataclass(frozen=True, slots=True)
class AssociateRequest:
    """An A-ASSOCIATE-RQ; AE titles without padding, what is no printable ASCII replaced by U+FFFD."""

    called_ae: str
    calling_ae: str
    contexts: tuple[ProposedContext, ...]
    user: UserInformation
    application_context: str = APPLICATION_CONTEXT
    protocol_version: int = 1


@dataclass(frozen=True, slots=True)
class AssociateAccept:
    """An A-ASSOCIATE-AC."""

    contexts: tuple[AnsweredContext, ...]
    user: UserInformation


def is_ae_title(text: str) -> bool:
    """True for what may be an AE title: 1 to 16 printable ASCII characters without backslash (PS3.5 6.2)."""
    return 1 <= len(text) <= 16 and text.isascii() and text.isprintable() and "\\" not in text


def decode_request(body: bytes) -> AssociateRequest:
    """The request in the body of an A-ASSOCIATE-RQ; ProtocolError for what is none."""
    version, called, calling = _fixed_part(body)
    application_context = ""
    contexts: list[ProposedContext] = []
    user = UserInformation(_UNSTATED_PDU_BYTES)
    for item_type, value in _items(body, _FIXED.size):
        if item_type == 0x10:
            application_context = _text(value)
        elif item_type == 0x20:
            contexts.append(_proposed(value))
        elif item_type == 0x50:
            user = _user_information(value)
    context_ids = [context.context_id for context in contexts]
    if not contexts or len(set(context_ids)) != len(context_ids) or not all(number % 2 for number in context_ids):
        raise ProtocolError("presentation context IDs have to be odd and unique", reason=AbortReason.INVALID_PARAMETER)
    return AssociateRequest(_title(called), _title(calling), tuple(contexts), user, application_context, version)


def decode_accept(body: bytes) -> AssociateAccept:
    """The answer in the body of an A-ASSOCIATE-AC; ProtocolError for what is none."""
    _fixed_part(body)
    contexts: list[AnsweredContext] = []
    user = UserInformation(_UNSTATED_PDU_BYTES)
    for item_type, value in _items(body, _FIXED.size):
        if item_type == 0x21:
            if len(value) < 4:
                raise _cut()
            syntaxes = [_text(sub) for sub_type, sub in _items(value, 4) if sub_type == 0x40]
            contexts.append(AnsweredContext(value[0], value[2], syntaxes[0] if syntaxes else ""))
        elif item_type == 0x50:
            user = _user_information(value)
    return AssociateAccept(tuple(contexts), user)


def encode_request(request: AssociateRequest) -> bytes:
    """The whole A-ASSOCIATE-RQ PDU."""
    contexts = b"".join(
        _item(
            0x20,
            bytes((context.context_id, 0, 0, 0))
            + _item(0x30, context.abstract_syntax.encode("ascii"))
            + b"".join(_item(0x40, syntax.encode("ascii")) for syntax in context.transfer_syntaxes),
        )
        for context in request.contexts
    )
    return _encode(PduType.ASSOCIATE_RQ, request, contexts, request.user)


def encode_accept(accept: AssociateAccept, request: AssociateRequest) -> bytes:
    """The whole A-ASSOCIATE-AC PDU that answers `request`."""
    contexts = b"".join(
        _item(
            0x21,
            bytes((context.context_id, 0, context.result, 0)) + _item(0x40, context.transfer_syntax.encode("ascii")),
        )
        for context in accept.contexts
    )
    return _encode(PduType.ASSOCIATE_AC, request, contexts, accept.user)


def _encode(pdu_type: PduType, titles: AssociateRequest, contexts: bytes, user: UserInformation) -> bytes:
    parts = [_item(0x51, struct.pack(">I", user.pdu_bytes)), _item(0x52, IMPLEMENTATION_CLASS_UID.encode("ascii"))]
    if user.asynchronous:
        parts.append(_item(0x53, struct.pack(">HH", 1, 1)))  # one operation at a time, both ways (PS3.7 D.3.3.3)
    for role in user.roles:
        uid = role.sop_class_uid.encode("ascii")
        parts.append(_item(0x54, struct.pack(">H", len(uid)) + uid + bytes((role.scu, role.scp))))
    parts.append(_item(0x55, IMPLEMENTATION_VERSION_NAME.encode("ascii")))
    called, calling = titles.called_ae.encode("ascii", "replace"), titles.calling_ae.encode("ascii", "replace")
    fixed = _FIXED.pack(1, 0, called.ljust(16)[:16], calling.ljust(16)[:16], bytes(32))
    body = fixed + _item(0x10, APPLICATION_CONTEXT.encode("ascii")) + contexts + _item(0x50, b"".join(parts))
    return HEADER.pack(pdu_type, len(body)) + body


def _fixed_part(body: bytes) -> tuple[int, bytes, bytes]:
    if len(body) < _FIXED.size:
        raise _cut()
    version, _, called, calling, _ = _FIXED.unpack_from(body)
    return version, called, calling


def _proposed(value: bytes) -> ProposedContext:
    if len(value) < 4:
        raise _cut()
    abstract_syntax = ""
    transfer_syntaxes: list[str] = []
    for item_type, sub in _items(value, 4):
        if item_type == 0x30:
            abstract_syntax = _text(sub)
        elif item_type == 0x40:
            transfer_syntaxes.append(_text(sub))
    return ProposedContext(value[0], abstract_syntax, tuple(transfer_syntaxes))


def _user_information(value: bytes) -> UserInformation:
    pdu_bytes, asynchronous = _UNSTATED_PDU_BYTES, False
    roles: list[Role] = []
    for item_type, sub in _items(value, 0):
        if item_type == 0x51 and len(sub) == 4:
            pdu_bytes = int.from_bytes(sub)
        elif item_type == 0x53:
            asynchronous = True
        elif item_type == 0x54 and len(sub) >= 4:
            length = int.from_bytes(sub[:2])
            if length + 4 != len(sub):
                raise _cut()
            roles.append(Role(_text(sub[2:-2]), bool(sub[-2]), bool(sub[-1])))
    return UserInformation(pdu_bytes, asynchronous, tuple(roles))


def _items(data: bytes, offset: int) -> Iterator[tuple[int, bytes]]:
    """The items or sub-items from `offset` on: type and value."""
    end = len(data)
    while offset < end:
        if end - offset < _ITEM.size:
            raise _cut()
        item_type, length = _ITEM.unpack_from(data, offset)
        start = offset + _ITEM.size
        offset = start + length
        if offset > end:
            raise _cut()
        yield item_type, data[start:offset]


def _item(item_type: int, value: bytes) -> bytes:
    return _ITEM.pack(item_type, len(value)) + value


def _text(value: bytes) -> str:
    return value.decode("ascii", "replace").strip(" \0")


def _title(value: bytes) -> str:
    """An AE title that can be logged: no control characters."""
    return "".join(character if character.isprintable() else "\ufffd" for character in _text(value))


def _cut() -> ProtocolError:
    return ProtocolError("an item of an A-ASSOCIATE PDU is cut", reason=AbortReason.INVALID_PARAMETER)
