"""Where real DICOM data lies beside the checkout, for the tests that use it."""

from pathlib import Path

import pytest

_FOLDER = Path(__file__).resolve().parents[2].parent / "shared" / "data"
DATA: Path | None = _FOLDER if _FOLDER.is_dir() else None

needs_data = pytest.mark.skipif(DATA is None, reason="the folder of real DICOM data is not there")


def data_files(*folders: str) -> list[Path]:
    """All files below these folders of the data, in order; none when there is no data."""
    if DATA is None:
        return []
    return sorted(path for folder in folders for path in (DATA / folder).rglob("*") if path.is_file())
