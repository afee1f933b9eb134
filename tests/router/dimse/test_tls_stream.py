"""Bytes over TLS: whole and in order whatever the sizes and however slow the other side, and an end of their own."""

import random
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from router.dimse import ClientTls, ServerTls
from router.dimse.tls_stream import TlsStream, _records
from router.errors import AssociationAborted, PeerSilent
from tests.support.certificates import Authority, needs_openssl
from tests.support.secured import files_of

pytestmark = needs_openssl


@pytest.fixture(scope="module")
def sides(tmp_path_factory: pytest.TempPathFactory) -> tuple[ServerTls, ClientTls]:
    """What secures the one side and the other."""
    authority = Authority(tmp_path_factory.mktemp("authority"))
    files = files_of(authority.issue("both"), authority)
    return ServerTls(files), ClientTls(files)


@pytest.fixture
def streams(sides: tuple[ServerTls, ClientTls]) -> Iterator[tuple[TlsStream, TlsStream]]:
    """The two ends of a connection on which nothing was said yet: who calls, who is called."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        near = socket.create_connection(listening.getsockname())
        far, _ = listening.accept()
    near.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)
    caller, called = sides[1].stream(near, "127.0.0.1"), sides[0].stream(far)
    yield caller, called
    caller.close()
    called.close()


def soon() -> float:
    """A deadline."""
    return time.monotonic() + 20


class Reader(threading.Thread):
    """Takes everything from a stream, `size` bytes a time with a pause between."""

    def __init__(self, stream: TlsStream, size: int, pause: float) -> None:
        super().__init__(daemon=True)
        self.taken = bytearray()
        self._stream, self._view, self._pause = stream, memoryview(bytearray(size)), pause
        self.start()

    def run(self) -> None:
        """Until the end of the connection, which it closes then."""
        try:
            while True:
                count = self._stream.receive_into(self._view, soon())
                self.taken += self._view[:count]
                time.sleep(self._pause)
        except AssociationAborted:
            self._stream.close()


@pytest.mark.parametrize(("size", "pause"), [(100, 0), (16384, 0.001), (300_000, 0)])
def test_what_is_sent_arrives(streams: tuple[TlsStream, TlsStream], size: int, pause: float) -> None:
    """Buffers of all sizes arrive in order, to a reader that is slower than the sender, too."""
    chance = random.Random(7)
    sizes = [0, 1, 12, 16383, 16384, 16385, 131060, 500_000] if size > 100 else [1, 12, 16384, 20_000]
    groups = [[chance.randbytes(chance.choice(sizes)) for _ in range(chance.randint(1, 5))] for _ in range(8)]
    reader = Reader(streams[1], size, pause)
    for group in groups:
        streams[0].send(group, soon())
    streams[0].last_word(b"end", 5)
    reader.join(20)
    assert bytes(reader.taken) == b"".join(b"".join(group) for group in groups) + b"end"


def test_records_are_filled() -> None:
    """What is sent together shares records of 16 KB, in order and to the last byte."""
    for sizes in ([12, 131060, 12, 131060], [1] * 40_000, [16384] * 3, [16383, 2], [0, 0], [5, 16384, 40_000]):
        buffers = [memoryview(bytes([index % 251]) * size) for index, size in enumerate(sizes)]
        records = [bytes(each) for each in _records(buffers)]
        assert b"".join(records) == b"".join(bytes(each) for each in buffers)
        assert all(len(each) == 16384 for each in records[:-1])


def test_a_reader_that_takes_nothing_ends_the_send_at_its_deadline(streams: tuple[TlsStream, TlsStream]) -> None:
    """PeerSilent, and the last word that cannot be said does not hang."""
    greeting = threading.Thread(target=streams[1].receive_into, args=(memoryview(bytearray(1)), soon()), daemon=True)
    greeting.start()
    started = time.monotonic()
    with pytest.raises(PeerSilent):
        streams[0].send([bytes(50_000_000)], time.monotonic() + 0.5)
    streams[0].last_word(b"abort", 0.3)
    assert time.monotonic() - started < 3


def test_stop_ends_a_wait_and_the_last_word_is_secured(streams: tuple[TlsStream, TlsStream]) -> None:
    """Stopped from another thread, a stream still says its last word, and the other side can read it."""
    reader = Reader(streams[1], 100, 0)
    streams[0].send([b"hello"], soon())
    threading.Timer(0.1, streams[0].stop).start()
    with pytest.raises(AssociationAborted):
        streams[0].receive_into(memoryview(bytearray(10)), soon())
    streams[0].last_word(b"bye", 2)
    reader.join(5)
    assert bytes(reader.taken) == b"hellobye"


def test_what_could_not_shake_hands_says_nothing_more(sides: tuple[ServerTls, ClientTls]) -> None:
    """After a failed handshake neither a send nor a last word puts a byte on the wire."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        stream = sides[1].stream(socket.create_connection(listening.getsockname()), "127.0.0.1")
        peer, _ = listening.accept()
    with peer:
        peer.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        with pytest.raises(AssociationAborted):
            stream.send([b"secret"], soon())
        with pytest.raises(AssociationAborted):
            stream.send([b"secret"], soon())
        stream.last_word(b"secret", 0.2)
        peer.settimeout(5)
        said = b""
        while data := peer.recv(65536):
            said += data
        assert b"secret" not in said
        assert said[:1] == b"\x16"


def test_the_wire_knows_who_was_there(streams: tuple[TlsStream, TlsStream], tmp_path: Path) -> None:
    """The log gets the version and a fingerprint, no name."""
    reader = Reader(streams[1], 100, 0)
    assert streams[0].security == {}
    streams[0].send([b"hello"], soon())
    streams[0].last_word(b"", 2)
    reader.join(5)
    for stream in streams:
        assert stream.security["tls"] == "TLSv1.3"
        assert len(stream.security["certificate"]) == 64
