"""DICOM over TLS through the whole appliance, from DCMTK to DCMTK, and what must not get through."""

import os
import shutil
import signal
import socket
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from router.demo.phantom import write_phantom
from tests.support.appliance import RunningAppliance, free_port, wait_until
from tests.support.certificates import Authority, Pair, needs_openssl
from tests.support.dcmtk import dcmsend, echoscu, needs_dcmtk, storescp, storescu
from tests.support.part10 import read_part10
from tests.support.receiving import connect
from tests.support.relay import relay
from tests.support.secured import connect_tls

pytestmark = [needs_dcmtk, needs_openssl, pytest.mark.peer, pytest.mark.slow, pytest.mark.xdist_group("tls")]

YAML = """
appliance:
  ae_title: MICROPACS
  listen: "127.0.0.1:{port}"
  data: ./data
  tls: {certificate: our.pem, key: our.key, authorities: AUTHORITIES, listen: "127.0.0.1:TLS_PORT"}
sources: {petct: {ae_title: PETCT, host: 127.0.0.1}}
destinations:
DESTINATIONS
routes: [{name: all, to: [NAMES]}]
"""
DESTINATION = "  {}: {{ae_title: PACS, host: 127.0.0.1, port: {}, tls: yes, retry: {{first: 1s, longest: 1s}}}}"


@dataclass
class Site:
    """A folder with our certificate in it, an authority, and a scanner's certificate."""

    folder: Path
    authority: Authority
    scanner: Pair
    tls_port: int

    def show(self, pair: Pair) -> None:
        """Make this our certificate."""
        shutil.copy(pair.certificate, self.folder / "our.pem")
        shutil.copy(pair.key, self.folder / "our.key")

    def yaml(self, ports: Mapping[str, int]) -> str:
        """The configuration, with destinations at these ports."""
        destinations = "\n".join(DESTINATION.format(*each) for each in ports.items())
        filled = {"AUTHORITIES": self.authority.certificate, "TLS_PORT": self.tls_port}
        filled |= {"DESTINATIONS": destinations, "NAMES": ", ".join(ports)}
        yaml = YAML
        for name, value in filled.items():
            yaml = yaml.replace(name, str(value))
        return yaml

    def options(self, pair: Pair | None = None) -> list[str]:
        """The options with which a program of DCMTK calls us, as the scanner if nothing else is said."""
        return secured(pair or self.scanner, self.authority)


def secured(pair: Pair, trusted: Authority) -> list[str]:
    """DCMTK's options for TLS with this certificate."""
    return ["+tls", str(pair.key), str(pair.certificate), "+cf", str(trusted.certificate)]


def made_site(where: Path) -> Site:
    """A site whose certificates are good."""
    folder = where / "site"
    folder.mkdir()
    authority = Authority(where / "ca")
    made = Site(folder, authority, authority.issue("scanner"), free_port())
    made.show(authority.issue("micropacs"))
    return made


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """The site of most of these tests."""
    return made_site(tmp_path_factory.mktemp("tls"))


def data_sets(files: list[Path]) -> dict[str, bytes]:
    """The encoded data set of each instance, by its UID."""
    found = [part for path in files if path.is_file() and (part := read_part10(path))]
    return {part.sop_instance_uid: part.data_set for part in found}


def phantom(folder: Path, slices: int = 3) -> list[Path]:
    """A small study."""
    return list(write_phantom(folder, slices=slices, seed=folder.name).files)


@pytest.fixture(scope="module")
def appliance(site: Site) -> Iterator[tuple[RunningAppliance, Path]]:
    """A running appliance and the folder of the PACS behind it, which requires certificates."""
    pacs = site.folder.parent / "pacs"
    options = secured(site.authority.issue("pacs"), site.authority)
    with storescp(pacs, *options, "-rc") as port, relay(port) as recording:
        with RunningAppliance(site.folder, site.yaml({"pacs": recording.port})) as running:
            yield running, pacs
        said = bytes(recording.requestor + recording.acceptor)
        assert b"MICROPACS" not in said
        assert b"1.2.840.10008" not in said


def test_a_study_goes_through_encrypted_both_times(
    site: Site, appliance: tuple[RunningAppliance, Path], tmp_path: Path
) -> None:
    """From storescu +tls to storescp +tls that requires our certificate, every data set is identical to the byte."""
    running, pacs = appliance
    files = phantom(tmp_path / "study")
    with relay(site.tls_port) as recording:
        done = storescu(recording.port, files, *site.options(), "-aet", "PETCT", "-R")
        assert done.returncode == 0, done.stderr
    sent = data_sets(files).items()
    wait_until(lambda: data_sets(list(pacs.iterdir())).items() >= sent, 60, "the PACS to have it as it was sent")
    said = bytes(recording.requestor)
    assert len(said) > sum(file.stat().st_size for file in files)
    assert b"MICROPACS" not in said
    log = running.log.read_text()
    assert "tls=TLSv1." in log
    assert "certificate=" in log
    checked = running.run("check")
    assert f"TLS 1.2 and 1.3 at 127.0.0.1:{site.tls_port}; those who call must show a certificate" in checked.stdout
    assert "TLS only, and only if they prove to be their host: pacs" in checked.stdout.replace("\n", " ")
    assert running.run("echo", "pacs").returncode == 0


