"""Orthanc as sender and as receiver, with the PDU length it has as installed and with a small one, and its C-ECHO."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import pydicom
import pytest

from tests.support.appliance import RunningAppliance
from tests.support.dcmtk import needs_dcmtk, storescp, storescu
from tests.support.keeping import assert_kept
from tests.support.orthanc import Orthanc, needs_orthanc, orthanc
from tests.support.phantoms import compressed, phantom
from tests.support.ports import free_port

pytestmark = [needs_orthanc, needs_dcmtk, pytest.mark.peer, pytest.mark.xdist_group("interoperability orthanc")]

SETTINGS = {"as-installed": {}, "small-pdu": {"MaximumPduLength": 4096}}
YAML = """
appliance: {ae_title: MICROPACS, listen: "127.0.0.1:{port}", data: ./data, unknown_sources: accept}
destinations:
  as-installed: {ae_title: ORTHANC, host: 127.0.0.1, port: %d, retry: {first: 1s, longest: 1s}}
  small-pdu: {ae_title: ORTHANC, host: 127.0.0.1, port: %d, retry: {first: 1s, longest: 1s}}
routes: [{name: from storescu, when: {calling_ae: STORESCU}, to: [as-installed, small-pdu]}]
"""


@dataclass
class Site:
    """An appliance, Orthancs that know it and a storescp, and the port of the storescp."""

    appliance: RunningAppliance
    orthancs: dict[str, Orthanc]
    reference_port: int


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Everything running."""
    folder = tmp_path_factory.mktemp("orthanc")
    (folder / "site").mkdir()
    appliance = RunningAppliance(folder / "site", "")
    reference_port = free_port()
    peers = {
        name: {"AET": "MICROPACS", "Host": "127.0.0.1", "Port": port}
        for name, port in (("ours", appliance.port), ("reference", reference_port))
    }
    with ExitStack() as stack:
        orthancs = {
            name: stack.enter_context(orthanc(folder / name, {"DicomModalities": peers, **settings}))
            for name, settings in SETTINGS.items()
        }
        appliance.write(YAML % (orthancs["as-installed"].port, orthancs["small-pdu"].port))
        stack.enter_context(appliance)
        yield Site(appliance, orthancs, reference_port)


@pytest.mark.parametrize("name", SETTINGS)
def test_an_echo_of_orthanc(name: str, site: Site) -> None:
    """Its REST job of a C-ECHO succeeds."""
    assert json.loads(site.orthancs[name].post("/modalities/ours/echo", b"{}")) == {}


@pytest.mark.parametrize("name", SETTINGS)
def test_orthanc_sends(name: str, site: Site, tmp_path: Path) -> None:
    """Its REST job of a C-STORE succeeds, and we keep the bytes that storescp gets from it; compressed ones too."""
    pacs = site.orthancs[name]
    [pet, other], [large] = phantom(tmp_path, instances=2), phantom(tmp_path, "ct")
    instances = [
        json.loads(pacs.post("/instances", path.read_bytes()))["ID"]
        for path in (pet, large, compressed(other, "dcmcrle"))
    ]
    with storescp(tmp_path / "reference", "+xa", port=site.reference_port):
        for modality in ("reference", "ours"):
            done = json.loads(pacs.post(f"/modalities/{modality}/store", json.dumps(instances).encode()))
            assert (done["InstancesCount"], done["FailedInstancesCount"]) == (3, 0)
    received = list((tmp_path / "reference").iterdir())
    assert len(received) == 3
    assert_kept(site.appliance, received)


def test_orthanc_receives(site: Site, tmp_path: Path) -> None:
    """What we forward is in both Orthancs, with the same attributes and pixels."""
    files = [*phantom(tmp_path, instances=2), *phantom(tmp_path, "ct")]
    files.append(compressed(phantom(tmp_path, "pet-nac")[0], "dcmcrle"))
    assert storescu(site.appliance.port, files, "-R", "-xr").returncode == 0
    sent = {instance.SOPInstanceUID: instance for instance in map(pydicom.dcmread, files)}
    for name, pacs in site.orthancs.items():
        site.appliance.delivered(name, len(files))
        arrived = [pydicom.dcmread(BytesIO(pacs.file(each))) for each in pacs.instances()]
        assert {uid for uid in sent if sent[uid] in arrived} == sent.keys()
