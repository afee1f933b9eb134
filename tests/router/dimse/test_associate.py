"""The A-ASSOCIATE codecs against pynetdicom's, and against bytes nobody meant."""

import struct

import pytest
from pynetdicom.pdu import A_ASSOCIATE_AC, A_ASSOCIATE_RQ

from router.dimse.associate import (
    AnsweredContext,
    AssociateAccept,
    AssociateRequest,
    ProposedContext,
    Role,
    UserInformation,
    decode_accept,
    decode_request,
    encode_accept,
    encode_request,
    is_ae_title,
)
from router.errors import ProtocolError

CT, IMPLICIT, EXPLICIT = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.1.2", "1.2.840.10008.1.2.1"
REQUEST = AssociateRequest(
    "MICROPACS",
    "SCANNER",
    (ProposedContext(1, CT, (EXPLICIT, IMPLICIT)), ProposedContext(3, "1.2.3.4", (IMPLICIT,))),
    UserInformation(131072, asynchronous=True, roles=(Role(CT, scu=True, scp=False),)),
)
ACCEPT = AssociateAccept(
    (AnsweredContext(1, 0, EXPLICIT), AnsweredContext(3, 3, IMPLICIT)),
    UserInformation(65536, asynchronous=True, roles=(Role(CT, scu=True, scp=False),)),
)


def item(item_type: int, value: bytes) -> bytes:
    """An item of an A-ASSOCIATE PDU."""
    return struct.pack(">BxH", item_type, len(value)) + value


def test_a_request_survives_coding() -> None:
    """What is encoded is what is decoded."""
    assert decode_request(encode_request(REQUEST)[6:]) == REQUEST


def test_an_answer_survives_coding() -> None:
    """What is encoded is what is decoded."""
    assert decode_accept(encode_accept(ACCEPT, REQUEST)[6:]) == ACCEPT


def test_pynetdicom_reads_our_request_and_we_read_its() -> None:
    """What pynetdicom understands of our A-ASSOCIATE-RQ was meant, and what it makes of it is the same to us."""
    theirs = A_ASSOCIATE_RQ()
    theirs.decode(encode_request(REQUEST))
    assert theirs.called_ae_title == "MICROPACS"
    assert theirs.calling_ae_title == "SCANNER"
    assert [context.abstract_syntax for context in theirs.presentation_context] == [CT, "1.2.3.4"]
    assert theirs.user_information.maximum_length == 131072
    assert decode_request(theirs.encode()[6:]) == REQUEST


def test_pynetdicom_reads_our_answer_and_we_read_its() -> None:
    """What pynetdicom understands of our A-ASSOCIATE-AC was meant, and what it makes of it is the same to us."""
    theirs = A_ASSOCIATE_AC()
    theirs.decode(encode_accept(ACCEPT, REQUEST))
    assert [context.result for context in theirs.presentation_context] == [0, 3]
    assert decode_accept(theirs.encode()[6:]) == ACCEPT


def test_items_nobody_knows_are_skipped() -> None:
    """An item or sub-item of an unknown type does no harm (PS3.8 9.3.1)."""
    body = encode_request(REQUEST)[6:]
    start = body.index(item(0x51, struct.pack(">I", 131072))) - 4
    user = item(0x50, body[start + 4 :] + item(0x5C, b"zz"))
    assert decode_request(body[:start] + item(0x77, b"??") + user) == REQUEST


@pytest.mark.parametrize("numbers", [(), (1, 1), (2,), (0,)])
def test_context_ids_have_to_be_odd_and_unique(numbers: tuple[int, ...]) -> None:
    """No context, an even ID or one ID twice is a protocol error."""
    contexts = tuple(ProposedContext(number, CT, (IMPLICIT,)) for number in numbers)
    body = encode_request(AssociateRequest("A", "B", contexts, UserInformation(0)))[6:]
    with pytest.raises(ProtocolError):
        decode_request(body)


def test_titles_can_be_logged() -> None:
    """Control characters and what is no ASCII do not get through a title."""
    body = bytearray(encode_request(REQUEST)[6:])
    body[4:20] = b"A\nfake log \x1b[31m"
    body[20:36] = b"\xff" * 16
    request = decode_request(bytes(body))
    assert request.called_ae == "A\ufffdfake log \ufffd[31m"
    assert request.calling_ae == "\ufffd" * 16


@pytest.mark.parametrize("text", ["", "A" * 17, "A\\B", "A\nB", "\ufffdA", "Ä"])
def test_what_is_no_ae_title(text: str) -> None:
    """Nothing, too much, backslash, control characters and what is no ASCII are no AE title."""
    assert not is_ae_title(text)
    assert is_ae_title("GE DSTE_1")
