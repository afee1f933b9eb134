"""The programs and the library of pynetdicom in both directions, and all that its requests can negotiate."""

import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pynetdicom import AE, _config
from pynetdicom.association import Association
from pynetdicom.pdu_primitives import (
    AsynchronousOperationsWindowNegotiation,
    SCP_SCU_RoleSelectionNegotiation,
    SOPClassCommonExtendedNegotiation,
    SOPClassExtendedNegotiation,
    UserIdentityNegotiation,
)
from pynetdicom.presentation import build_context
from pynetdicom.sop_class import PositronEmissionTomographyImageStorage, Verification

from tests.support.appliance import RunningAppliance, wait_until
from tests.support.dcmtk import echoscu, needs_dcmtk, storescp, storescu
from tests.support.keeping import assert_kept
from tests.support.phantoms import compressed, phantom
from tests.support.ports import free_port

pytestmark = [needs_dcmtk, pytest.mark.peer, pytest.mark.xdist_group("interoperability pynetdicom")]

PET = str(PositronEmissionTomographyImageStorage)
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


def window(invoked: int, performed: int) -> AsynchronousOperationsWindowNegotiation:
    """An asynchronous operations window; 0 is without limit."""
    item = AsynchronousOperationsWindowNegotiation()
    item.maximum_number_operations_invoked, item.maximum_number_operations_performed = invoked, performed
    return item


def role(scu: bool, scp: bool, sop_class_uid: str = PET) -> SCP_SCU_RoleSelectionNegotiation:
    """The roles of the requestor."""
    item = SCP_SCU_RoleSelectionNegotiation()
    item.sop_class_uid, item.scu_role, item.scp_role = sop_class_uid, scu, scp
    return item


def extended() -> list[Any]:
    """Extended and common extended negotiation of the storage class."""
    own, common = SOPClassExtendedNegotiation(), SOPClassCommonExtendedNegotiation()
    own.sop_class_uid, own.service_class_application_information = PET, b"\x02\x00\x03\x00\x01\x00"
    common.sop_class_uid, common.service_class_uid = PET, "1.2.840.10008.4.2"
    return [own, common]


def identity(kind: int, *, is_answered: bool) -> UserIdentityNegotiation:
    """A user identity: 1 name, 2 with passcode, 3 Kerberos, 4 SAML, 5 JWT."""
    item = UserIdentityNegotiation()
    item.user_identity_type, item.primary_field = kind, b"somebody"
    item.secondary_field = b"secret" if kind == 2 else b""
    item.positive_response_requested = is_answered
    return item


@contextmanager
def associated(appliance: RunningAppliance, items: Sequence[Any]) -> Iterator[Association]:
    """An association of pynetdicom's library that negotiates these items."""
    contexts = [build_context(Verification), build_context(PET, "1.2.840.10008.1.2.1")]
    association = AE("LIBRARY").associate(
        "127.0.0.1", appliance.port, contexts=contexts, ae_title="MICROPACS", ext_neg=list(items)
    )
    try:
        yield association
    finally:
        association.release()


@pytest.mark.parametrize(
    "items",
    [
        [window(5, 5)],
        [window(0, 0)],
        [role(True, False)],
        [role(True, True), role(True, True, "1.2.840.10008.5.1.4.1.1.2")],
        extended(),
        *([identity(kind, is_answered=is_answered)] for kind in (1, 2, 3, 4, 5) for is_answered in (False, True)),
        [window(2, 3), role(True, True), *extended(), identity(2, is_answered=True)],
    ],
    ids=lambda items: "+".join(type(item).__name__.removesuffix("Negotiation") for item in items),
)
def test_whatever_is_negotiated_a_store_goes_on(
    items: list[Any], appliance: RunningAppliance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A window is answered with one operation, roles with SCU alone, the rest not at all; echo and store succeed."""
    monkeypatch.setattr(_config, "STORE_SEND_CHUNKED_DATASET", True)
    [path] = phantom(tmp_path)
    with associated(appliance, items) as association:
        assert association.is_established
        told = association.acceptor
        kinds = {type(item) for item in items}
        expects_window = AsynchronousOperationsWindowNegotiation in kinds
        assert told.asynchronous_operations == (1, 1)
        assert expects_window == any(
            isinstance(each, AsynchronousOperationsWindowNegotiation) for each in _answers(told)
        )
        roles = {uid: (item.scu_role, item.scp_role) for uid, item in told.role_selection.items()}
        assert roles == ({PET: (True, False)} if SCP_SCU_RoleSelectionNegotiation in kinds else {})
        assert told.user_identity is None
        assert association.send_c_echo().Status == 0
        time.sleep(0.1)  # the reactor of the library sleeps between two requests
        assert association.send_c_store(path).Status == 0
    assert_kept(appliance, [path])


def test_a_requestor_that_would_be_served_gets_no_context(appliance: RunningAppliance) -> None:
    """Who proposes itself as SCP alone, as for C-GET, is told that the context is not wanted."""
    with associated(appliance, [role(False, True)]) as association:
        assert [context.result for context in association.rejected_contexts] == [1]
        assert association.send_c_echo().Status == 0


def _answers(told: Any) -> list[Any]:
    """The user information items of the A-ASSOCIATE-AC."""
    return list(told.primitive.user_information)
