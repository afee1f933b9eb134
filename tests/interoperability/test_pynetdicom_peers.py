"""The programs of pynetdicom, in both directions."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pydicom
import pytest

from tests.support.appliance import RunningAppliance, wait_until
from tests.support.dcmtk import echoscu, needs_dcmtk, storescp, storescu
from tests.support.keeping import assert_kept
from tests.support.phantoms import compressed, phantom
from tests.support.ports import free_port

pytestmark = [needs_dcmtk, pytest.mark.peer, pytest.mark.xdist_group("interoperability pynetdicom")]

SERVERS = {"default": [], "small": ["-pdu", "4096"], "unlimited": ["-pdu", "0"], "implicit": ["-xi"]}
YAML = """
appliance: {ae_title: MICROPACS, listen: "127.0.0.1:{port}", data: ./data, unknown_sources: accept}
destinations:
%s
routes: [{name: from storescu, when: {calling_ae: DCMTK}, to: [%s]}]
"""


def program(name: str, *arguments: object) -> list[str]:
    """The command line of one of pynetdicom's programs."""
    return [sys.executable, "-m", "pynetdicom", name, *map(str, arguments)]


def run(port: int, name: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run a program of pynetdicom as a requestor of ours."""
    command = program(name, "-v", "-aec", "MICROPACS", "127.0.0.1", port, *arguments)
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@contextmanager
def server(folder: Path, *options: str) -> Iterator[int]:
    """The storescp of pynetdicom; its port."""
    folder.mkdir()
    port = free_port()
    process = subprocess.Popen(program("storescp", "-q", "-od", folder, *options, port), stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: echoscu(port), 30, "pynetdicom's storescp")
        yield port
    finally:
        process.terminate()
        process.wait(10)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the servers write."""
    return tmp_path_factory.mktemp("pynetdicom")


@pytest.fixture(scope="module")
def appliance(folder: Path) -> Iterator[RunningAppliance]:
    """An appliance that sends what DCMTK sends it to every server of pynetdicom's."""
    with ExitStack() as stack:
        ports = {name: stack.enter_context(server(folder / name, *options)) for name, options in SERVERS.items()}
        destinations = "\n".join(
            f"  {name}: {{ae_title: ANY, host: 127.0.0.1, port: {port}, retry: {{first: 1s, longest: 1s}}}}"
            for name, port in ports.items()
        )
        (folder / "site").mkdir()
        yield stack.enter_context(RunningAppliance(folder / "site", YAML % (destinations, ", ".join(ports))))


def test_its_servers_get_everything(appliance: RunningAppliance, folder: Path, tmp_path: Path) -> None:
    """Each server, whatever PDU length it takes, gets every instance; the one that takes implicit VR only, too."""
    files = [*phantom(tmp_path, instances=2), *phantom(tmp_path, "ct")]
    assert storescu(appliance.port, files, "-R", "-aet", "DCMTK").returncode == 0
    sent = {instance.SOPInstanceUID: instance for instance in map(pydicom.dcmread, files)}
    for name in SERVERS:
        appliance.delivered(name, len(files))
        arrived = {each.SOPInstanceUID: each for each in map(pydicom.dcmread, (folder / name).iterdir())}
        syntaxes = {str(each.file_meta.TransferSyntaxUID) for each in arrived.values()}
        for instance in arrived.values() if name == "implicit" else ():
            instance.remove_private_tags()  # without their VR
            sent[instance.SOPInstanceUID].remove_private_tags()
        assert arrived == sent
        assert syntaxes == {"1.2.840.10008.1.2" if name == "implicit" else "1.2.840.10008.1.2.1"}


@pytest.mark.parametrize("options", [[], ["-pdu", "0"], ["-pdu", "4096"]], ids=" ".join)
def test_its_echoscu(options: list[str], appliance: RunningAppliance) -> None:
    """Its C-ECHO is answered with success."""
    done = run(appliance.port, "echoscu", *options)
    assert done.returncode == 0
    assert "0x0000" in done.stderr + done.stdout


@pytest.mark.parametrize(
    ("options", "reference"),
    [(["-cx"], "+xe"), ([], "+xe"), (["-xi", "-pdu", "0"], "+xi"), (["-xb", "-pdu", "4096"], "+xb")],
    ids=str,
)
def test_its_storescu(options: list[str], reference: str, appliance: RunningAppliance, tmp_path: Path) -> None:
    """We keep the bytes that DCMTK's storescp gets from it."""
    [path] = phantom(tmp_path)
    if "-xb" in options:
        path = compressed(path, "dcmconv", "+tb")
    with storescp(tmp_path / "reference", reference) as port:
        for to in (port, appliance.port):
            done = run(to, "storescu", path, *options)
            assert "0x0000" in done.stderr + done.stdout, done.stderr
    received = list((tmp_path / "reference").iterdir())
    assert len(received) == 1
    assert_kept(appliance, received)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("findscu", ["-P", "-k", "PatientName="]),
        ("movescu", ["-S", "-k", "QueryRetrieveLevel=STUDY"]),
        ("getscu", ["-S", "-k", "QueryRetrieveLevel=STUDY"]),
    ],
)
def test_services_we_do_not_offer_are_declined(name: str, options: list[str], appliance: RunningAppliance) -> None:
    """Its queries are told that no presentation context is accepted, and the appliance goes on."""
    done = run(appliance.port, name, *options)
    assert "No accepted presentation contexts" in done.stderr + done.stdout, done.stderr
    assert echoscu(appliance.port)
