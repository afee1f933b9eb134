"""Whole associations, spoilt or with messages in any order: they end in order, in time, and nothing is left."""

import random
import socket
import threading
import time
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from structlog.testing import capture_logs

from archive import Spool
from router.dimse import EchoScp, Limits, Reception, Sources, StoreScp
from router.dimse.command import echo_request, store_request
from router.dimse.conversation import converse
from router.dimse.pdu import RELEASE_RQ, abort_pdu, data_pdu
from router.dimse.stream import Stream
from tests.fuzzing.corpus import conversations
from tests.fuzzing.mutation import noisy, spoilt_seed
from tests.fuzzing.targets import conversation
from tests.support.receiving import CT, IMPLICIT, VERIFICATION, associate_request, read_pdu

HASTY = Limits(first_pdu_seconds=0.1, pdu_seconds=0.1, idle_seconds=0.1, linger_seconds=0.05, message_seconds=0.2)
PATIENT = Limits(first_pdu_seconds=5, pdu_seconds=5, idle_seconds=5, linger_seconds=0.2, pdu_bytes=4096)
_MEMORY_BYTES = 8_000_000


@given(st.integers(0, 2**32))
@settings(max_examples=500, deadline=None)
def test_spoilt_recordings_end_in_order(seed: int) -> None:
    """Conversations of DCMTK, Orthanc and pynetdicom, changed in some places, keep exactly what they acknowledge."""
    conversation(spoilt_seed("conversation", random.Random(seed)))


def test_memory_is_bounded() -> None:
    """No spoilt conversation takes memory beyond the buffers of one association."""
    conversation(conversations()[0])
    tracemalloc.start()
    try:
        for seed in range(40):
            tracemalloc.reset_peak()
            before = tracemalloc.get_traced_memory()[0]
            conversation(spoilt_seed("conversation", random.Random(seed)))
            assert tracemalloc.get_traced_memory()[1] - before < _MEMORY_BYTES
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("seed", range(12))
def test_a_peer_that_stops_talking_anywhere_is_left_in_time(seed: int, tmp_path: Path) -> None:
    """A conversation that is broken off anywhere, the connection open, is ended by the deadlines; nothing is left."""
    chance = random.Random(seed)
    said = chance.choice([each for each in conversations() if len(each) < 2000])
    spool = Spool(tmp_path / "spool")
    ours, theirs = socket.socketpair()
    stream = Stream(ours)
    with theirs, capture_logs() as records:
        theirs.sendall(said[: chance.randrange(len(said) - 10)])
        started = time.monotonic()
        converse(stream, "127.0.0.1", Reception("MICROPACS", (StoreScp(spool), EchoScp()), Sources((), True), HASTY))
        stream.close()
        assert time.monotonic() - started < 2
    assert records[-1]["ended"] != "internal error"
    assert spool.sweep() == 0
    spool.close()


