"""The study the benchmarks send: instances that are valid, of the sizes said, and never the same twice."""

from pathlib import Path

import pytest
from pydicom import dcmread

from benchmarks import study
from benchmarks.memory import FRAME_BYTES, write_multi_frame
from router.part10 import part_ten

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")  # real headers have odd values


@pytest.fixture(params=["as it is here", "demo"])
def scanner(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> study.Scanner:
    """With the headers there are, and with those of the demo."""
    if request.param == "demo":
        monkeypatch.setattr(study, "DATA", None)
    return study.scanner()


def test_a_study_is_one_study_of_two_series(scanner: study.Scanner, tmp_path: Path) -> None:
    """Each file is whole, agrees with its own meta information, and has a UID of its own."""
    made = scanner.study(tmp_path / "study", pet=3, ct=2)
    images = [dcmread(path) for path in made.files]
    assert len({image.StudyInstanceUID for image in images}) == 1
    assert [image.Modality for image in images] == ["PT"] * 3 + ["CT"] * 2
    assert len({image.SeriesInstanceUID for image in images}) == 2
    assert len({image.SOPInstanceUID for image in images}) == 5
    for image in images:
        assert image.SOPInstanceUID == image.file_meta.MediaStorageSOPInstanceUID
        assert image.SOPInstanceUID.is_valid
        assert image.SOPClassUID == image.file_meta.MediaStorageSOPClassUID
        assert len(image.PixelData) == image.Rows * image.Columns * 2
    assert [image.Rows for image in images] == [128] * 3 + [512] * 2


def test_no_two_studies_share_a_uid(scanner: study.Scanner, tmp_path: Path) -> None:
    """What is sent in one round is new in the next."""
    first, second = (scanner.study(tmp_path / name, pet=1, ct=1) for name in ("a", "b"))
    uids = {part_ten(path).identity.sop_instance_uid for path in (*first.files, *second.files)}
    assert len(uids) == 4


def test_the_large_instance_is_as_long_as_it_says(tmp_path: Path) -> None:
    """It is written without ever being in memory, and reads as a multi-frame image."""
    path = tmp_path / "large" / "one.dcm"
    write_multi_frame(path, frames=2)
    image = dcmread(path)
    assert image.NumberOfFrames == 2
    assert len(image.PixelData) == 2 * FRAME_BYTES
