"""Who gets an association over TLS and who does not: versions, suites, certificates, and peers that break the rules."""

import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from router.certificates import CIPHER_SUITES, TlsFiles
from router.dimse import ClientTls, Peer, Requestor, echo
from router.errors import AssociationError, TlsFailed
from tests.support.certificates import LOCAL, Authority, Pair, needs_openssl, self_signed
from tests.support.dcmtk import echoscu, needs_dcmtk, storescp
from tests.support.receiving import (
    IMPLICIT,
    QUICK,
    VERIFICATION,
    Receiver,
    associate_request,
    connect,
    eventually,
    read_pdu,
)
from tests.support.relay import relay
from tests.support.secured import connect_tls, files_of, receiving_tls

pytestmark = needs_openssl

CLIENT_HELLO = bytes.fromhex("1603010200010001fc0303") + bytes(505)
OLD_SUITES = (
    "AES128-SHA256",
    "AES256-GCM-SHA384",
    "ECDHE-RSA-AES128-SHA",
    "ECDHE-RSA-AES256-SHA384",
    "DHE-RSA-AES128-GCM-SHA256",
    "ECDHE-RSA-CHACHA20-POLY1305",
    "NULL-SHA256",
    "ADH-AES128-SHA256",
)


@dataclass(frozen=True)
class Site:
    """A hospital's certificates."""

    authority: Authority
    ours: TlsFiles
    scanner: Pair
    strangers: dict[str, Pair | None]
    foreign: Authority


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """An authority, ours, a scanner's, and clients that nobody should trust."""
    folder = tmp_path_factory.mktemp("site")
    authority, foreign = Authority(folder / "ca"), Authority(folder / "foreign", "Foreign CA")
    strangers = {
        "none": None,
        "expired": authority.issue("expired", days=-1),
        "self-signed": self_signed(folder / "self", "scanner"),
        "of another authority": foreign.issue("scanner"),
        "for servers only": authority.issue("server", usage="serverAuth"),
    }
    return Site(
        authority, files_of(authority.issue("micropacs"), authority), authority.issue("scanner"), strangers, foreign
    )


@pytest.fixture
def receiver(site: Site, tmp_path: Path) -> Iterator[Receiver]:
    """A listener that requires certificates, and has served once."""
    with receiving_tls(tmp_path / "spool", site.ours) as running:
        assert is_associated(running.port, site.authority, site.scanner)
        assert eventually(lambda: running.listener.running == 0)
        yield running


def s_client(port: int, site: Site, *options: str) -> str:
    """What `openssl s_client` agreed on, "" when there was no agreement."""
    known = ["-cert", site.scanner.certificate, "-key", site.scanner.key, "-CAfile", site.authority.certificate]
    done = subprocess.run(
        ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-brief", *map(str, known), *options],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=20,
    )
    return done.stderr if "CONNECTION ESTABLISHED" in done.stderr else ""


def is_associated(port: int, authority: Authority, pair: Pair | None) -> bool:
    """Whether one who shows this certificate gets an association."""
    try:
        with connect_tls(port, authority, pair) as sock:
            sock.sendall(associate_request((1, VERIFICATION, IMPLICIT)))
            return read_pdu(sock)[0] == 2
    except OSError:
        return False


def calling(port: int, site: Site, host: str = "127.0.0.1", pair: Pair | None = None) -> Peer:
    """Ourselves at this port, called over TLS."""
    return Peer("MICROPACS", host, port, ClientTls(files_of(pair or site.scanner, site.authority)))


def held() -> tuple[int, int]:
    """How many threads and descriptors this process has."""
    return threading.active_count(), len(list(Path("/proc/self/fd").iterdir())) if Path("/proc").is_dir() else 0


def assert_nothing_left(receiver: Receiver, before: tuple[int, int]) -> None:
    """No association runs, no instance was begun, and no thread and no descriptor is left."""
    assert eventually(lambda: receiver.listener.running == 0)
    assert receiver.unsealed() == 0
    assert eventually(lambda: all(now <= then for now, then in zip(held(), before, strict=True)))


