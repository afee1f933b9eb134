"""Sending: bytes as they lie in files to real peers, and every way a peer can refuse."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from pynetdicom import AE, evt

from archive import Identity
from router.dimse import DataSet, Limits, Peer, Requestor, StoreScu, echo
from router.dimse.associate import AnsweredContext, AssociateAccept, UserInformation, decode_request, encode_accept
from router.dimse.pdu import abort_pdu, data_pdu, reject_pdu
from router.errors import (
    AssociationAborted,
    AssociationRejected,
    ContextNotAccepted,
    DataSetUnreadable,
    PeerSilent,
    PeerUnreachable,
    ProtocolError,
    TooLong,
)
from tests.support.data import data_files, needs_data
from tests.support.dcmtk import dcmqrscp, free_port, needs_dcmtk, storescp
from tests.support.part10 import Part10, read_part10
from tests.support.receiving import CT, IMPLICIT, QUICK, associated, eventually, read_pdu, receiving

EXPLICIT = "1.2.840.10008.1.2.1"
QUICK_ANSWER = Limits(connect_seconds=1.0, response_seconds=0.5, pdu_seconds=0.5, linger_seconds=0.2)
PARTS = [part for path in data_files("transfer-syntaxes", "modalities", "charsets") if (part := read_part10(path))]
SERIES = [part for path in data_files("series/ct-ge-discovery-st")[:20] if (part := read_part10(path))]
INSTANCE = Identity(CT, "1.2.3", IMPLICIT)


def identity(part: Part10) -> Identity:
    """What the meta information says."""
    return Identity(part.sop_class_uid, part.sop_instance_uid, part.transfer_syntax_uid)


def whole(part: Part10) -> DataSet:
    """The data set as it lies in its file."""
    return DataSet(b"", part.path, part.offset, part.path.stat().st_size - part.offset)


@contextmanager
def calling(port: int, *contexts: tuple[str, str], limits: Limits = QUICK, called: str = "PEER") -> Iterator[StoreScu]:
    """A StoreScu on an association with these contexts (SOP class and transfer syntax)."""
    proposed = [(abstract, (transfer,)) for abstract, transfer in dict.fromkeys(contexts or [(CT, IMPLICIT)])]
    association = Requestor.connect(Peer(called, "127.0.0.1", port), "MICROPACS", proposed, limits)
    try:
        yield StoreScu(association)
    finally:
        association.release()
        assert not association.is_open


def send(port: int, parts: list[Part10], **options: str) -> dict[str, int]:
    """Send parts, a hundred an association: the status of each SOP Instance UID."""
    statuses = {}
    for start in range(0, len(parts), 100):
        some = parts[start : start + 100]
        with calling(port, *((part.sop_class_uid, part.transfer_syntax_uid) for part in some), **options) as scu:
            for part in some:
                statuses[part.sop_instance_uid] = scu.store(identity(part), whole(part))
    return statuses


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file with 300,000 bytes that are all different from their neighbours."""
    path = tmp_path / "instance"
    path.write_bytes(bytes(number % 251 for number in range(300_000)))
    return path


@needs_data
@needs_dcmtk
@pytest.mark.parametrize("pdu", ["4096", "16384", "131072"])
def test_storescp_keeps_the_bytes_of_the_file(tmp_path: Path, pdu: str) -> None:
    """DCMTK's storescp +B gets each data set to the byte, whatever PDU length it asks for."""
    with storescp(tmp_path / "peer", "+xa", "--max-pdu", pdu) as port:
        assert set(send(port, SERIES).values()) == {0}
    got = sorted(part.data_set for path in (tmp_path / "peer").iterdir() if (part := read_part10(path)))
    assert got == sorted(part.data_set for part in SERIES)


@needs_data
def test_our_receiver_keeps_every_file_we_send(tmp_path: Path) -> None:
    """Every syntax, modality and character set goes from our sender to our receiver to the byte."""
    parts = list({part.sop_instance_uid: part for part in PARTS}.values())
    with receiving(tmp_path / "spool") as receiver:
        statuses = send(receiver.port, parts, called="MICROPACS")
        kept = receiver.data_sets()
    assert set(statuses.values()) <= {0, 0xA900}
    assert sum(status == 0 for status in statuses.values()) > 60
    for part in parts:
        if statuses[part.sop_instance_uid] == 0:
            assert kept[part.sop_instance_uid] == part.data_set + bytes(len(part.data_set) % 2), part.path


