"""Checklist (b) 8 to 11: association requests with odd contexts, titles, items and identities."""

import re
import struct

import pytest

from router.dimse.command import echo_request
from router.dimse.pdu import data_pdu
from tests.support.besieged import BadPeer, Besieged, request_of
from tests.support.dcmtk import needs_dcmtk
from tests.support.receiving import CT, IMPLICIT, VERIFICATION, read_pdu

pytestmark = [needs_dcmtk, pytest.mark.peer, pytest.mark.xdist_group("besieged")]

MALFORMED = [(7, bytes((0, 0, 2, 6)))]
TITLES = [
    b"",
    16 * b"\xff",
    b"../../etc/passwd",
    b"' OR 1=1 --",
    b"%s%n%x",
    b"BAD\nADMIN",
    b"<b>DOE^JOHN</b>",
    b"\x1b[2J",
]
FIXED = 74  # bytes before the first item


def item(kind: int, value: bytes, length: int | None = None) -> bytes:
    """An item or sub-item, its length true or not."""
    return struct.pack(">BxH", kind, len(value) if length is None else length) + value


def request_with(items: bytes) -> bytes:
    """A request that has these items after its application context and one context for CT."""
    body = request_of()[6:] + items
    return struct.pack(">BxI", 1, len(body)) + body


def context(number: int, *sub_items: bytes) -> bytes:
    """A presentation context item."""
    return item(0x20, bytes((number, 0, 0, 0)) + b"".join(sub_items))


CONTEXT = item(0x30, CT.encode()), item(0x40, IMPLICIT.encode())


def answer(peer: BadPeer, request: bytes) -> list[tuple[int, bytes]]:
    """All that is said to a request."""
    sock = peer.connect()
    sock.sendall(request)
    return peer.hear_out(sock)


def test_item_8_contexts(besieged: Besieged) -> None:
    """Even and repeated context IDs, and none at all, are malformed."""

    def attack(peer: BadPeer) -> None:
        none = request_of()[6:FIXED] + item(0x10, b"1.2.840.10008.3.1.1.1")
        assert answer(peer, struct.pack(">BxI", 1, len(none)) + none) == MALFORMED
        assert answer(peer, request_with(context(1, *CONTEXT))) == MALFORMED
        assert answer(peer, request_with(context(2, *CONTEXT))) == MALFORMED

    besieged.attacked_by(attack, "malformed PDU", again=True)


def test_item_8_128_contexts_of_50_syntaxes(besieged: Besieged) -> None:
    """With UIDs of 24 characters they are answered, one by one; with UIDs of 64 characters they are too long."""

    def of(length: int) -> bytes:
        syntaxes = [
            item(0x40, (IMPLICIT + "." + f"{number + 10}" + length * "1")[:length].encode()) for number in range(50)
        ]
        contexts = b"".join(context(2 * number + 3, CONTEXT[0], *syntaxes) for number in range(127))
        return request_with(contexts)

    def attack(peer: BadPeer) -> None:
        sock = peer.connect()
        sock.sendall(of(24))
        pdu_type, body = read_pdu(sock)
        assert (pdu_type, len(re.findall(rb"\x21\0\0.[\x01-\xff]\0\0\0\x40\0", body, re.DOTALL))) == (2, 128)
        sock.close()
        peer.say(of(64))

    besieged.attacked_by(attack, "PDU or instance too long", again=True)


def test_item_9_titles(besieged: Besieged) -> None:
    """A calling AE title of spaces, or with what belongs into paths, queries, formats and terminals, is not let in."""

    def attack(peer: BadPeer) -> None:
        request = request_of()
        for title in TITLES:
            assert answer(peer, request[:26] + title.ljust(16) + request[42:]) == [(3, bytes((0, 1, 1, 3)))]

    besieged.attacked_by(attack, "unknown calling AE title or address", again=True)
    assert "calling_ae" not in str(besieged.sql("select detail from journal order by id desc limit 1"))


def test_item_9_a_title_of_ours_that_is_not(besieged: Besieged) -> None:
    """Who calls somebody else is told so."""

    def attack(peer: BadPeer) -> None:
        assert answer(peer, request_of(called="OTHER")) == [(3, bytes((0, 1, 1, 7)))]

    besieged.attacked_by(attack, "wrong called AE title", again=True)


def test_item_10_items_that_lie(besieged: Besieged) -> None:
    """Items and sub-items longer than what holds them, alone and nested into one another, are malformed."""

    def attack(peer: BadPeer) -> None:
        nested = item(0x30, b"")
        for _ in range(1000):
            nested = item(0x20, b"\3\0\0\0" + nested)
        for items in (
            item(0x20, b"\3\0\0\0", length=65535),
            context(3, item(0x30, CT.encode(), length=1000)),
            item(0x50, item(0x51, bytes(4), length=5)),
            item(0x50, item(0x54, struct.pack(">H", 60) + CT.encode() + b"\1\0")),
            item(0x20, b"\3\0"),
            nested[:-1],
        ):
            assert answer(peer, request_with(items)) == MALFORMED

    besieged.attacked_by(attack, "malformed PDU", again=True)


def test_item_11_user_identities(besieged: Besieged) -> None:
    """Identities of every type, as long as they fit, are passed over; longer than their item they are malformed."""

    def attack(peer: BadPeer) -> None:
        for kind in range(1, 6):
            field = bytes(65_500)
            identity = bytes((kind, 1)) + struct.pack(">H", len(field)) + field + struct.pack(">H", 0)
            sock = peer.associate(
                request=request_of((1, VERIFICATION))[:0] + request_with(item(0x50, item(0x58, identity)))
            )
            sock.sendall(data_pdu(1, echo_request(1, VERIFICATION), is_command=True))
            assert read_pdu(sock)[0] == 4
            sock.close()
            assert answer(peer, request_with(item(0x50, item(0x58, identity[:100], length=65535)))) == MALFORMED

    besieged.attacked_by(attack, "malformed PDU", again=True)