@pytest.mark.parametrize("version", ["-tls1", "-tls1_1"])
def test_old_versions_are_refused(receiver: Receiver, site: Site, version: str) -> None:
    """TLS 1.0 and 1.1 come to nothing, whatever suites are offered (RFC 8996)."""
    assert s_client(receiver.port, site, version, "-cipher", "ALL:@SECLEVEL=0") == ""


@pytest.mark.parametrize(("version", "name"), [("-tls1_2", "TLSv1.2"), ("-tls1_3", "TLSv1.3")])
def test_the_two_versions_are_accepted(receiver: Receiver, site: Site, version: str, name: str) -> None:
    """TLS 1.2 and 1.3 are agreed on."""
    assert f"Protocol version: {name}" in s_client(receiver.port, site, version)


@pytest.mark.parametrize("suite", OLD_SUITES)
def test_weak_suites_are_refused(receiver: Receiver, site: Site, suite: str) -> None:
    """Suites without forward secrecy, without authenticated encryption or without authentication are not agreed on."""
    assert s_client(receiver.port, site, "-tls1_2", "-cipher", f"{suite}:@SECLEVEL=0") == ""


@pytest.mark.parametrize("suite", [each for each in CIPHER_SUITES if "RSA" in each])
def test_recommended_suites_are_accepted(receiver: Receiver, site: Site, suite: str) -> None:
    """Each suite of RFC 9325 4.2 that fits an RSA key is agreed on."""
    assert f"Ciphersuite: {suite}" in s_client(receiver.port, site, "-tls1_2", "-cipher", suite)


def test_renegotiation_is_refused(receiver: Receiver, site: Site) -> None:
    """A client that asks to renegotiate in TLS 1.2 is told no."""
    known = ["-cert", site.scanner.certificate, "-key", site.scanner.key]
    done = subprocess.run(
        ["openssl", "s_client", "-connect", f"127.0.0.1:{receiver.port}", "-tls1_2", *map(str, known)],
        input="R\n",
        capture_output=True,
        text=True,
        timeout=20,
    )
    assert "RENEGOTIATING" in done.stderr
    assert "no renegotiation" in done.stderr


@pytest.mark.parametrize("who", ["none", "expired", "self-signed", "of another authority", "for servers only"])
def test_strangers_are_refused_where_certificates_are_required(receiver: Receiver, site: Site, who: str) -> None:
    """Who shows no certificate, or one that is not good, gets no association; the scanner after them does."""
    before = held()
    assert not is_associated(receiver.port, site.authority, site.strangers[who])
    assert_nothing_left(receiver, before)
    assert is_associated(receiver.port, site.authority, site.scanner)


@pytest.mark.parametrize(("clients", "allowed"), [("optional", {"none"}), ("none", {"none", "expired", "self-signed"})])
def test_certificates_may_be_optional_or_not_asked_for(
    site: Site, tmp_path: Path, clients: str, allowed: set[str]
) -> None:
    """Optional: none is good, a bad one is not. None: nobody is asked."""
    with receiving_tls(tmp_path / "spool", site.ours, clients) as receiver:
        for who in ("none", "expired", "self-signed"):
            assert is_associated(receiver.port, site.authority, site.strangers[who]) is (who in allowed), who
        assert is_associated(receiver.port, site.authority, site.scanner)


