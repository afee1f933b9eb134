"""The demonstration does the main job, and its proof notices what is wrong."""

import subprocess
import sys
from pathlib import Path

import pydicom
import pytest

from router.demo.phantom import write_phantom
from router.demo.proof import Kept, Sent, differs_as_ruled, received_unaltered, sent_files
from router.demo.research import anonymised
from rules.anonymising import Pseudonyms
from tests.support.appliance import REPOSITORY


def _demo(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "router.cli", "demo", *arguments],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=180,
    )


def test_the_demo_delivers_everything_and_says_so(tmp_path: Path) -> None:
    """All have every instance; the PACS refused first, research has no name; exit code 0."""
    done = _demo("--slices", "3", "--folder", str(tmp_path / "demo"))
    assert done.returncode == 0, done.stdout + done.stderr
    rows = [line for line in done.stdout.splitlines() if "9 of 9" in line]
    assert [row.split("  ")[0].strip() for row in rows] == [
        "appliance",
        "archive",
        "workstation",
        "full PACS",
        "research",
    ]
    assert "refused 2 times first" in rows[3]
    for name in ("workstation", "full-pacs"):
        assert len(list((tmp_path / "demo" / name).glob("*.dcm"))) == 9
    assert "9 anonymised" in rows[4]
    assert len(list((tmp_path / "demo" / "research").rglob("*.dcm"))) == 9


def test_the_demo_takes_a_study_of_ones_own(tmp_path: Path) -> None:
    """With --study the files given go the same way, other files in the folder are left alone."""
    write_phantom(tmp_path / "mine", slices=1, seed="mine")
    (tmp_path / "mine" / "notes.txt").write_text("not DICOM")
    done = _demo("--study", str(tmp_path / "mine"), "--folder", str(tmp_path / "demo"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("3 of 3") == 5


def test_a_folder_without_dicom_is_told(tmp_path: Path) -> None:
    """Exit code 1 and a plain message."""
    (tmp_path / "notes.txt").write_text("not DICOM")
    done = _demo("--study", str(tmp_path), "--folder", str(tmp_path / "demo"))
    assert done.returncode == 1
    assert "there is no DICOM file in" in done.stderr


@pytest.mark.parametrize(
    ("keyword", "value", "is_as_ruled"),
    [
        ("PatientID", "01234567", True),
        ("PatientID", "1234567", False),
        ("PatientID", "09999999", False),
        ("PatientName", "Somebody^Else", False),
        ("PixelData", b"\0" * 32768, False),
    ],
)
def test_the_proof_notices_what_no_rule_did(tmp_path: Path, keyword: str, value: object, *, is_as_ruled: bool) -> None:
    """Only the padded patient ID with its record may differ."""
    sent = write_phantom(tmp_path, slices=1, seed="proof").files[0]
    data_set = pydicom.dcmread(sent)
    old = pydicom.Dataset()
    old.PatientID = data_set.PatientID
    item = pydicom.Dataset()
    item.ModifiedAttributesSequence = [old]
    data_set.OriginalAttributesSequence = [item]
    data_set.PatientID = "01234567"
    setattr(data_set, keyword, value)
    kept = tmp_path / "kept.dcm"
    data_set.save_as(kept)
    assert differs_as_ruled(Sent(sent, data_set.SOPInstanceUID), Kept(kept, "", is_whole=True)) is is_as_ruled


def test_only_equal_digests_count_as_received() -> None:
    """An instance that is missing or altered at a destination is not counted."""
    kept = {uid: Kept(Path(), uid * 2, is_whole=True) for uid in ("1", "2", "3")}
    assert received_unaltered(kept, {"1": "11", "2": "altered"}) == 1


def test_a_copy_with_a_name_is_not_taken_for_anonymised(tmp_path: Path) -> None:
    """The proof looks into the file: a mark alone, a name left, other pixels, another UID are not enough."""
    (sent_file,) = write_phantom(tmp_path / "mine", slices=1, seed="mine").files[:1]
    sent = sent_files([sent_file])
    (uid,) = sent
    copy = pydicom.dcmread(sent_file)
    new = Pseudonyms(b"of the test").uid(uid)
    path = tmp_path / f"{new}.dcm"

    def proved() -> int:
        copy.save_as(path)
        return anonymised(sent, [path], "of the test")

    copy.PatientIdentityRemoved = "YES"
    assert proved() == 0  # all of its identity is left
    for keyword in ("PatientName", "PatientID", "AccessionNumber", "StudyInstanceUID", "SeriesInstanceUID"):
        copy.data_element(keyword).clear()
    copy.SOPInstanceUID = copy.file_meta.MediaStorageSOPInstanceUID = new
    assert proved() == 1
    assert anonymised(sent, [path], "of another test") == 0
    copy.PixelData = bytes(len(copy.PixelData))
    assert proved() == 0
