"""Command sets against pynetdicom's, and against bytes nobody meant."""

from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pynetdicom.dsutils import decode as decode_theirs

from router.dimse.command import Command, Element, Field, decode, echo_request, encode, response, store_request
from router.errors import ProtocolError

CT = "1.2.840.10008.5.1.4.1.1.2"


def test_pydicom_reads_our_store_request() -> None:
    """The C-STORE-RQ is a command set for pydicom too, its group length true."""
    encoded = store_request(7, CT, "1.2.3")
    theirs = decode_theirs(BytesIO(encoded), True, True)
    assert theirs.CommandGroupLength == len(encoded) - 12
    assert (theirs.CommandField, theirs.MessageID, theirs.Priority, theirs.CommandDataSetType) == (1, 7, 0, 1)
    assert (theirs.AffectedSOPClassUID, theirs.AffectedSOPInstanceUID) == (CT, "1.2.3")


def test_a_response_answers_its_request() -> None:
    """A response names the message, the UIDs, the status and a comment of at most 64 characters."""
    answer = decode(response(decode(store_request(7, CT, "1.2.3")), 0xA700, "x" * 70))
    assert (answer.field, answer.is_response, answer.has_data_set) == (0x8001, True, False)
    assert answer.number(Element.MESSAGE_ID_RESPONDED_TO) == 7
    assert answer.number(Element.STATUS) == 0xA700
    assert answer.text(Element.AFFECTED_SOP_INSTANCE_UID) == "1.2.3"
    assert answer.text(Element.ERROR_COMMENT) == "x" * 64


def test_every_element_has_even_length() -> None:
    """Odd texts are padded, UIDs with zero and text with a space."""
    values = decode(
        encode({Element.COMMAND_FIELD: 0x8001, Element.AFFECTED_SOP_CLASS_UID: "1.2", Element.ERROR_COMMENT: "abc"})
    ).values
    assert values[Element.AFFECTED_SOP_CLASS_UID] == b"1.2\0"
    assert values[Element.ERROR_COMMENT] == b"abc "


def test_an_echo_has_no_data_set() -> None:
    """A C-ECHO-RQ says that nothing follows."""
    request = decode(echo_request(1, "1.2.840.10008.1.1"))
    assert (request.field, request.has_data_set, request.is_response) == (0x30, False, False)


@pytest.mark.parametrize("data", [b"\0", bytes(7), b"\0\0\0\1\xff\xff\xff\xff", b"\x08\0\x18\0\0\0\0\0"])
def test_what_is_no_command_set(data: bytes) -> None:
    """Cut elements, lengths past the end and other groups are protocol errors."""
    with pytest.raises(ProtocolError):
        decode(data)


def test_a_missing_number_is_a_protocol_error() -> None:
    """A command without a command field cannot be served."""
    with pytest.raises(ProtocolError):
        _ = Command({}).field


@pytest.mark.parametrize("field", [0x0001, 0x0030])
def test_a_request_without_message_id_is_refused(field: int) -> None:
    """What could never be answered is a protocol error before anything is taken; a C-CANCEL needs none."""
    with pytest.raises(ProtocolError):
        decode(encode({Element.COMMAND_FIELD: field, Element.DATA_SET_TYPE: 1}))
    assert decode(encode({Element.COMMAND_FIELD: 0x0FFF, Element.MESSAGE_ID_RESPONDED_TO: 1})).is_cancel


def test_a_response_fits_any_peer() -> None:
    """What stands for a UID in a request is answered with no more than a UID can be long."""
    assert len(response(decode(store_request(7, "1." * 3000, "2." * 3000)), 0, "x" * 100)) < 400


@given(
    st.text("0123456789.", max_size=70) | st.sampled_from(["1.2 ", " 1.2", "1.\u00e9", "1.2\0\0"]),
    st.text("0123456789.", max_size=70),
    st.integers(0, 0xFFFF),
)
def test_success_is_told_quickly_and_the_same(sop_class: str, sop_instance: str, message_id: int) -> None:
    """The short way to a response with Success gives what the long way gives, or nothing, whatever the UIDs."""
    request = decode(store_request(message_id, sop_class, sop_instance))
    expected = {
        Element.AFFECTED_SOP_CLASS_UID: request.text(Element.AFFECTED_SOP_CLASS_UID)[:64],
        Element.COMMAND_FIELD: Field.C_STORE_RSP,
        Element.MESSAGE_ID_RESPONDED_TO: message_id,
        Element.DATA_SET_TYPE: 0x0101,
        Element.STATUS: 0,
        Element.AFFECTED_SOP_INSTANCE_UID: request.text(Element.AFFECTED_SOP_INSTANCE_UID)[:64],
    }
    assert response(request, 0) == encode(expected)
    assert request.success() in (None, encode(expected))
    valid = decode(store_request(message_id, CT, "1.2.3"))
    assert valid.success() == response(valid, 0)
