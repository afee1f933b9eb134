"""The demo's phantom study: valid, registered, measurable, and the same again for the same seed."""

import shutil
import subprocess
from datetime import datetime
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from router.demo.phantom import PhantomStudy, write_phantom
from router.demo.phantom_header import PATIENT_NAME
from router.demo.phantom_pixels import BACKGROUND_SUV, HOT_SUV, covered
from router.demo.phantom_shape import SPHERES

SLICES = 5
MIDDLE = SLICES // 2  # the plane of the spheres


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> PhantomStudy:
    """Five slices of each series around the plane of the spheres."""
    return write_phantom(tmp_path_factory.mktemp("phantom"), slices=SLICES, seed="a test")


def series(study: PhantomStudy, number: int) -> list[Dataset]:
    """The instances of one series: 0 AC PET, 1 non-AC PET, 2 CT."""
    return [dcmread(path) for path in study.files[number * SLICES : (number + 1) * SLICES]]


def pixel(instance: Dataset, x: float, y: float) -> float:
    """The real-world value at x, y mm, by the instance's own position, spacing, slope and intercept."""
    column = round((x - instance.ImagePositionPatient[0]) / instance.PixelSpacing[1])
    row = round((y - instance.ImagePositionPatient[1]) / instance.PixelSpacing[0])
    start = 2 * (row * instance.Columns + column)
    stored = int.from_bytes(instance.PixelData[start : start + 2], "little")
    return stored * float(instance.RescaleSlope) + float(instance.RescaleIntercept)


def suv(instance: Dataset, x: float, y: float) -> float:
    """Body-weight SUV from the header alone, as a workstation computes it."""
    drug = instance.RadiopharmaceuticalInformationSequence[0]
    start = datetime.strptime(instance.SeriesDate + instance.SeriesTime, "%Y%m%d%H%M%S")  # noqa: DTZ007
    injected = datetime.strptime(drug.RadiopharmaceuticalStartDateTime, "%Y%m%d%H%M%S")  # noqa: DTZ007
    left = 0.5 ** ((start - injected).total_seconds() / float(drug.RadionuclideHalfLife))
    return pixel(instance, x, y) * float(instance.PatientWeight) * 1000 / (float(drug.RadionuclideTotalDose) * left)


def test_a_study_has_three_series_of_as_many_instances_as_asked(study: PhantomStudy) -> None:
    """AC PET and non-AC PET are 128 x 128, CT is 512 x 512, and every UID is its own."""
    assert len(study.files) == 3 * SLICES
    for number, (modality, size) in enumerate([("PT", 128), ("PT", 128), ("CT", 512)]):
        for instance in series(study, number):
            assert (instance.Modality, instance.Rows, instance.Columns) == (modality, size, size)
            assert len(instance.PixelData) == 2 * size * size
            assert instance.StudyInstanceUID == study.study_uid
            assert instance.SeriesInstanceUID == study.series_uids[number]
            assert instance.file_meta.MediaStorageSOPInstanceUID == instance.SOPInstanceUID
    uids = [dcmread(path, stop_before_pixels=True).SOPInstanceUID for path in study.files]
    assert len(set(uids)) == 3 * SLICES
    assert all(uid.is_valid and uid.startswith("2.25.") for uid in uids)


def test_only_one_pet_series_is_attenuation_corrected(study: PhantomStudy) -> None:
    """The AC series says ATTN and is flat inside the body; the other does not and sags in the middle."""
    corrected, uncorrected = series(study, 0)[MIDDLE], series(study, 1)[MIDDLE]
    assert "ATTN" in corrected.CorrectedImage
    assert "ATTN" not in uncorrected.CorrectedImage
    rim, inside = (-130.0, 20.0), (0.0, 70.0)
    assert suv(corrected, *inside) == pytest.approx(suv(corrected, *rim), rel=0.2)
    assert suv(uncorrected, *inside) < 0.7 * suv(uncorrected, *rim)


@pytest.mark.peer
def test_every_instance_is_valid_for_its_iod(study: PhantomStudy) -> None:
    """Dciodvfy finds no error in any PET or CT instance."""
    if shutil.which("dciodvfy") is None:
        pytest.skip("dciodvfy (dicom3tools) is not installed")
    for path in study.files:
        found = subprocess.run(["dciodvfy", str(path)], capture_output=True, check=False)
        report = (found.stdout + found.stderr).decode(errors="replace")
        assert found.returncode == 0, report
        assert "Error" not in report
        assert ("PETImage" in report) or ("CTImage" in report)