class Talk(RuleBasedStateMachine):
    """A peer that says what the protocol has in any order; knows what has to follow as long as it keeps to it."""

    spool: Spool

    @initialize()
    def connect(self) -> None:
        """A connection that is served, and nothing said yet."""
        ours, self.peer = socket.socketpair()
        self.peer.settimeout(5)
        self.kept = len(self.spool.sealed(100_000))
        self.is_associated = self.is_over = False
        stream = Stream(ours)
        reception = Reception("MICROPACS", (StoreScp(self.spool), EchoScp()), Sources((), True), PATIENT)

        def serve() -> None:
            converse(stream, "127.0.0.1", reception)
            stream.close()

        self.served = threading.Thread(target=serve)
        self.served.start()

    @precondition(lambda self: self.is_over)
    @rule()
    def connect_again(self) -> None:
        """Another connection after the end of one."""
        self.leave()
        self.connect()

    def say(self, *pdus: bytes) -> tuple[int, bytes]:
        """Send PDUs; the type and body of the answer, type 0 when the connection is at its end."""
        try:
            self.peer.sendall(b"".join(pdus))
        except OSError:
            self.is_over = True
            return 0, b""
        return read_pdu(self.peer)

    @precondition(lambda self: not self.is_over and not self.is_associated)
    @rule(called=st.sampled_from(["MICROPACS", "OTHER"]), contexts=st.booleans())
    def associate(self, called: str, contexts: bool) -> None:
        """Accepted by our title, rejected by another."""
        proposed = ((1, CT, IMPLICIT), (3, VERIFICATION, IMPLICIT)) if contexts else ((1, "1.2.840.10008.1.1", "x"),)
        pdu_type, _ = self.say(associate_request(*proposed, called=called))
        assert pdu_type == (2 if called == "MICROPACS" else 3)
        self.is_associated = pdu_type == 2 and contexts
        self.is_over = not self.is_associated

    @precondition(lambda self: not self.is_over and self.is_associated)
    @rule(number=st.integers(1, 5), piece=st.integers(1, 60), is_true=st.booleans())
    def store(self, number: int, piece: int, is_true: bool) -> None:
        """Success for an instance that is what its command says, a refusal for another, however it is cut."""
        uid = f"2.25.{number}"
        inside = uid if is_true else "2.25.99"
        data = _element(0x16, CT) + _element(0x18, inside)
        pdus = [
            data_pdu(1, data[start : start + piece], is_command=False, is_last=start + piece >= len(data))
            for start in range(0, len(data), piece)
        ]
        pdu_type, body = self.say(data_pdu(1, store_request(number, CT, uid), is_command=True), *pdus)
        assert pdu_type == 4
        assert (b"\0\0\0\x09\2\0\0\0\0\0" in body) is is_true
        self.kept += is_true

    @precondition(lambda self: not self.is_over and self.is_associated)
    @rule(number=st.integers(1, 65535))
    def echo(self, number: int) -> None:
        """Success."""
        pdu_type, body = self.say(data_pdu(3, echo_request(number, VERIFICATION), is_command=True))
        assert pdu_type == 4
        assert b"\0\0\0\x09\2\0\0\0\0\0" in body

    @precondition(lambda self: not self.is_over)
    @rule(
        last=st.sampled_from(
            [
                RELEASE_RQ,
                abort_pdu(0, 0),
                associate_request((1, CT, IMPLICIT)) * 2,
                data_pdu(5, b"", is_command=True),
                data_pdu(1, b"", is_command=False),
                data_pdu(1, store_request(1, CT, "2.25.1"), is_command=True) + RELEASE_RQ,
                b"\4\0\xff\xff\xff\xff",
                b"\xff" * 100,
            ]
        ),
        seed=st.none() | st.integers(0, 1000),
    )
    def end(self, last: bytes, seed: int | None) -> None:
        """Whatever is said out of order, perhaps spoilt, ends it."""
        with_noise = last if seed is None else noisy(last, random.Random(seed))
        try:
            self.peer.sendall(with_noise)
            self.peer.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        self.is_over = True

    @invariant()
    def what_was_acknowledged_is_kept(self) -> None:
        """The spool holds what was answered with success, and nothing else."""
        if hasattr(self, "kept"):
            assert len(self.spool.sealed(100_000)) == self.kept

    def leave(self) -> None:
        """The connection is left by both sides, and nothing half received is there."""
        self.peer.close()
        self.served.join(3)
        assert not self.served.is_alive()
        assert self.spool.sweep() == 0

    def teardown(self) -> None:
        """Leave, with an empty spool for the next run."""
        self.leave()
        self.spool.remove(self.spool.sealed(100_000))


def _element(number: int, uid: str) -> bytes:
    """An element of group 0008 with a UID, in implicit VR little endian."""
    value = uid.encode() + b"\0" * (len(uid) % 2)
    return bytes((8, 0, number, 0)) + len(value).to_bytes(4, "little") + value


def test_messages_in_any_order(tmp_path: Path) -> None:
    """However requests follow each other, each is answered as it should be until one ends the association."""
    Talk.spool = Spool(tmp_path / "spool")
    run_state_machine_as_test(Talk, settings=settings(max_examples=40, stateful_step_count=20, deadline=None))
    Talk.spool.close()