@pytest.mark.parametrize(
    "first",
    [b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", associate_request(), b"\x16\x03\x01\xff\xff" + bytes(70000), bytes(10)],
    ids=["HTTP", "plain DICOM", "endless record", "zeros"],
)
def test_what_is_no_tls_is_refused(receiver: Receiver, site: Site, first: bytes) -> None:
    """Plain DICOM and HTTP on the TLS port are closed at once, without a word in the clear, and leave nothing."""
    before = held()
    started = time.monotonic()
    with connect(receiver.port) as sock:
        sock.sendall(first)
        answer = b"".join(iter(lambda: _received(sock), b""))
    assert time.monotonic() - started < 0.9
    assert not answer or answer[0] == 0x15  # a TLS alert
    assert_nothing_left(receiver, before)
    assert is_associated(receiver.port, site.authority, site.scanner)


def _received(sock: socket.socket) -> bytes:
    try:
        return sock.recv(4096)
    except ConnectionError:
        return b""


@pytest.mark.parametrize("hello", [b"", CLIENT_HELLO[:50]], ids=["silent", "stopped in the handshake"])
def test_silent_connections_stop_nobody(receiver: Receiver, site: Site, hello: bytes) -> None:
    """While 20 say nothing, or not all of their handshake, others are served at once; the 20 are closed in time."""
    before = held()
    silent = [connect(receiver.port) for _ in range(20)]
    for sock in silent:
        sock.sendall(hello)
    started = time.monotonic()
    for _ in range(3):
        assert is_associated(receiver.port, site.authority, site.scanner)
    assert time.monotonic() - started < QUICK.first_pdu_seconds
    for sock in silent:
        sock.settimeout(3)
        assert _received(sock) == b""
        sock.close()
    assert_nothing_left(receiver, before)


def test_one_deadline_holds_for_handshake_and_first_pdu(receiver: Receiver, site: Site) -> None:
    """Who drips bytes of a handshake, or shakes hands and asks for nothing, is gone after the first PDU's deadline."""
    started = time.monotonic()
    with connect(receiver.port) as dripping, connect_tls(receiver.port, site.authority, site.scanner) as idle:
        with pytest.raises(OSError):  # noqa: PT012 - it ends at one of these
            for byte in CLIENT_HELLO:
                dripping.sendall(bytes([byte]))
                time.sleep(0.05)
                assert time.monotonic() - started < 3
        idle.settimeout(3)
        assert read_pdu(idle)[0] in (0, 7)
    assert time.monotonic() - started < 3 * QUICK.first_pdu_seconds
    assert eventually(lambda: receiver.listener.running == 0)


def test_we_can_call_ourselves(receiver: Receiver, site: Site) -> None:
    """C-ECHO over TLS from our requestor to our acceptor."""
    assert echo(calling(receiver.port, site), "ME") == 0


@needs_dcmtk
@pytest.mark.peer
def test_echoscu_over_tls(receiver: Receiver, site: Site) -> None:
    """DCMTK's echoscu is answered with its certificate, and not without TLS or anonymously."""
    secured = ["+tls", str(site.scanner.key), str(site.scanner.certificate), "+cf", str(site.authority.certificate)]
    assert echoscu(receiver.port, *secured)
    assert not echoscu(receiver.port)
    assert not echoscu(receiver.port, "+tla", "+cf", str(site.authority.certificate))


def test_nothing_is_ever_said_in_the_clear(receiver: Receiver, site: Site) -> None:
    """No AE title is seen on the wire in either direction, to the very end of the association."""
    with relay(receiver.port) as recording:
        assert echo(calling(recording.port, site), "MARKEDTITLE") == 0
        with connect_tls(recording.port, site.authority, site.scanner) as sock:
            sock.sendall(associate_request(calling="MARKEDTITLE"))
            assert read_pdu(sock)[0] == 2
            receiver.listener.stop(0)
            assert read_pdu(sock)[0] == 7
    said = bytes(recording.requestor + recording.acceptor)
    assert len(said) > 2000
    assert b"MARKEDTITLE" not in said
    assert b"MICROPACS" not in said
    assert b"\x07\x00\x00\x00\x00\x04" not in said


@pytest.mark.parametrize("who", ["expired", "self-signed", "of another authority"])
def test_a_peer_that_refuses_us_says_why(receiver: Receiver, site: Site, who: str) -> None:
    """Where our own certificate is not good enough for the peer, that is the reason given."""
    with pytest.raises(TlsFailed, match=r"the peer refused the TLS connection: (certificate expired|unknown ca)"):
        echo(calling(receiver.port, site, pair=site.strangers[who]), "ME")


@pytest.mark.parametrize(
    ("hosts", "days", "is_foreign", "said"),
    [
        ("DNS:pacs.example.org", 365, False, "IP address mismatch, certificate is not valid for '127.0.0.1'"),
        ("IP:127.0.0.2", 365, False, "IP address mismatch"),
        (LOCAL, -1, False, "certificate has expired"),
        (LOCAL, 365, True, "not one of the authorities"),
    ],
    ids=["a name only", "another address", "expired", "another authority"],
)
def test_a_peer_that_is_not_the_destination_is_not_associated_with(
    site: Site, tmp_path: Path, hosts: str, days: int, is_foreign: bool, said: str
) -> None:
    """A peer whose certificate is for another host, old, or of another authority does not even see an AE title."""
    authority = site.foreign if is_foreign else site.authority
    theirs = files_of(authority.issue("impostor", hosts=hosts, days=days), site.authority)
    with receiving_tls(tmp_path / "spool", theirs, "none") as receiver, pytest.raises(TlsFailed, match=said):
        echo(calling(receiver.port, site), "ME")


def test_a_name_is_checked_by_name(site: Site, tmp_path: Path) -> None:
    """A destination that is configured by name has to show that name."""
    theirs = files_of(site.authority.issue("named", hosts="DNS:localhost"), site.authority)
    with receiving_tls(tmp_path / "spool", theirs) as receiver:
        assert echo(calling(receiver.port, site, "localhost"), "ME") == 0


@needs_dcmtk
@pytest.mark.peer
def test_a_peer_without_tls_is_told(site: Site, tmp_path: Path) -> None:
    """A plain DICOM port is no destination for TLS."""
    with storescp(tmp_path / "plain") as port, pytest.raises(TlsFailed):
        echo(calling(port, site), "ME")


def test_a_silent_peer_is_given_up(site: Site) -> None:
    """Who takes our connection and does not shake hands costs the connect deadline, no more."""
    limits = QUICK.__class__(connect_seconds=0.3, linger_seconds=0.1)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        started = time.monotonic()
        with pytest.raises(AssociationError):
            echo(calling(listening.getsockname()[1], site), "ME", limits)
        assert time.monotonic() - started < 2


def test_an_association_at_rest_knows_whether_the_peer_is_there(receiver: Receiver, site: Site) -> None:
    """An open association over TLS is open until the other side ends it."""
    peer = calling(receiver.port, site)
    association = Requestor.connect(peer, "ME", [(VERIFICATION, [IMPLICIT])])
    assert association.is_open
    time.sleep(0.1)
    assert association.is_open
    receiver.listener.stop(0)
    assert eventually(lambda: not association.is_open)


def test_a_renewed_certificate_counts_for_the_next_association(site: Site, tmp_path: Path) -> None:
    """New files are taken up without a restart; while the two do not fit each other the old ones stay."""
    pair = Pair(tmp_path / "our.pem", tmp_path / "our.key")
    first, second = site.authority.issue("first"), site.authority.issue("second")
    shutil.copy(first.certificate, pair.certificate)
    shutil.copy(first.key, pair.key)
    with receiving_tls(tmp_path / "spool", files_of(pair, site.authority)) as receiver:
        assert _subject(receiver.port, site) == "first"
        with connect_tls(receiver.port, site.authority, site.scanner) as running:
            shutil.copy(second.certificate, pair.certificate)
            assert _subject(receiver.port, site) == "first"
            shutil.copy(second.key, pair.key)
            assert _subject(receiver.port, site) == "second"
            pair.certificate.unlink()
            assert _subject(receiver.port, site) == "second"
            running.sendall(associate_request((1, VERIFICATION, IMPLICIT)))
            assert read_pdu(running)[0] == 2


def _subject(port: int, site: Site) -> str:
    with connect_tls(port, site.authority, site.scanner) as sock:
        certificate = sock.getpeercert()
        assert certificate
        return dict(pair for relative in certificate["subject"] for pair in relative)["commonName"]


def test_without_files_no_tls_and_no_plain_association(site: Site, tmp_path: Path) -> None:
    """Where the certificate has gone before the start, callers are closed and nothing is said in the clear."""
    missing = TlsFiles(tmp_path / "gone.pem", tmp_path / "gone.key", site.authority.certificate)
    with receiving_tls(tmp_path / "spool", missing) as receiver:
        with connect(receiver.port) as sock:
            sock.sendall(associate_request())
            assert _received(sock) == b""
        with pytest.raises((ssl.SSLError, ConnectionError)):
            connect_tls(receiver.port, site.authority, site.scanner)
