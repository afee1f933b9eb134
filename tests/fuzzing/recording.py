"""Records the seeds: what peers of the field really say to us and to each other, of a synthetic instance; no test.

`python -m tests.fuzzing.recording` writes them anew into tests/fuzzing/seeds/. It needs DCMTK and Orthanc.
"""

import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from io import BytesIO
from pathlib import Path

import pydicom
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian
from pynetdicom import AE, _config
from pynetdicom.pdu_primitives import (
    AsynchronousOperationsWindowNegotiation,
    SCP_SCU_RoleSelectionNegotiation,
    SOPClassCommonExtendedNegotiation,
    SOPClassExtendedNegotiation,
    UserIdentityNegotiation,
)
from pynetdicom.presentation import build_context
from pynetdicom.sop_class import Verification

from tests.support.dcmtk import dcmsend, echoscu, storescp, storescu
from tests.support.orthanc import orthanc
from tests.support.receiving import receiving
from tests.support.relay import relay

SEEDS = Path(__file__).parent / "seeds"
SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"


def synthetic_instance() -> FileDataset:
    """A secondary capture of four by four pixels of nobody."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = SECONDARY_CAPTURE, "2.25.8801"
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    instance = FileDataset("", Dataset(), file_meta=meta, preamble=bytes(128))
    instance.SOPClassUID, instance.SOPInstanceUID = SECONDARY_CAPTURE, "2.25.8801"
    instance.StudyInstanceUID, instance.SeriesInstanceUID = "2.25.8802", "2.25.8803"
    instance.PatientName, instance.PatientID, instance.Modality = "Seed^Synthetic", "SEED", "OT"
    instance.PatientBirthDate = instance.PatientSex = instance.StudyDate = instance.StudyTime = ""
    instance.Rows = instance.Columns = 4
    instance.BitsAllocated = instance.BitsStored = 8
    instance.HighBit, instance.SamplesPerPixel, instance.PixelRepresentation = 7, 1, 0
    instance.PhotometricInterpretation = "MONOCHROME2"
    instance.PixelData = bytes(range(16))
    return instance


def _pynetdicom(port: int, instance: FileDataset) -> None:
    """A request with every negotiation that pynetdicom has, two contexts, an echo and a store."""
    _config.STORE_SEND_CHUNKED_DATASET = False
    window = AsynchronousOperationsWindowNegotiation()
    window.maximum_number_operations_invoked = window.maximum_number_operations_performed = 5
    role = SCP_SCU_RoleSelectionNegotiation()
    role.sop_class_uid, role.scu_role, role.scp_role = SECONDARY_CAPTURE, True, True
    extended = SOPClassExtendedNegotiation()
    extended.sop_class_uid, extended.service_class_application_information = SECONDARY_CAPTURE, b"\x02\x00\x03\x00"
    common = SOPClassCommonExtendedNegotiation()
    common.sop_class_uid, common.service_class_uid = SECONDARY_CAPTURE, "1.2.840.10008.4.2"
    identity = UserIdentityNegotiation()
    identity.user_identity_type, identity.primary_field, identity.secondary_field = 2, b"seed", b"secret"
    identity.positive_response_requested = True
    association = AE("PYNETDICOM").associate(
        "127.0.0.1",
        port,
        contexts=[build_context(Verification), build_context(SECONDARY_CAPTURE, [ExplicitVRLittleEndian])],
        ae_title="MICROPACS",
        max_pdu=4096,
        ext_neg=[window, role, extended, common, identity],
    )
    association.send_c_echo()
    time.sleep(0.5)  # the reactor of the library sleeps between two requests
    association.send_c_store(instance)
    association.release()


def _requestors(folder: Path, orthanc_settings: Callable[[int], Mapping[str, object]]) -> dict[str, bytearray]:
    """What requestors say to our listener, one after the other."""
    instance = synthetic_instance()
    path = folder / "seed.dcm"
    pydicom.dcmwrite(path, instance, enforce_file_format=True)
    deflated = folder / "deflated.dcm"
    subprocess.run(["dcmconv", "+td", path, deflated], check=True)
    said: dict[str, bytearray] = {}

    def of(name: str, call: Callable[[int], object]) -> None:
        with receiving(folder / name) as receiver, relay(receiver.port) as recording:
            call(recording.port)
            recording.finish()
        said[name] = recording.requestor

    of("dcmtk-storescu", lambda port: storescu(port, [path], "-R"))
    of("dcmtk-storescu-every-class", lambda port: storescu(port, [path], "-xd", "--repeat", "2"))
    of("dcmtk-storescu-deflated", lambda port: storescu(port, [deflated], "-R", "-xd"))
    of("dcmtk-storescu-user", lambda port: storescu(port, [path], "-R", "-usr", "seed", "-pwd", "secret"))
    of("dcmtk-storescu-abort", lambda port: storescu(port, [path], "-R", "--abort"))
    of("dcmtk-dcmsend", lambda port: dcmsend(port, [path]))
    of("dcmtk-echoscu", lambda port: echoscu(port, "-pts", "20", "-ppc", "9", "--repeat", "2"))
    of("pynetdicom", lambda port: _pynetdicom(port, instance))

    def from_orthanc(port: int) -> None:
        with orthanc(folder / "orthanc", orthanc_settings(port)) as pacs:
            stream = BytesIO()
            pydicom.dcmwrite(stream, instance, enforce_file_format=True)
            pacs.post("/instances", stream.getvalue())
            pacs.post("/modalities/ours/store", pacs.instances()[0].encode())

    of("orthanc", from_orthanc)
    return said


def _acceptors(folder: Path) -> dict[str, bytearray]:
    """What acceptors of the field say to requestors of the field."""
    path = folder / "seed.dcm"
    said: dict[str, bytearray] = {}
    with storescp(folder / "storescp", "+xa") as port, relay(port) as recording:
        storescu(recording.port, [path], "-R")
    said["dcmtk-storescp"] = recording.acceptor
    with orthanc(folder / "orthanc-acceptor") as pacs, relay(pacs.port) as recording:
        storescu(recording.port, [path])
    said["orthanc"] = recording.acceptor
    with receiving(folder / "ours") as receiver, relay(receiver.port) as recording:
        _pynetdicom(recording.port, synthetic_instance())
    said["micropacs"] = recording.acceptor
    return said


def main() -> None:
    """Write all seeds."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        modality = {"AET": "MICROPACS", "Host": "127.0.0.1"}
        requestors = _requestors(folder, lambda port: {"DicomModalities": {"ours": {**modality, "Port": port}}})
        for kind, said in (("requestors", requestors), ("acceptors", _acceptors(folder))):
            (SEEDS / kind).mkdir(parents=True, exist_ok=True)
            for seed, content in said.items():
                (SEEDS / kind / f"{seed}.pdus").write_bytes(content)


if __name__ == "__main__":
    main()