def test_pet_and_ct_register(study: PhantomStudy) -> None:
    """One frame of reference, the same heights and orientation, and the lung insert lies at one place in both."""
    pet, uncorrected, ct = (series(study, number) for number in range(3))
    assert len({instance.FrameOfReferenceUID for instance in (*pet, *uncorrected, *ct)}) == 1
    assert len({tuple(instance.ImageOrientationPatient) for instance in (*pet, *uncorrected, *ct)}) == 1
    heights = [float(instance.ImagePositionPatient[2]) for instance in pet]
    assert heights == [float(instance.ImagePositionPatient[2]) for instance in ct]
    assert heights == [float(instance.ImagePositionPatient[2]) for instance in uncorrected]
    assert heights == pytest.approx(covered(SLICES), abs=0.001)
    for emission, transmission in zip(pet, ct, strict=True):
        assert pixel(transmission, 0, 0) == pytest.approx(-700, abs=40)
        assert suv(emission, 0, 0) < 0.1
        for sphere in SPHERES:
            assert pixel(transmission, sphere.x, sphere.y) == pytest.approx(0, abs=120)
        assert pixel(transmission, 0, -200) == pytest.approx(-1000, abs=20)


def test_suv_of_the_spheres_and_the_background_is_as_designed(study: PhantomStudy) -> None:
    """A workstation that computes SUV from the header finds the hot sphere within 1 %, the cold one empty."""
    middle = series(study, 0)[MIDDLE]
    assert (middle.Units, middle.DecayCorrection, middle.PatientSex) == ("BQML", "START", "M")
    hot = next(sphere for sphere in SPHERES if sphere.diameter == 37.0)
    cold = next(sphere for sphere in SPHERES if sphere.diameter == 28.0)
    assert (hot.hot, cold.hot) == (True, False)
    for step in (-5.5, 0.0, 5.5):
        assert suv(middle, hot.x + step, hot.y) == pytest.approx(HOT_SUV, rel=0.01)
    assert suv(middle, cold.x, cold.y) < 0.1
    assert suv(middle, 0, 70) == pytest.approx(BACKGROUND_SUV, rel=0.1)


def test_later_bed_positions_carry_their_own_decay(tmp_path: Path) -> None:
    """The decay factor is that of the frame reference time, and a later bed's frame starts later."""
    instances = [dcmread(path) for path in write_phantom(tmp_path, slices=40, seed="beds").files[:40]]
    first, last = instances[0], instances[-1]
    assert (first.AcquisitionTime, last.AcquisitionTime) == ("100000", "100300")
    for instance in (first, last):
        half_life = float(instance.RadiopharmaceuticalInformationSequence[0].RadionuclideHalfLife)
        expected = 2 ** (float(instance.FrameReferenceTime) / 1000 / half_life)
        assert float(instance.DecayFactor) == pytest.approx(expected, rel=1e-4)


def test_the_korean_name_is_encoded_as_the_standard_shows(study: PhantomStudy) -> None:
    """Three component groups, the second and third in ISO 2022 IR 149 (PS3.5 I.2), and they read back."""
    instance = dcmread(study.files[0], stop_before_pixels=True)
    assert list(instance.SpecificCharacterSet) == ["", "ISO 2022 IR 149"]
    assert str(instance.PatientName) == PATIENT_NAME
    assert instance.PatientName.phonetic == "홍^길동"
    hanja = b"\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce\xd4\xd7"
    hangul = b"\x1b$)C\xc8\xab^\x1b$)C\xb1\xe6\xb5\xbf"
    assert b"Hong^Gildong=" + hanja + b"=" + hangul in study.files[0].read_bytes()


def test_the_patient_id_has_seven_digits(study: PhantomStudy) -> None:
    """So that the demo's rule has something to pad to eight."""
    assert len(study.patient_id) == 7
    assert study.patient_id.isdigit()
    assert {str(dcmread(path, stop_before_pixels=True).PatientID) for path in study.files} == {study.patient_id}


def test_the_same_seed_gives_the_same_bytes_and_another_seed_a_new_study(tmp_path: Path) -> None:
    """A run can be repeated exactly, and two runs never share a UID; progress counts every instance."""
    counted: list[int] = []
    one = write_phantom(tmp_path / "one", slices=2, seed="x", progress=counted.append)
    again = write_phantom(tmp_path / "again", slices=2, seed="x")
    other = write_phantom(tmp_path / "other", slices=2, seed="y")
    assert counted == [1, 2, 3, 4, 5, 6]
    assert [path.read_bytes() for path in one.files] == [path.read_bytes() for path in again.files]
    assert one.study_uid != other.study_uid
    assert not set(one.series_uids) & set(other.series_uids)
