"""A real PET/CT study from DCMTK's dcmsend through the appliance to DCMTK's storescp and to Orthanc."""

import hashlib
from pathlib import Path

import pydicom
import pytest

from tests.support.appliance import RunningAppliance
from tests.support.data import DATA, data_files, needs_data
from tests.support.dcmtk import dcmsend, needs_dcmtk, storescp
from tests.support.figures import figure
from tests.support.orthanc import needs_orthanc, orthanc
from tests.support.part10 import read_part10

pytestmark = [needs_data, needs_dcmtk, needs_orthanc, pytest.mark.peer]

YAML = """
appliance: {{ae_title: MICROPACS, listen: "127.0.0.1:{{port}}", data: ./data}}
sources: {{dste: {{ae_title: GE_DSTE, host: 127.0.0.1}}}}
destinations:
  hospital: {{ae_title: HOSPITAL, host: 127.0.0.1, port: {dcmtk}, retry: {{first: 1s, longest: 2s}}}}
  orthanc: {{ae_title: ORTHANC, host: 127.0.0.1, port: {orthanc}, retry: {{first: 1s, longest: 2s}}}}
normalise:
  - name: CT gets the trial prefix
    when: {{Modality: CT}}
    edit: [prefix: {{keyword: PatientID, with: "NCC-"}}, set: {{InstitutionName: "National Cancer Center"}}]
routes:
  - name: at once
    to: [hospital]
  - name: when quiet
    after: study quiet 1s
    to: [orthanc]
"""


def _data_sets(folder: Path) -> dict[str, bytes]:
    found = (read_part10(path) for path in folder.iterdir())
    return {part.sop_instance_uid: part.data_set for part in found if part}


def test_a_real_study_reaches_two_foreign_pacs_and_differs_only_where_a_rule_says_so(tmp_path: Path) -> None:
    """Every instance arrives at both; PET is identical to the byte, CT differs in the named attributes."""
    assert DATA is not None
    files = data_files("series/pet-ge-discovery-st", "series/ct-ge-discovery-st")
    with storescp(tmp_path / "reference") as port:  # what dcmsend makes of these files on the wire
        assert dcmsend(port, files, "-dn", called="ANY").returncode == 0
    sent = _data_sets(tmp_path / "reference")
    (tmp_path / "site").mkdir()
    with (
        storescp(tmp_path / "hospital") as hospital,
        orthanc(tmp_path / "orthanc") as pacs,
        RunningAppliance(tmp_path / "site", YAML.format(dcmtk=hospital, orthanc=pacs.port)) as appliance,
    ):
        done = dcmsend(appliance.port, files, "-dn", "-aet", "GE_DSTE")
        assert done.returncode == 0, done.stderr
        appliance.delivered("hospital", len(files))
        appliance.delivered("orthanc", len(files))
        assert len(pacs.instances()) == len(files)
        at_orthanc = {pacs.tags(each)["SOPInstanceUID"]: each for each in pacs.instances()}
        arrived = _data_sets(tmp_path / "hospital")
        assert arrived.keys() == sent.keys() == at_orthanc.keys()
        changed = 0
        for uid, data_set in sent.items():
            before = pydicom.dcmread(tmp_path / "reference" / _name(tmp_path / "reference", uid))
            if before.Modality == "PT":
                assert arrived[uid] == data_set
                continue
            changed += 1
            after = pydicom.dcmread(tmp_path / "hospital" / _name(tmp_path / "hospital", uid))
            assert after.PatientID == f"NCC-{before.PatientID}"
            assert after.InstitutionName == "National Cancer Center"
            modified = after.OriginalAttributesSequence[-1].ModifiedAttributesSequence[0]
            assert modified.PatientID == before.PatientID
            assert _differing(before, after) == {"PatientID", "InstitutionName", "OriginalAttributesSequence"}
        figure(
            f"n = {len(sent)} files: {len(sent) - changed} identical, {changed} edited with 0 unintended differences"
        )
        assert changed == len(data_files("series/ct-ge-discovery-st"))
        some = next(iter(sent))
        orthanc_file = pydicom.dcmread(_written(tmp_path / "orthanc-one.dcm", pacs.file(at_orthanc[some])))
        assert orthanc_file == pydicom.dcmread(tmp_path / "hospital" / _name(tmp_path / "hospital", some))
        kept = dict(appliance.sql("select sop_instance_uid, digest from instances"))
        assert kept == {uid: hashlib.sha256(data_set).hexdigest() for uid, data_set in arrived.items()}


def _name(folder: Path, uid: str) -> str:
    return next(path.name for path in folder.iterdir() if path.name.endswith(uid))


def _written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def _differing(before: pydicom.Dataset, after: pydicom.Dataset) -> set[str]:
    tags = set(before.keys()) | set(after.keys())
    return {pydicom.datadict.keyword_for_tag(tag) for tag in tags if before.get(tag) != after.get(tag)}
