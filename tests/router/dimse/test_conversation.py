"""Whole associations with spoilt bytes: whatever comes, they end in order and never in an unforeseen error."""

import socket
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from archive import Spool
from router.dimse import EchoScp, Limits, Reception, Sources, StoreScp
from router.dimse.command import store_request
from router.dimse.conversation import converse
from router.dimse.pdu import RELEASE_RQ, data_pdu
from router.dimse.stream import Stream
from tests.support.receiving import CT, IMPLICIT, associate_request

DATA_SET = b"\x08\0\x16\0\x1a\0\0\0" + CT.encode() + b"\0\x08\0\x18\0\6\0\0\0" + b"1.2.3\0"
CONVERSATION = (
    associate_request((1, CT, IMPLICIT))
    + data_pdu(1, store_request(1, CT, "1.2.3"), is_command=True)
    + data_pdu(1, DATA_SET[:20], is_command=False, is_last=False)
    + data_pdu(1, DATA_SET[20:], is_command=False)
    + RELEASE_RQ
)
LIMITS = Limits(first_pdu_seconds=0.5, pdu_seconds=0.5, idle_seconds=0.5, linger_seconds=0.05)


def hold(spool: Spool, sent: bytes) -> dict[str, object]:
    """Have a conversation of which one side is already said; the record of its end."""
    ours, theirs = socket.socketpair()
    with theirs, capture_logs() as records:
        theirs.sendall(sent)
        theirs.shutdown(socket.SHUT_WR)
        converse(
            Stream(ours), "127.0.0.1", Reception("MICROPACS", (StoreScp(spool), EchoScp()), Sources((), True), LIMITS)
        )
    return dict(records[-1])


@pytest.fixture(scope="module")
def spool(tmp_path_factory: pytest.TempPathFactory) -> Spool:
    """A spool for all examples."""
    return Spool(tmp_path_factory.mktemp("conversation") / "spool")


def test_the_conversation_as_it_should_be(tmp_path: Path) -> None:
    """Unspoilt it stores one instance, is released, and is logged with its answers and who it was, but no patient."""
    record = hold(Spool(tmp_path / "spool"), CONVERSATION)
    assert (record["event"], record["ended"], record["answers"]) == ("association ended", "released", {"0000": 1})
    assert (record["calling_ae"], record["called_ae"], record["host"]) == ("SCANNER", "MICROPACS", "127.0.0.1")
