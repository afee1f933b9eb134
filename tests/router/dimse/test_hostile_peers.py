"""Peers that break the rules of the wire: each is ended, nothing is left behind, and the next one is served."""

import socket
import struct
import time
from pathlib import Path

import pytest

from router.dimse import Limits
from router.dimse.command import echo_request, store_request
from router.dimse.limits import ASSOCIATE_BYTES
from router.dimse.pdu import RELEASE_RQ, abort_pdu, data_pdu
from tests.support.receiving import (
    CT,
    IMPLICIT,
    QUICK,
    VERIFICATION,
    Receiver,
    associate_request,
    associated,
    connect,
    eventually,
    read_pdu,
    receiving,
)

STORE = data_pdu(1, store_request(1, CT, "1.2.3"), is_command=True)
PIECE = data_pdu(1, bytes(1000), is_command=False, is_last=False)
ABORTED = 7


def pdu(pdu_type: int, body: bytes) -> bytes:
    """Any PDU."""
    return struct.pack(">BxI", pdu_type, len(body)) + body


def assert_served(receiver: Receiver) -> None:
    """The listener is up, the association before has gone and left nothing behind."""
    assert eventually(lambda: receiver.listener.running == 0)
    assert receiver.unsealed() == 0
    assert receiver.entries() == []
    with associated(receiver.port, (1, VERIFICATION, IMPLICIT)) as sock:
        sock.sendall(data_pdu(1, echo_request(1, VERIFICATION), is_command=True))
        assert read_pdu(sock)[0] == 4


@pytest.mark.parametrize(
    ("first", "reason"),
    [
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", 1),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 1),
        (b"\x00", 1),
        (struct.pack(">BxI", 1, 0xFFFFFFFF), 6),
        (struct.pack(">BxI", 1, ASSOCIATE_BYTES + 1), 6),
        (struct.pack(">BxI", 4, 0xFFFFFFFF), 6),
        (pdu(1, b""), 6),
        (pdu(1, b"x"), 6),
        (pdu(1, bytes(67)), 6),
        (pdu(5, bytes(4)), 2),
        (pdu(2, bytes(68)), 2),
        (pdu(4, struct.pack(">IBB", 2, 1, 3)), 2),
    ],
)
def test_what_is_no_association_request_is_aborted(tmp_path: Path, first: bytes, reason: int) -> None:
    """HTTP, TLS, forged lengths and PDUs out of order get an A-ABORT of the provider with its reason, at once."""
    with receiving(tmp_path / "spool") as receiver:
        started = time.monotonic()
        with connect(receiver.port) as sock:
            sock.sendall(first)
            assert read_pdu(sock) == (ABORTED, bytes((0, 0, 2, reason)))
        assert time.monotonic() - started < 0.9
        assert_served(receiver)


@pytest.mark.parametrize(
    "messages",
    [
        [data_pdu(1, bytes(10), is_command=False)],
        [STORE, data_pdu(1, store_request(2, CT, "1.2.3"), is_command=True)],
        [STORE, data_pdu(3, bytes(10), is_command=False)],
        [data_pdu(9, store_request(1, CT, "1.2.3"), is_command=True)],
        [STORE, PIECE, RELEASE_RQ],
        [STORE, PIECE, associate_request()],
        [associate_request()],
        [STORE, pdu(4, b"")],
        [STORE, pdu(4, struct.pack(">IBB", 100, 1, 0) + bytes(10))],
        [STORE, pdu(4, struct.pack(">IBB", 0, 1, 0))],
        [STORE, struct.pack(">BxI", 4, 131073)],
        [STORE, struct.pack(">BxI", 4, 0xFFFFFFFF)],
        [pdu(4, struct.pack(">IBB", 10, 1, 3) + bytes(8))],
        [data_pdu(1, b"\0\0\0\1\4\0\0\0\x01\x80\0\0", is_command=True)],
        [data_pdu(1, bytes(60000), is_command=True, is_last=False)] * 2,
    ],
    ids=[
        "data set without command", "command in a data set", "another context in a message", "context never accepted",
        "release in a message", "association in a message", "association twice", "PDU without value",
        "value longer than its PDU", "value of no length", "PDU longer than announced", "PDU of 4 GB",
        "command of nothing", "command cut", "endless command",
    ],
)  # fmt: skip
def test_messages_out_of_order_are_aborted(tmp_path: Path, messages: list[bytes]) -> None:
    """Whatever breaks the order of PDUs, values and commands ends the association with A-ABORT."""
    with receiving(tmp_path / "spool") as receiver:
        with associated(receiver.port, (1, CT, IMPLICIT), (3, CT, IMPLICIT)) as sock:
            sock.sendall(b"".join(messages))
            assert read_pdu(sock)[0] == ABORTED
        assert_served(receiver)


def test_a_silent_peer_is_ended(tmp_path: Path) -> None:
    """Who connects and says nothing is gone after the deadline of the first PDU, and never had a thread."""
    with receiving(tmp_path / "spool", limits=Limits(first_pdu_seconds=0.3, linger_seconds=0.2)) as receiver:
        with connect(receiver.port) as sock:
            assert not eventually(lambda: receiver.listener.running > 0, 0.2)
            assert sock.recv(1) == b""  # PS3.8 9.2, AA-2: the transport connection is closed, nothing is said
        assert_served(receiver)


@pytest.mark.parametrize("start", [0, 3, 50], ids=["from the first byte", "in the header", "in the body"])
def test_a_dripping_association_request_is_ended(tmp_path: Path, start: int) -> None:
    """A byte now and then does not move the deadline of the first PDU."""
    with receiving(tmp_path / "spool", limits=Limits(first_pdu_seconds=0.5, linger_seconds=0.2)) as receiver:
        assert drip_until_aborted(receiver, associate_request(), start) < 1.5
        assert_served(receiver)