@needs_data
def test_many_senders_at_once(tmp_path: Path) -> None:
    """Four associations at a time lose nothing and mix nothing up."""
    with receiving(tmp_path / "spool") as receiver:
        with ThreadPoolExecutor(4) as pool:
            answers = pool.map(lambda number: send(receiver.port, SERIES[number::4], called="MICROPACS"), range(4))
        assert {status for statuses in answers for status in statuses.values()} == {0}
        kept = receiver.data_sets()
    assert kept == {part.sop_instance_uid: part.data_set for part in SERIES}


@needs_data
@needs_dcmtk
def test_a_peer_that_takes_only_implicit(tmp_path: Path) -> None:
    """To `storescp +xi` nothing explicit is sent: that instance has no context and the association goes on."""
    with storescp(tmp_path / "peer", "+xi") as port, calling(port, (CT, EXPLICIT), (CT, IMPLICIT)) as scu:
        part = SERIES[0]
        with pytest.raises(ContextNotAccepted):
            scu.store(Identity(CT, part.sop_instance_uid, EXPLICIT), whole(part))
        (implicit,) = [each for each in PARTS if each.transfer_syntax_uid == IMPLICIT and each.sop_class_uid == CT][:1]
        assert scu.store(identity(implicit), whole(implicit)) == 0


@needs_data
@needs_dcmtk
def test_dcmqrscp_takes_what_we_send(tmp_path: Path) -> None:
    """DCMTK's small PACS answers success for each instance."""
    with dcmqrscp(tmp_path / "pacs", "PACS", {"MICROPACS": 104}) as port:
        assert set(send(port, SERIES[:5], called="PACS").values()) == {0}
    assert len(list((tmp_path / "pacs" / "area").glob("*"))) > 5


@needs_dcmtk
def test_a_peer_that_refuses_associations(tmp_path: Path) -> None:
    """`storescp --refuse` is AssociationRejected, permanently, without a reason given."""
    with storescp(tmp_path / "peer", "--refuse") as port:
        with pytest.raises(AssociationRejected, match="no reason given") as raised, calling(port):
            pass
        assert not raised.value.is_transient


@needs_data
@needs_dcmtk
@pytest.mark.parametrize("option", ["--abort-during", "--abort-after"])
def test_a_peer_that_aborts_in_the_middle(tmp_path: Path, option: str) -> None:
    """An A-ABORT, or the reset that follows it, is AssociationAborted and leaves the association closed."""
    part = SERIES[0]
    with (
        storescp(tmp_path / "peer", "+xa", option) as port,
        calling(port, (CT, part.transfer_syntax_uid)) as scu,
        pytest.raises(AssociationAborted),
    ):
        scu.store(identity(part), whole(part))


@pytest.mark.parametrize("status", [0x0000, 0xA700, 0xA900, 0xB000, 0xC123, 0x0122])
def test_the_status_is_given_as_it_came(file: Path, status: int) -> None:
    """Every status of a scripted pynetdicom peer comes back for its instance, and the association goes on."""
    with scripted(status) as port, calling(port) as scu:
        for _ in range(2):
            assert scu.store(INSTANCE, DataSet(b"", file, 0, 1000)) == status


@contextmanager
def scripted(status: int) -> Iterator[int]:
    """A pynetdicom peer that answers every C-STORE with one status."""
    ae = AE("PEER")
    ae.add_supported_context(CT, IMPLICIT)
    server = ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, lambda _: status)])
    try:
        yield server.socket.getsockname()[1]
    finally:
        server.shutdown()


@contextmanager
def peer(behave: Callable[[socket.socket], None], *, pdu_bytes: int = 16384) -> Iterator[int]:
    """A peer that accepts one association and its contexts, and then behaves as told."""
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        sock, _ = listening.accept()
        with sock:
            sock.settimeout(5)
            request = decode_request(read_pdu(sock)[1])
            answers = tuple(AnsweredContext(each.context_id, 0, each.transfer_syntaxes[0]) for each in request.contexts)
            sock.sendall(encode_accept(AssociateAccept(answers, UserInformation(pdu_bytes)), request))
            behave(sock)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield listening.getsockname()[1]
    finally:
        thread.join(10)
        listening.close()


