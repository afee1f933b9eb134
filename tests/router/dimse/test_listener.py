"""The listener: caps, drain, reconfiguration, and who is let in."""

import resource
import socket
import threading
import time
from pathlib import Path

import pytest

from router.dimse import Limits, Source, Sources
from router.dimse.command import decode, echo_request
from router.dimse.pdu import RELEASE_RQ, data_pdu
from tests.support.dcmtk import echoscu, needs_dcmtk
from tests.support.receiving import (
    CT,
    IMPLICIT,
    VERIFICATION,
    associate_request,
    associated,
    connect,
    eventually,
    read_pdu,
    receiving,
)

ECHO = data_pdu(1, echo_request(1, VERIFICATION), is_command=True)


def answer(port: int, request: bytes) -> tuple[int, bytes]:
    """The PDU that answers an A-ASSOCIATE-RQ."""
    with connect(port) as sock:
        sock.sendall(request)
        return read_pdu(sock)


def test_a_wrong_called_title_is_rejected(tmp_path: Path) -> None:
    """Result permanent, source user, reason 7; then the connection is closed."""
    with receiving(tmp_path / "spool") as receiver:
        assert answer(receiver.port, associate_request(called="OTHER")) == (3, bytes((0, 1, 1, 7)))


def test_an_unknown_calling_title_is_rejected(tmp_path: Path) -> None:
    """Without accept_unknown only configured sources are let in (reason 3)."""
    with receiving(tmp_path / "spool", sources=Sources((Source("ct", "SCANNER"),))) as receiver:
        assert answer(receiver.port, associate_request(calling="STRANGER")) == (3, bytes((0, 1, 1, 3)))
        assert answer(receiver.port, associate_request(calling="SCANNER"))[0] == 2


def test_the_right_title_from_a_wrong_host_is_rejected(tmp_path: Path) -> None:
    """An AE title alone proves nothing (reason 3)."""
    with receiving(tmp_path / "spool", sources=Sources((Source("ct", "SCANNER", "192.0.2.1"),))) as receiver:
        assert answer(receiver.port, associate_request()) == (3, bytes((0, 1, 1, 3)))


@pytest.mark.parametrize("calling", ["", "A\nB", "\u00e4" * 3 + "\\"])
def test_what_is_no_ae_title_is_rejected_even_when_strangers_may_come(tmp_path: Path, calling: str) -> None:
    """Spaces only, control characters and backslash are no calling AE title."""
    with receiving(tmp_path / "spool") as receiver:
        assert answer(receiver.port, associate_request(calling=calling)) == (3, bytes((0, 1, 1, 3)))


def test_other_applications_and_versions_are_rejected(tmp_path: Path) -> None:
    """A foreign application context has reason 2 of the user, a foreign version reason 2 of the provider."""
    request = associate_request()
    with receiving(tmp_path / "spool") as receiver:
        foreign = request.replace(b"1.2.840.10008.3.1.1.1", b"1.2.840.10008.3.1.1.9")
        assert answer(receiver.port, foreign) == (3, bytes((0, 1, 1, 2)))
        assert answer(receiver.port, request[:6] + b"\0\2" + request[8:]) == (3, bytes((0, 1, 2, 2)))


@needs_dcmtk
def test_echoscu_is_answered(tmp_path: Path) -> None:
    """DCMTK's C-ECHO succeeds, with Nagle's algorithm on, and is let out in order."""
    with receiving(tmp_path / "spool") as receiver:
        assert echoscu(receiver.port)
        assert echoscu(receiver.port, "--repeat", "20", "-pdu", "4096")
        assert not echoscu(receiver.port, called="OTHER")


def test_associations_beyond_the_caps_are_told_to_come_later(tmp_path: Path) -> None:
    """Over the cap of one host the answer is a transient rejection 2/3/2, at once, while the others go on."""
    with receiving(tmp_path / "spool", limits=Limits(per_host=2)) as receiver:
        first = associated(receiver.port, (1, VERIFICATION, IMPLICIT), (3, CT, IMPLICIT))
        second = associated(receiver.port, (1, CT, IMPLICIT))
        started = time.monotonic()
        assert answer(receiver.port, associate_request()) == (3, bytes((0, 2, 3, 2)))
        assert time.monotonic() - started < 1
        first.sendall(ECHO)
        assert read_pdu(first)[0] == 4
        first.close()
        second.close()
        assert eventually(lambda: receiver.listener.running == 0)
        assert answer(receiver.port, associate_request())[0] == 2


def test_an_echo_needs_no_room(tmp_path: Path) -> None:
    """Who only verifies is answered while senders have taken all associations, and takes no room from them."""
    with receiving(tmp_path / "spool", limits=Limits(associations=1)) as receiver:
        echoes = [associated(receiver.port, (1, VERIFICATION, IMPLICIT)) for _ in range(5)]
        sender = associated(receiver.port, (1, CT, IMPLICIT))
        echoes.append(associated(receiver.port, (1, VERIFICATION, IMPLICIT)))
        for sock in echoes:
            sock.sendall(ECHO)
            assert read_pdu(sock)[0] == 4
            sock.close()
        sender.close()