def test_a_dripping_data_set_is_ended(tmp_path: Path) -> None:
    """A byte now and then does not move the deadline of a P-DATA PDU, and what came is discarded."""
    with receiving(tmp_path / "spool", limits=Limits(pdu_seconds=0.5, linger_seconds=0.2)) as receiver:
        with associated(receiver.port, (1, CT, IMPLICIT)) as sock:
            sock.sendall(STORE + PIECE)
            assert eventually(lambda: receiver.unsealed() == 1)
            started = time.monotonic()
            assert drip(sock, PIECE) == ABORTED
            assert time.monotonic() - started < 1.5
        assert_served(receiver)


def test_a_message_of_many_small_pdus_has_a_deadline_too(tmp_path: Path) -> None:
    """PDUs that come in time but never end the message do not keep it for ever."""
    with receiving(tmp_path / "spool", limits=Limits(message_seconds=0.6, linger_seconds=0.2)) as receiver:
        with associated(receiver.port, (1, CT, IMPLICIT)) as sock:
            sock.sendall(STORE)
            assert drip(sock, data_pdu(1, b"", is_command=False, is_last=False), step=12) == ABORTED
        assert_served(receiver)


def test_an_idle_association_is_ended(tmp_path: Path) -> None:
    """An association on which nothing is asked is aborted after the idle time."""
    with receiving(tmp_path / "spool", limits=Limits(idle_seconds=0.3, linger_seconds=0.2)) as receiver:
        with associated(receiver.port, (1, CT, IMPLICIT)) as sock:
            assert read_pdu(sock) == (ABORTED, bytes((0, 0, 2, 0)))
        assert_served(receiver)


def test_an_instance_beyond_the_cap_is_aborted(tmp_path: Path) -> None:
    """A data set that goes on after the cap is cut off, discarded, and its association aborted."""
    with receiving(tmp_path / "spool", limits=Limits(instance_bytes=5000, linger_seconds=0.2)) as receiver:
        with associated(receiver.port, (1, CT, IMPLICIT)) as sock:
            sock.sendall(STORE + 6 * PIECE)
            assert read_pdu(sock)[0] == ABORTED
        assert_served(receiver)


@pytest.mark.parametrize("last", [b"", abort_pdu(0, 0), PIECE[:100]], ids=["closed", "aborted", "closed in a PDU"])
def test_a_peer_that_leaves_in_the_middle_leaves_nothing(tmp_path: Path, last: bytes) -> None:
    """A store cut by A-ABORT or by the end of the connection is discarded."""
    with receiving(tmp_path / "spool") as receiver:
        with associated(receiver.port, (1, CT, IMPLICIT)) as sock:
            sock.sendall(STORE + PIECE + PIECE)
            assert eventually(lambda: receiver.unsealed() == 1)
            sock.sendall(last)
        assert_served(receiver)


def test_a_peer_that_takes_too_small_pdus_is_aborted(tmp_path: Path) -> None:
    """A maximum PDU length that could hold no response is a protocol error."""
    with receiving(tmp_path / "spool") as receiver:
        with connect(receiver.port) as sock:
            sock.sendall(associate_request(pdu_bytes=8))
            assert read_pdu(sock) == (ABORTED, bytes((0, 0, 2, 6)))
        assert_served(receiver)


def test_a_response_to_nothing_and_a_flood_of_cancels(tmp_path: Path) -> None:
    """C-CANCEL has no answer and does no harm; a flood of them or a response nobody asked for ends the association."""
    cancel = bytearray(echo_request(1, VERIFICATION))
    at = cancel.index(struct.pack("<HHIH", 0, 0x0100, 2, 0x30)) + 8
    cancel[at : at + 2] = struct.pack("<H", 0x0FFF)
    with receiving(tmp_path / "spool", limits=QUICK) as receiver:
        with associated(receiver.port, (1, VERIFICATION, IMPLICIT)) as sock:
            sock.sendall(50 * data_pdu(1, bytes(cancel), is_command=True))
            sock.sendall(data_pdu(1, echo_request(1, VERIFICATION), is_command=True))
            assert read_pdu(sock)[0] == 4
            sock.sendall(1000 * data_pdu(1, bytes(cancel), is_command=True))
            assert read_pdu(sock)[0] == ABORTED
        with associated(receiver.port, (1, VERIFICATION, IMPLICIT)) as sock:
            cancel[at : at + 2] = struct.pack("<H", 0x8030)
            sock.sendall(data_pdu(1, bytes(cancel), is_command=True))
            assert read_pdu(sock)[0] == ABORTED
        assert_served(receiver)


def drip_until_aborted(receiver: Receiver, data: bytes, start: int) -> float:
    """Send `start` bytes at once and then one at a time; the seconds until the connection was ended."""
    started = time.monotonic()
    with connect(receiver.port) as sock:
        sock.sendall(data[:start])
        assert drip(sock, data[start:]) == ABORTED
    return time.monotonic() - started


def drip(sock: socket.socket, data: bytes, step: int = 1) -> int:
    """Send `data` again and again in small steps; the type of the PDU that ends it."""
    sock.settimeout(0.02)
    for number in range(250):
        start = number * step % len(data)
        try:
            sock.sendall(data[start : start + step])
            answer = sock.recv(10)
        except TimeoutError:
            continue
        except ConnectionError:
            return 0
        return answer[0] if answer else 0
    return -1
