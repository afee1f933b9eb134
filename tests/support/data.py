"""Where the real DICOM files for tests lie, and how to read them. They are no part of the repository."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom.filereader import _read_file_meta_info, read_preamble

_VARIABLE = "MICROPACS_TEST_DATA"
_BESIDE = Path(__file__).resolve().parents[2].parent / "shared" / "data"
_PLACE = Path(os.environ.get(_VARIABLE) or _BESIDE).resolve()
DATA = _PLACE if _PLACE.is_dir() else None
needs_data = pytest.mark.skipif(
    DATA is None, reason=f"the DICOM test data is not there ({_VARIABLE} names its folder; default ../shared/data)"
)
IMPLICIT_LITTLE = "1.2.840.10008.1.2"


def data_files(*folders: str) -> list[Path]:
    """All files below these folders of the data, in order; none when there is no data."""
    if DATA is None:
        return []
    return sorted(path for folder in folders for path in (DATA / folder).rglob("*") if path.is_file())


def sample(*folders: str, series: int = 2) -> list[Path]:
    """Files of these folders of the test data, of each folder in series/ only a few; nothing without the data."""
    if DATA is None:
        return []
    return [path for folder in folders for path in _files(DATA / folder, series)]


def _files(folder: Path, series: int) -> Iterator[Path]:
    """Data files below a folder, in order."""
    for inner in [folder, *sorted(each for each in folder.rglob("*") if each.is_dir())]:
        files = sorted(path for path in inner.iterdir() if path.is_file() and path.suffix not in {".gz", ".tsv", ".md"})
        yield from files[:series] if "series" in inner.parts or len(files) > 40 else files


def data_set(path: Path) -> tuple[bytes, str]:
    """The data set of a Part 10 file as it is encoded, and its transfer syntax (implicit if the file does not say)."""
    with path.open("rb") as file:
        read_preamble(file, True)
        meta = _read_file_meta_info(file)
        return file.read(), str(meta.get("TransferSyntaxUID", IMPLICIT_LITTLE))


def name_of(path: Path) -> str:
    """How a parametrised test names a file."""
    return "/".join(path.parts[-2:])