@pytest.mark.parametrize("pdu_bytes", [0, 512, 4096, 65537, 131072, 2**31])
@pytest.mark.parametrize(("prefix", "length"), [(b"", 300_000), (b"p" * 999, 299_998), (b"q" * 600_001, 0), (b"", 1)])
def test_the_maximum_length_of_the_peer_is_kept(file: Path, pdu_bytes: int, prefix: bytes, length: int) -> None:
    """No PDU is longer than the peer takes, every fragment is even, the last is marked, and the bytes are true."""
    longest: list[int] = []
    data_set: list[bytes] = []

    def receive(sock: socket.socket) -> None:
        while True:
            pdu_type, body = read_pdu(sock)
            if pdu_type != 4:
                return
            longest.append(len(body))
            assert len(body) % 2 == 0
            if not body[5] & 1:
                data_set.append(body[6:])
                if body[5] & 2:
                    return

    with (
        peer(receive, pdu_bytes=pdu_bytes) as port,
        calling(port, limits=QUICK_ANSWER) as scu,
        pytest.raises(AssociationAborted),  # it never answers, it closes
    ):
        scu.store(INSTANCE, DataSet(prefix, file, 2, min(length, 299_998)))
    expected = prefix + file.read_bytes()[2:][:length]
    assert b"".join(data_set) == expected + bytes(len(expected) % 2)
    assert max(longest) <= (pdu_bytes or 2**31)


def answered(sock: socket.socket, *answers: bytes) -> None:
    """Read one message and send bytes, then wait for the other side to close."""
    while True:
        pdu_type, body = read_pdu(sock)
        if pdu_type == 4 and body[5] == 2:
            break
    for answer in answers:
        sock.sendall(answer)
    read_pdu(sock)


RESPONSE = (
    b"\0\0\2\0\x1a\0\0\0" + CT.encode() + b"\0"
    b"\0\0\0\1\2\0\0\0\x01\x80" b"\0\0\x20\1\2\0\0\0\1\0" b"\0\0\0\x08\2\0\0\0\1\1" b"\0\0\0\x09\2\0\0\0\0\0"
)  # fmt: skip


@pytest.mark.parametrize(
    ("answers", "error"),
    [
        ([], PeerSilent),
        ([b"\4"], PeerSilent),
        ([abort_pdu(0, 0)], AssociationAborted),
        ([reject_pdu(1, 1, 1)], ProtocolError),
        ([b"HTTP/1.1 400"], ProtocolError),
        ([b"\4\0\xff\xff\xff\xff"], TooLong),
        ([data_pdu(1, b"", is_command=False)], ProtocolError),
        ([data_pdu(3, RESPONSE, is_command=True)], ProtocolError),
        ([data_pdu(1, RESPONSE.replace(b"\x20\1\2\0\0\0\1\0", b"\x20\1\2\0\0\0\2\0"), is_command=True)], ProtocolError),
        ([data_pdu(1, RESPONSE.replace(b"\x01\x80", b"\x30\x80"), is_command=True)], ProtocolError),
        ([data_pdu(1, RESPONSE.replace(b"\x01\x80", b"\x01\x00"), is_command=True)], ProtocolError),
        ([data_pdu(1, RESPONSE[:-4], is_command=True)], ProtocolError),
        ([data_pdu(1, RESPONSE[:-10], is_command=True)], ProtocolError),
        ([b"\5\0\0\0\0\4\0\0\0\0"], ProtocolError),
    ],
)
def test_whatever_the_peer_answers_has_a_name(file: Path, answers: list[bytes], error: type[Exception]) -> None:
    """Silence, a dripped header, abort, and every wrong answer is one of our errors, and the association is closed."""
    with peer(lambda sock: answered(sock, *answers)) as port, calling(port, limits=QUICK_ANSWER) as scu:
        started = time.monotonic()
        with pytest.raises(error) as raised:
            scu.store(INSTANCE, DataSet(b"", file, 0, 1000))
        assert type(raised.value) is error
        assert not scu._association._is_open
        assert time.monotonic() - started < 1.5


