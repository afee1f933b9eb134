"""PDU framing: limits, deadlines, and bytes nobody meant."""

import socket
import struct
import threading
import time

import pytest

from router.dimse.pdu import COMMAND, LAST, RELEASE_RQ, PduReader, PduType, data_pdu, fragments
from router.dimse.stream import Stream
from router.errors import AssociationAborted, PeerSilent, ProtocolError

LONGEST = 16384


def read(sent: bytes, *, close: bool = True, associate_bytes: int = 0) -> list[tuple[PduType, bytes]]:
    """All PDUs in `sent`, until the reader raises."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(sent)
        if close:
            theirs.shutdown(socket.SHUT_WR)
        reader = PduReader(Stream(ours), LONGEST)
        found = []
        while True:
            try:
                pdu_type, body = reader.read(time.monotonic() + 0.2, 0.2, associate_bytes)
            except AssociationAborted as error:
                if isinstance(error, ProtocolError) or close is False:
                    raise
                return found
            found.append((pdu_type, bytes(body)))


def test_pdus_come_out_as_they_went_in() -> None:
    """Every PDU of a stream is given with its type and body, also when the buffer has to begin again."""
    bodies = [bytes([number % 256]) * LONGEST for number in range(40)]
    sent = b"".join(struct.pack(">BxI", 4, len(body)) + body for body in bodies)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.setblocking(False)
        reader = PduReader(Stream(ours), LONGEST)
        for body in bodies:
            while sent:
                try:
                    sent = sent[theirs.send(sent) :]
                except BlockingIOError:
                    break
            pdu_type, got = reader.read(time.monotonic() + 1, 1)
            assert pdu_type is PduType.DATA
            assert got == body


@pytest.mark.parametrize("pdu_type", [0, 8, 0x47, 0xFF])
def test_an_unknown_type_is_refused_at_its_first_byte(pdu_type: int) -> None:
    """A PDU of no type of the standard is refused before its length is looked at (reason 1)."""
    with pytest.raises(ProtocolError) as raised:
        read(bytes([pdu_type]), close=False)
    assert raised.value.reason == 1


@pytest.mark.parametrize(
    ("pdu_type", "length"),
    [
        (1, 0xFFFFFFFF),
        (1, 65537),
        (2, 70000),
        (3, 5),
        (4, LONGEST + 1),
        (4, 0xFFFFFFFF),
        (5, 0),
        (5, 68),
        (6, 3),
        (7, 5),
    ],
)
def test_a_claimed_length_is_checked_before_a_byte_is_waited_for(pdu_type: int, length: int) -> None:
    """A header that claims more than its type may have is refused at once."""
    with pytest.raises(ProtocolError):
        read(struct.pack(">BxI", pdu_type, length), close=False, associate_bytes=65536)


def test_a_dripping_pdu_meets_its_deadline() -> None:
    """Single bytes, each in time, do not move the deadline of the PDU."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        reader = PduReader(Stream(ours), LONGEST)
        theirs.sendall(struct.pack(">BxI", 4, 1000))

        def drip() -> None:
            for _ in range(60):
                try:
                    theirs.send(b"x")
                except OSError:
                    return
                time.sleep(0.02)

        dripping = threading.Thread(target=drip)
        dripping.start()
        started = time.monotonic()
        with pytest.raises(PeerSilent):
            reader.read(started + 5, 0.3)
        assert time.monotonic() - started < 0.8
        ours.close()
        dripping.join()


def test_a_silent_peer_meets_the_first_deadline() -> None:
    """Nothing at all is PeerSilent at the deadline."""
    with pytest.raises(PeerSilent):
        read(b"", close=False)


def test_fragments_of_one_pdu() -> None:
    """Two values in one PDU come out with their context, kind and last mark."""
    body = data_pdu(3, b"abcd", is_command=True)[6:] + data_pdu(5, b"", is_command=False, is_last=False)[6:]
    found = [(context_id, control, bytes(data)) for context_id, control, data in fragments(memoryview(body))]
    assert found == [(3, COMMAND | LAST, b"abcd"), (5, 0, b"")]


def test_the_only_fragment_of_a_pdu_is_given_at_once() -> None:
    """A PDU with one value is given as that value; any other is left for `read`, and nothing of it is lost."""
    one = data_pdu(3, b"abcd", is_command=False)
    two = struct.pack(">BxI", 4, 2 * (len(one) - 6)) + 2 * one[6:]
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(one + two + one + RELEASE_RQ)
        reader = PduReader(Stream(ours), LONGEST)
        deadline = time.monotonic() + 1
        found = []
        for _ in range(2):
            only = reader.only_fragment(deadline, 1)
            assert only is not None
            found.append((*only[:2], bytes(only[2])))
            assert reader.only_fragment(deadline, 1) is None
            found.append(reader.read(deadline, 1)[0])
        assert found == [(3, LAST, b"abcd"), PduType.DATA, (3, LAST, b"abcd"), PduType.RELEASE_RQ]


def test_a_fragment_that_the_buffer_cannot_hold_is_left_for_read() -> None:
    """The first buffer is short, since many only connect; `read` makes it as long as it has to be."""
    pdu = data_pdu(3, bytes(LONGEST - 6), is_command=False)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(pdu)
        reader = PduReader(Stream(ours), LONGEST)
        deadline = time.monotonic() + 1
        assert reader.only_fragment(deadline, 1) is None
        assert reader.read(deadline, 1) == (PduType.DATA, pdu[6:])


@pytest.mark.parametrize(
    "pdu",
    [
        struct.pack(">BxIIBB", 4, LONGEST + 1, LONGEST - 3, 1, 0),
        struct.pack(">BxIIBB", 4, 6, 3, 1, 0),
        struct.pack(">BxIIBB", 4, 5, 1, 1, 0),
        struct.pack(">BxIIBB", 4, 4, 0, 1, 0),
        struct.pack(">BxIIBB", 8, 6, 2, 1, 0),
        struct.pack(">BxI", 4, 6),
    ],
)
def test_a_fragment_that_is_too_long_or_untrue_is_no_only_one(pdu: bytes) -> None:
    """It is left for `read`, which says what is wrong with it."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(pdu)
        assert PduReader(Stream(ours), LONGEST).only_fragment(time.monotonic() + 1, 1) is None


@pytest.mark.parametrize(
    "body",
    [b"", b"\0", bytes(5), struct.pack(">IBB", 0, 1, 0), struct.pack(">IBB", 1, 1, 0), struct.pack(">IBB", 3, 1, 0)],
)
def test_untrue_value_lengths_are_refused(body: bytes) -> None:
    """A value that is longer than its PDU, too short for its own header, or missing is a protocol error."""
    with pytest.raises(ProtocolError):
        list(fragments(memoryview(body)))
