"""What is a breach and what is not, who has to make room, and that a process short of descriptors serves on."""

import contextlib
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from router.dimse.breach import Breach, breach_of
from router.dimse.pdu import AbortReason
from router.dimse.waiting_room import WaitingRoom
from router.errors import (
    AssociationAborted,
    AssociationError,
    AssociationRejected,
    PeerIdle,
    PeerOverdue,
    PeerSilent,
    ProtocolError,
    TlsFailed,
    TooLong,
)
from tests.support.appliance import REPOSITORY
from tests.support.receiving import receiving


@pytest.mark.parametrize(
    ("error", "breach"),
    [
        (AssociationRejected(1, 1, 3), Breach.UNKNOWN_CALLER),
        (AssociationRejected(1, 1, 7), Breach.WRONG_TITLE),
        (AssociationRejected(2, 3, 2), Breach.TOO_MANY),
        (AssociationRejected(1, 2, 2), Breach.PROTOCOL),
        (ProtocolError(reason=AbortReason.UNRECOGNISED_PDU), Breach.UNKNOWN_PDU),
        (ProtocolError(reason=AbortReason.INVALID_PARAMETER), Breach.MALFORMED_PDU),
        (ProtocolError(reason=AbortReason.UNEXPECTED_PDU), Breach.PROTOCOL),
        (ProtocolError(), Breach.PROTOCOL),
        (TooLong(reason=AbortReason.INVALID_PARAMETER), Breach.TOO_LONG),
        (TlsFailed(), Breach.TLS),
        (PeerOverdue(), Breach.OVERDUE),
        (PeerSilent(), Breach.TOO_SLOW),
        (PeerIdle(), None),
        (AssociationAborted("the peer closed the connection"), None),
        (AssociationAborted(source=0, reason=0), None),
    ],
)
def test_what_is_a_breach(error: AssociationError, breach: Breach | None) -> None:
    """Broken rules and limits are; a lost connection, an abort and an idle association happen to good peers too."""
    assert breach_of(error, is_accepted=True) is breach
    if type(error) is PeerSilent:
        assert breach_of(error, is_accepted=False) is Breach.NO_REQUEST


def test_the_address_that_has_most_makes_room() -> None:
    """The first of the busiest address goes, whoever comes; who has left is not counted."""
    room: WaitingRoom[str] = WaitingRoom()
    for name in ("a1", "b1", "b2", "a2", "b3"):
        assert room.enter(name[0], name, 0.0, 5) is None
    assert room.enter("c", "c1", 1.0, 5) == ("b", "b1")
    assert room.leave("b", "b2")
    assert not room.leave("b", "b1")
    assert room.enter("c", "c2", 2.0, 5) is None
    assert room.enter("d", "d1", 3.0, 5) == ("a", "a1")
    assert len(room) == 5
    assert sorted(name for _, name in room.entered_before(2.0)) == ["a2", "b3", "c1"]
    assert [room.push_out() for _ in range(6)][-1] is None


SILENT_THEN_ECHO = """
import socket, sys
from tests.support.receiving import VERIFICATION, IMPLICIT, associated
crowd = [socket.create_connection(("127.0.0.1", int(sys.argv[1]))) for _ in range(100)]
with associated(int(sys.argv[1]), (1, VERIFICATION, IMPLICIT)):
    print("served")
"""


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="descriptors are counted in /proc")
def test_a_process_short_of_descriptors_serves_on(tmp_path: Path) -> None:
    """Where the system gives no more descriptors silent connections make room, and who speaks is served."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with receiving(tmp_path / "spool") as receiver, contextlib.ExitStack() as stack:
        command = [sys.executable, "-c", SILENT_THEN_ECHO, str(receiver.port)]
        child = stack.enter_context(
            subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        )
        stack.callback(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        most = max(int(link.name) for link in Path("/proc/self/fd").iterdir()) + 40
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
        assert child.communicate(timeout=30)[0] == "served\n"