@pytest.mark.parametrize("last", [b"", abort_pdu(0, 0)], ids=["closes", "aborts"])
def test_a_peer_that_ends_an_idle_association_is_noticed(file: Path, last: bytes) -> None:
    """An association that lay idle says that it is open no more, before anything is sent over it."""
    answers = [data_pdu(1, RESPONSE, is_command=True)]
    go_on = threading.Event()

    def behave(sock: socket.socket) -> None:
        while read_pdu(sock)[1][5] != 2:
            pass
        sock.sendall(answers[0])
        go_on.wait(5)
        sock.sendall(last)

    with peer(behave) as port, calling(port) as scu:
        assert scu.store(INSTANCE, DataSet(b"", file, 0, 1000)) == 0
        assert scu._association.is_open
        go_on.set()
        assert eventually(lambda: not scu._association.is_open)


def test_the_right_answer_is_success(file: Path) -> None:
    """The answer the wrong ones above were made from is taken."""
    with peer(lambda sock: answered(sock, data_pdu(1, RESPONSE, is_command=True))) as port, calling(port) as scu:
        assert scu.store(INSTANCE, DataSet(b"", file, 0, 1000)) == 0
        scu._association.abort()


def test_a_peer_that_stops_reading_is_silent(tmp_path: Path) -> None:
    """A peer that takes no bytes any more meets the deadline of sending."""
    path = tmp_path / "large"
    path.write_bytes(bytes(30_000_000))
    with (
        peer(lambda _: time.sleep(1.5)) as port,
        calling(port, limits=QUICK_ANSWER) as scu,
        pytest.raises(PeerSilent),
    ):
        scu.store(INSTANCE, DataSet(b"", path, 0, 30_000_000))


@pytest.mark.parametrize("offset", [0, 299_999])
def test_a_file_that_is_too_short_is_told_before_anything_is_sent(file: Path, offset: int) -> None:
    """DataSetUnreadable for a missing, short or empty file, and the association goes on."""
    with scripted(0) as port, calling(port) as scu:
        for data_set in (
            DataSet(b"", file, offset, 300_001),
            DataSet(b"", file / "no", 0, 1),
            DataSet(b"", file, 0, 0),
        ):
            with pytest.raises(DataSetUnreadable):
                scu.store(INSTANCE, data_set)
        assert scu.store(INSTANCE, DataSet(b"", file, 0, 1000)) == 0


def test_nobody_there(tmp_path: Path) -> None:
    """A closed port, an unknown name and an impossible name are PeerUnreachable."""
    for host, port in (("127.0.0.1", free_port()), ("no-such-host.invalid", 104), ("x" * 70, 104)):
        with pytest.raises(PeerUnreachable):
            echo(Peer("PEER", host, port), "MICROPACS")


def test_a_peer_that_accepts_but_says_nothing() -> None:
    """A connection without an answer to the A-ASSOCIATE-RQ is PeerSilent at the deadline."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        started = time.monotonic()
        with pytest.raises(PeerSilent):
            echo(Peer("PEER", *listening.getsockname()), "MICROPACS", Limits(connect_seconds=0.3, linger_seconds=0.1))
        assert time.monotonic() - started < 1


def test_too_many_associations_elsewhere_are_transient(tmp_path: Path) -> None:
    """A rejection for congestion says that it is worth trying later."""
    with receiving(tmp_path / "spool", limits=Limits(per_host=1)) as receiver, associated(receiver.port):
        with pytest.raises(AssociationRejected, match="local limit exceeded") as raised:
            Requestor.connect(Peer("MICROPACS", "127.0.0.1", receiver.port), "ME", [(CT, (IMPLICIT,))])
        assert raised.value.is_transient


@needs_dcmtk
def test_echo(tmp_path: Path) -> None:
    """A C-ECHO to DCMTK's storescp and to ourselves is answered 0."""
    with storescp(tmp_path / "peer") as port:
        assert echo(Peer("PEER", "127.0.0.1", port), "MICROPACS") == 0
    with receiving(tmp_path / "spool") as receiver:
        assert echo(Peer("MICROPACS", "127.0.0.1", receiver.port), "ME") == 0


def test_more_than_128_contexts_cannot_be_asked_for() -> None:
    """The number of presentation contexts of one association is limited (PS3.8 9.3.2.2)."""
    with pytest.raises(ValueError, match="129"):
        Requestor.connect(Peer("PEER", "127.0.0.1", 1), "ME", [(CT, (IMPLICIT,))] * 129)
