"""What lies as an earlier command set is read, and answered, as if it were the first, whatever a peer changes in it."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.dimse.command import ELEMENT, Command, Element, decode, echo_request, encode, response, store_request
from router.dimse.familiar import Familiar, FamiliarRequest, FamiliarResponse
from router.dimse.status import CANNOT_UNDERSTAND, SUCCESS
from router.errors import ProtocolError

SOP_CLASS, SOP_INSTANCE = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.113619.2.131.9999.1414.1"
FIRST = store_request(1, SOP_CLASS, SOP_INSTANCE)
MOVED = encode(  # an element behind the UID, as in a C-MOVE's sub-operation (PS3.7 9.3.1.1)
    {
        Element.AFFECTED_SOP_CLASS_UID: SOP_CLASS,
        Element.COMMAND_FIELD: 1,
        Element.MESSAGE_ID: 7,
        Element.PRIORITY: 0,
        Element.DATA_SET_TYPE: 1,
        Element.AFFECTED_SOP_INSTANCE_UID: SOP_INSTANCE,
        0x1030: "SCANNER",
        0x1031: 9,
    }
)
REASON = "not enough room"
ANSWERS = {status: response(decode(FIRST), status, REASON * bool(status)) for status in (SUCCESS, CANNOT_UNDERSTAND)}
uids = st.from_regex(r"1\.2\.[0-9.]{0,59}[0-9]", fullmatch=True)


def _what(command: Command) -> tuple[object, ...]:
    """All that is asked of a command, and of a response its status, or what a request is answered."""
    return (
        dict(command.values),
        (command.field, command.is_response, command.is_cancel, command.has_data_set),
        (command.text(Element.AFFECTED_SOP_CLASS_UID), command.text(Element.AFFECTED_SOP_INSTANCE_UID)),
        command.instance(),
        [command.number(element) for element in (Element.MESSAGE_ID_RESPONDED_TO, Element.STATUS)]
        if command.is_response
        else [command.success(), *(response(command, status) for status in (SUCCESS, CANNOT_UNDERSTAND))],
    )


def _read(data: bytes, *before: bytes) -> tuple[object, ...] | str:
    requests = Familiar()
    for each in before:
        requests.decode(each)
    try:
        return _what(requests.decode(data))
    except ProtocolError as error:
        return str(error)


def _read_alone(data: bytes) -> tuple[object, ...] | str:
    try:
        return _what(decode(data))
    except ProtocolError as error:
        return str(error)


@given(st.integers(0, 0xFFFF), uids)
def test_another_instance(message_id: int, uid: str) -> None:
    """Message ID and UID are those of the request itself."""
    data = store_request(message_id, SOP_CLASS, uid)
    assert _read(data, FIRST, data) == _read_alone(data)


@pytest.mark.parametrize("first", [FIRST, MOVED], ids=["stored", "moved"])
def test_it_is_known_again(first: bytes) -> None:
    """The next instance of a study costs no walk, the first does."""
    requests = Familiar()
    assert not isinstance(requests.decode(first), FamiliarRequest)
    other = first.replace(b".1414.1", b".1414.2")
    again = requests.decode(other)
    assert isinstance(again, FamiliarRequest)
    assert again.text(Element.AFFECTED_SOP_INSTANCE_UID) == SOP_INSTANCE[:-1] + "2"
    assert _what(again) == _what(decode(other))


@given(st.sampled_from([*ANSWERS]), st.integers(0, 0xFFFF), uids)
def test_another_answer(status: int, message_id: int, uid: str) -> None:
    """Message ID and UID are those of the response itself."""
    data = response(decode(store_request(message_id, SOP_CLASS, uid)), status, REASON * bool(status))
    assert _read(data, ANSWERS[status], data) == _read_alone(data)


def test_answer_is_known_again() -> None:
    """The response to the next instance costs no walk; the first of each status does."""
    familiar = Familiar()
    for status, answer in ANSWERS.items():
        assert not isinstance(familiar.decode(answer), FamiliarResponse)
        again = familiar.decode(answer.replace(b".1414.1", b".1414.2"))
        assert isinstance(again, FamiliarResponse)
        assert again.number(Element.STATUS) == status


@given(uids, st.integers(0, 0xFFFF))
def test_request_is_as_any_command(uid: str, message_id: int) -> None:
    """What is put together quickly is what the elements, one after the other, are."""
    elements = {
        Element.AFFECTED_SOP_CLASS_UID: SOP_CLASS,
        Element.COMMAND_FIELD: 1,
        Element.MESSAGE_ID: message_id,
        Element.PRIORITY: 0,
        Element.DATA_SET_TYPE: 1,
        Element.AFFECTED_SOP_INSTANCE_UID: uid,
    }
    assert store_request(message_id, SOP_CLASS, uid) == encode(elements)


@given(st.sampled_from([FIRST, MOVED, *ANSWERS.values()]), st.data())
def test_any_byte_may_differ(first: bytes, data: st.DataObject) -> None:
    """A command set in which a peer changed anything is read as if nothing had come before it."""
    changed = bytearray(first)
    for _ in range(data.draw(st.integers(1, 3))):
        changed[data.draw(st.integers(0, len(first) - 1))] = data.draw(st.integers(0, 255))
    assert _read(bytes(changed), first) == _read_alone(bytes(changed))


@pytest.mark.parametrize(
    "strange",
    [
        echo_request(1, SOP_CLASS),
        store_request(1, SOP_CLASS, "1.2.x"),
        store_request(1, SOP_CLASS, ""),
        FIRST + ELEMENT.pack(0, Element.MESSAGE_ID, 2) + struct.pack("<H", 5),
        FIRST + ELEMENT.pack(0, Element.AFFECTED_SOP_INSTANCE_UID, 4) + b"1.22",
        encode({Element.COMMAND_FIELD: 0x8001, Element.MESSAGE_ID_RESPONDED_TO: 1, Element.DATA_SET_TYPE: 0x0101}),
        encode({Element.COMMAND_FIELD: 1, Element.MESSAGE_ID: 1, Element.DATA_SET_TYPE: 1}),
    ],
    ids=["echo", "no UID", "empty UID", "two message IDs", "two UIDs", "response", "no class"],
)
def test_what_is_not_learned(strange: bytes) -> None:
    """No other command is ever taken for one of a known form."""
    requests = Familiar()
    for _ in range(2):
        assert not isinstance(requests.decode(strange), FamiliarRequest | FamiliarResponse)
    assert _read(strange, strange, FIRST) == _read_alone(strange)
