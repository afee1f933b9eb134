"""Checklist (b) 5: connections that only cost room; and associations beyond the caps, abandoned, or without an end."""

import resource
import selectors
import socket
import struct
import time
from contextlib import suppress

import pytest

from router.dimse.command import echo_request, store_request
from router.dimse.pdu import abort_pdu, data_pdu
from tests.support.besieged import GOOD, BadPeer, Besieged, planted, request_of
from tests.support.dcmtk import needs_dcmtk
from tests.support.receiving import CT, VERIFICATION, read_pdu

pytestmark = [needs_dcmtk, pytest.mark.peer, pytest.mark.xdist_group("besieged")]

STORE = data_pdu(1, store_request(1, CT, "1.2.3"), is_command=True)
HEAD = data_pdu(1, planted("1.2.3") + struct.pack("<HHI", 0x7FE0, 0x10, 100_000_000), is_command=False, is_last=False)
PIECE = data_pdu(1, bytes(16_000), is_command=False, is_last=False)
LOCAL_LIMIT = (3, bytes((0, 2, 3, 2)))


@pytest.fixture(autouse=True)
def many_descriptors() -> None:
    """A thousand connections need more descriptors than a process may have by default."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < 4096 <= hard or hard == resource.RLIM_INFINITY:
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 4096), hard))


@pytest.mark.parametrize(
    ("count", "first"), [(10, b""), (100, b""), (1000, b""), (1000, b"\1")], ids=["10", "100", "1000", "1000 of a byte"]
)
def test_item_5_connections_that_wait(besieged: Besieged, count: int, first: bytes) -> None:
    """Ten, a hundred or a thousand connections that say nothing, or one byte, keep nobody out until their deadline."""

    def attack(peer: BadPeer) -> None:
        crowd = [peer.connect() for _ in range(count)]
        for sock in crowd:
            with suppress(OSError):  # it had to make room already
                sock.sendall(first)
        for sock in crowd:
            assert [kind for kind, _ in peer.hear_out(sock)] in ([], [7])

    besieged.attacked_by(attack, "no association request in time")


def test_item_5_hundreds_at_a_time_from_the_address_of_the_scanner(besieged: Besieged) -> None:
    """New connections from the good scanner's own address, as fast as they can be had, do not keep it out."""

    def attack(peer: BadPeer) -> None:
        crowd = [peer.connect() for _ in range(700)]
        for sock in crowd[::2]:
            with suppress(OSError):
                sock.sendall(b"\1")
        with selectors.DefaultSelector() as selector:
            for sock in crowd:
                selector.register(sock, selectors.EVENT_READ)
            assert selector.select(10), "none had to make room"
        peer.close()

    besieged.attacked_by(attack, "no association request in time", host=GOOD, again=True)


def test_item_5_who_connects_and_leaves_is_no_event(besieged: Besieged) -> None:
    """A port that is only looked at, as load balancers do, is told to nobody."""

    def attack(peer: BadPeer) -> None:
        for _ in range(50):
            peer.connect().close()

    besieged.attacked_by(attack, None, again=True)


def test_associations_beyond_the_cap_of_an_address(besieged: Besieged) -> None:
    """One address may have so many associations; one more is to come later, and other addresses have room."""

    def attack(peer: BadPeer) -> None:
        held = [peer.associate() for _ in range(40)]
        for _ in range(20):
            sock = peer.connect()
            sock.sendall(request_of())
            assert read_pdu(sock) == LOCAL_LIMIT
            sock.close()
        peer.done.wait()
        for sock in held:
            sock.close()

    besieged.attacked_by(attack, "too many associations")


def test_an_echo_is_answered_while_all_associations_are_taken(besieged: Besieged) -> None:
    """With every association in the middle of an instance a C-ECHO is answered within two seconds, again and again."""
    peers = [BadPeer(besieged.port, f"127.1.200.{number}") for number in (1, 2)]
    sending = [peer.associate() for peer, count in zip(peers, (40, 10), strict=True) for _ in range(count)]
    for sock in sending:
        sock.sendall(STORE + HEAD)
    sock = peers[1].connect()
    sock.sendall(request_of())
    assert read_pdu(sock) == LOCAL_LIMIT
    for _ in range(5):
        for sock in sending:
            sock.sendall(PIECE)
        besieged.assert_echo_answered()
    for peer in peers:
        peer.close()
    besieged.assert_nothing_left()
    besieged.assert_events("127.1.200.1", None)
    besieged.assert_events("127.1.200.2", "too many associations")


@pytest.mark.parametrize("pieces", [1, 400], ids=["16 kB", "6 MB"])
def test_an_instance_that_is_abandoned(besieged: Besieged, pieces: int) -> None:
    """A store cut by A-ABORT, or by the end of the connection, leaves nothing behind, and is no event: cables break."""

    def attack(peer: BadPeer) -> None:
        for last in (b"", abort_pdu(0, 0), PIECE[:100]):
            sock = peer.associate()
            sock.sendall(STORE + HEAD + pieces * PIECE + last)
            sock.shutdown(socket.SHUT_WR)
            peer.hear_out(sock)

    besieged.attacked_by(attack, None, again=True)


def test_an_association_without_an_end(besieged: Besieged) -> None:
    """One that asks now and then, so that it never idles, is ended all the same when it has lasted too long."""

    def attack(peer: BadPeer) -> None:
        sock = peer.associate((1, VERIFICATION), (3, CT))
        echoed = 0
        while True:
            sock.sendall(data_pdu(1, echo_request(1, VERIFICATION), is_command=True))
            if read_pdu(sock)[0] != 4:
                break
            echoed += 1
            time.sleep(0.2)
        assert echoed > 10

    besieged.attacked_by(attack, "association too long")