def test_the_cap_in_all_holds_for_every_host(tmp_path: Path) -> None:
    """Another host has its own count, but the sum has a cap too."""
    with receiving(tmp_path / "spool", limits=Limits(associations=2, per_host=1)) as receiver:

        def call(own: str) -> tuple[socket.socket, int]:
            sock = socket.create_connection(("127.0.0.1", receiver.port), 5, source_address=(own, 0))
            sock.sendall(associate_request())
            return sock, read_pdu(sock)[0]

        calls = [call("127.0.0.1"), call("127.0.0.1"), call("127.0.0.2"), call("127.0.0.3")]
        assert [answered for _, answered in calls] == [2, 3, 2, 3]
        for sock, _ in calls:
            sock.close()


@needs_dcmtk
def test_a_crowd_of_silent_connections_does_not_lock_scanners_out(tmp_path: Path) -> None:
    """300 silent connections get no thread, five for one that may ask stay, and a C-ECHO is answered at once."""
    limits = Limits(per_host=2, unassociated=20, first_pdu_seconds=30)
    with receiving(tmp_path / "spool", limits=limits) as receiver:
        crowd = [connect(receiver.port) for _ in range(300)]
        assert echoscu(receiver.port)
        assert eventually(lambda: receiver.listener.running == 0)
        assert sum(is_open(sock) for sock in crowd) <= 100
        for sock in crowd:
            sock.close()


def is_open(sock: socket.socket) -> bool:
    """True while the other side has not closed."""
    sock.setblocking(False)
    try:
        return bool(sock.recv(1))
    except BlockingIOError:
        return True
    except OSError:
        return False


def test_who_begins_and_never_ends_a_request_makes_room(tmp_path: Path) -> None:
    """Of connections that said one byte only so many stay; the oldest of the busiest address go, others are heard."""
    with receiving(tmp_path / "spool", limits=Limits(unassociated=10, first_pdu_seconds=30)) as receiver:
        sending = associated(receiver.port, (1, VERIFICATION, IMPLICIT), (3, CT, IMPLICIT))
        other = socket.create_connection(("127.0.0.1", receiver.port), 5, source_address=("127.0.0.2", 0))
        other.sendall(associate_request()[:1])
        crowd = [connect(receiver.port) for _ in range(60)]
        for sock in crowd:
            sock.sendall(b"\1")
        assert eventually(lambda: sum(is_open(sock) for sock in crowd) <= 10)
        assert eventually(lambda: receiver.listener.running <= 11)
        other.sendall(associate_request()[1:])
        assert read_pdu(other)[0] == 2
        sending.sendall(ECHO)
        assert read_pdu(sending)[0] == 4
        for sock in [*crowd, other, sending]:
            sock.close()


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="the memory of a process is read from /proc")
def test_unassociated_connections_cost_little_memory(tmp_path: Path) -> None:
    """A hundred connections that say nothing, or claim 4 GB and send some of it, take less than 32 MB."""
    with receiving(tmp_path / "spool", limits=Limits(first_pdu_seconds=1.0)) as receiver:
        before = resident_bytes()
        crowd = [connect(receiver.port) for _ in range(100)]
        for sock in crowd[::2]:
            sock.sendall(b"\1\0\xff\xff\xff\xff" + bytes(60_000))
        assert eventually(lambda: receiver.listener.running > 0)
        assert eventually(lambda: receiver.listener.running == 0)
        assert resident_bytes() - before < 32e6
        for sock in crowd:
            sock.close()


def resident_bytes() -> int:
    """The memory this process has in use."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def test_a_new_reception_holds_for_the_next_association(tmp_path: Path) -> None:
    """After reconfiguration new callers meet the new rules and a running association keeps its own."""
    with receiving(tmp_path / "spool") as receiver:
        running = associated(receiver.port, (1, VERIFICATION, IMPLICIT))
        receiver.change(ae_title="RENAMED", sources=Sources((Source("ct", "SCANNER"),)))
        assert answer(receiver.port, associate_request())[0] == 3
        assert answer(receiver.port, associate_request(called="RENAMED"))[0] == 2
        running.sendall(ECHO)
        pdu_type, body = read_pdu(running)
        assert pdu_type == 4
        assert decode(body[6:]).field == 0x8030
        running.close()


def test_stopping_lets_associations_finish(tmp_path: Path) -> None:
    """A running association may go on while the listener drains; who calls meanwhile waits in the backlog."""
    with receiving(tmp_path / "spool") as receiver:
        sock = associated(receiver.port, (1, VERIFICATION, IMPLICIT))
        stopping = threading.Thread(target=receiver.listener.stop, args=(5,))
        stopping.start()
        time.sleep(0.1)
        sock.sendall(ECHO)
        assert read_pdu(sock)[0] == 4
        sock.sendall(RELEASE_RQ)
        assert read_pdu(sock)[0] == 6
        sock.close()
        stopping.join(2)
        assert not stopping.is_alive()


def test_stopping_aborts_what_does_not_finish(tmp_path: Path) -> None:
    """After the drain time an idle association gets an A-ABORT of the provider and ends."""
    with receiving(tmp_path / "spool") as receiver:
        sock = associated(receiver.port, (1, VERIFICATION, IMPLICIT))
        started = time.monotonic()
        receiver.listener.stop(0.1)
        assert time.monotonic() - started < 2
        assert read_pdu(sock) == (7, bytes((0, 0, 2, 0)))
        assert receiver.listener.running == 0
        sock.close()
