"""Checklist (b) 1 to 4 and 6: PDUs that lie about their length, that nobody knows, that drip, that are no DICOM."""

import struct

import pytest

from router.dimse.command import store_request
from router.dimse.pdu import data_pdu
from tests.support.besieged import Attack, BadPeer, Besieged, request_of
from tests.support.dcmtk import needs_dcmtk
from tests.support.receiving import CT

pytestmark = [needs_dcmtk, pytest.mark.peer, pytest.mark.xdist_group("besieged")]

STORE = data_pdu(1, store_request(1, CT, "1.2.3"), is_command=True)
ZEROS = bytes(1_000_000)


def pdu(pdu_type: int, body: bytes) -> bytes:
    """Any PDU."""
    return struct.pack(">BxI", pdu_type, len(body)) + body


def forged(pdu_type: int) -> bytes:
    """A header that claims 4 GB."""
    return struct.pack(">BxI", pdu_type, 0xFFFFFFFF)


def test_item_1_a_length_of_4_gb(besieged: Besieged) -> None:
    """A request or data that claims 4 GB and begins to send them is ended, and nothing of it is kept in memory."""

    def attack(peer: BadPeer) -> None:
        peer.say(forged(1), *[ZEROS] * 10)
        peer.say(forged(4), *[ZEROS] * 10)
        sock = peer.associate()
        sock.sendall(STORE + forged(4) + bytes(60_000))
        assert peer.hear_out(sock)[-1:] in ([(7, bytes((0, 0, 2, 6)))], [])  # [] if our zeros met its closed socket

    besieged.attacked_by(attack, "PDU or instance too long", again=True)


def test_item_2_lengths_too_small(besieged: Besieged) -> None:
    """Requests of 0, 1 and 67 bytes, and data of as many, are ended."""

    def attack(peer: BadPeer) -> None:
        for length in (0, 1, 67):
            peer.say(pdu(1, bytes(length)))
            sock = peer.associate()
            sock.sendall(pdu(4, bytes(length)))
            assert peer.hear_out(sock) == [(7, bytes((0, 0, 2, 6)))]

    besieged.attacked_by(attack, "malformed PDU", again=True)


def test_item_3_unknown_types(besieged: Besieged) -> None:
    """Every type that the standard does not know is ended with its own reason."""

    def attack(peer: BadPeer) -> None:
        for pdu_type in (0, *range(8, 256)):
            sock = peer.connect()
            sock.sendall(pdu(pdu_type, bytes(4)))
            assert peer.hear_out(sock) == [(7, bytes((0, 0, 2, 1)))]

    besieged.attacked_by(attack, "unknown PDU")


def test_item_4_a_dripping_request(besieged: Besieged) -> None:
    """A byte a second, from the start, in the header or in the body, moves no deadline of the first PDU."""

    def attack(peer: BadPeer) -> None:
        drips = {}
        for start in (0, 3, 50):
            sock = peer.connect()
            sock.sendall(request_of()[:start])
            drips[sock] = request_of()[start:]
        peer.drip(drips)

    besieged.attacked_by(attack, "no association request in time")


def test_item_4_a_dripping_data_set(besieged: Besieged) -> None:
    """A byte a second, from the start of a P-DATA PDU, in its header or in its body, moves no deadline of a PDU."""

    def attack(peer: BadPeer) -> None:
        fragment = data_pdu(1, bytes(10_000), is_command=False, is_last=False)
        drips = {}
        for start in (0, 5, 100):
            sock = peer.associate()
            sock.sendall(STORE + 5 * fragment + fragment[:start])
            drips[sock] = fragment[start:]
        peer.drip(drips)

    besieged.attacked_by(attack, "PDU or message too slow")


@pytest.mark.parametrize(
    "attack",
    [
        lambda peer: peer.say(b"GET / HTTP/1.1\r\nHost: micropacs\r\n\r\n"),
        lambda peer: peer.say(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(400)),
    ],
    ids=["HTTP", "TLS"],
)
def test_item_6_no_dicom_at_all(besieged: Besieged, attack: Attack) -> None:
    """A web browser, and a ClientHello on the port without TLS, are ended at once."""
    besieged.attacked_by(attack, "unknown PDU", again=True)