def test_a_good_scanner_sends_while_bad_peers_sit_on_the_tls_port(
    site: Site, appliance: tuple[RunningAppliance, Path], tmp_path: Path
) -> None:
    """20 silent connections, half handshakes and plain DICOM stop neither port; strangers leave nothing behind."""
    running, _ = appliance
    files = phantom(tmp_path / "beside")
    before = running.count("select count(*) from instances")
    foreign = Authority(tmp_path / "foreign")
    silent = [connect(site.tls_port) for _ in range(20)]
    for number, sock in enumerate(silent[10:]):
        sock.sendall([b"\x16\x03\x01\x02\x00\x01", b"GET / HTTP/1.1\r\n\r\n"][number % 2])
    assert storescu(site.tls_port, files, *secured(foreign.issue("scanner"), site.authority)).returncode != 0
    assert storescu(site.tls_port, files).returncode != 0
    assert echoscu(site.tls_port, *site.options(), "-aet", "PETCT")
    assert echoscu(running.port, "-aet", "PETCT")
    done = storescu(site.tls_port, files, *site.options(), "-aet", "PETCT", "-R")
    assert done.returncode == 0, done.stderr
    running.delivered("pacs", before + len(files))
    assert dcmsend(running.port, phantom(tmp_path / "plain"), "-aet", "PETCT").returncode == 0
    running.filed(before + 2 * len(files))
    for sock in silent:
        sock.close()
    assert list((running.data / "spool" / "incoming").iterdir()) == []
    wait_until(lambda: "TLS failed" in _security_events(running), 15, "a security event")
    assert "patient" not in running.log.read_text().lower()


def _security_events(running: RunningAppliance) -> set[str]:
    found = running.json("status")
    assert isinstance(found, dict)
    return {event["what"] for event in found["security"]}


def test_what_is_not_the_destination_gets_nothing(tmp_path: Path) -> None:
    """No data set leaves for a peer that does not prove to be the destination; the deliveries wait and say why."""
    site = made_site(tmp_path)
    foreign = Authority(tmp_path / "foreign")
    peers = {
        "another-authority": (foreign.issue("pacs"), "not one of the authorities"),
        "another-name": (site.authority.issue("named", hosts="DNS:pacs.example.org"), "IP address mismatch"),
        "expired": (site.authority.issue("old", days=-1), "certificate has expired"),
        "no-tls": (None, "closed the connection in the TLS handshake"),
    }
    files = phantom(tmp_path / "study")
    with ExitStack() as stack:
        recordings = {}
        for name, (theirs, _) in peers.items():
            port = stack.enter_context(storescp(tmp_path / name, *(secured(theirs, site.authority) if theirs else [])))
            recordings[name] = stack.enter_context(relay(port))
        ports = {name: recording.port for name, recording in recordings.items()}
        running = stack.enter_context(RunningAppliance(site.folder, site.yaml(ports)))
        assert storescu(site.tls_port, files, *site.options(), "-aet", "PETCT", "-R").returncode == 0
        running.filed(len(files))
        said = "select coalesce(last_error, '') from destinations where name = ?"
        for name, (_, reason) in peers.items():
            wait_until(lambda name=name: recordings[name].requestor, 20, f"an attempt at {name}")
            wait_until(lambda n=name, r=reason: r in str(running.sql(said, n)), 20, f"the reason {reason!r} at {name}")
        told = running.run("queue").stdout.replace("\n", " ")
        assert [reason for _, reason in peers.values() if reason not in told] == []
        assert running.count("select count(*) from deliveries where state = 'delivered'") == 0
        waiting = running.count("select count(*) from deliveries where state in ('due', 'leased')")
        assert waiting == len(peers) * len(files)
        for recording in recordings.values():
            assert b"MICROPACS" not in bytes(recording.requestor)
            assert len(recording.requestor) < 20_000
    assert [path for name in peers for path in (tmp_path / name).iterdir()] == []


def test_a_renewed_certificate_needs_no_restart(site: Site, appliance: tuple[RunningAppliance, Path]) -> None:
    """Once the files are replaced, with SIGHUP or without, callers see the new one; a bad one changes nothing."""
    running, _ = appliance
    roles = running.roles()
    assert _shown(site) == "micropacs"
    site.show(site.authority.issue("second"))
    assert _shown(site) == "second"
    (site.folder / "our.key").write_text("spoilt")
    assert running.process is not None
    os.kill(running.process.pid, signal.SIGHUP)
    wait_until(lambda: "holds no private key in PEM format" in running.log.read_text(), 15, "the log to tell")
    assert _shown(site) == "second"
    site.show(site.authority.issue("third"))
    os.kill(running.process.pid, signal.SIGHUP)
    assert _shown(site) == "third"
    assert running.roles() == roles


def _shown(site: Site) -> str:
    with connect_tls(site.tls_port, site.authority, site.scanner) as sock:
        certificate = sock.getpeercert()
    assert certificate
    return dict(pair for relative in certificate["subject"] for pair in relative)["commonName"]


def test_a_killed_receive_role_gets_both_ports_back(site: Site, appliance: tuple[RunningAppliance, Path]) -> None:
    """Who calls the TLS port while the role restarts waits, and is served."""
    running, _ = appliance
    running.kill("receive")
    socket.create_connection(("127.0.0.1", site.tls_port), 2).close()
    wait_until(lambda: echoscu(site.tls_port, *site.options(), "-aet", "PETCT"), 20, "TLS to be served again")
    assert echoscu(running.port, "-aet", "PETCT")
