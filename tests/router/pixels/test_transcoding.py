"""Pictures in other transfer syntaxes: every pixel value stays, or nothing is made."""

import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom.dataset import Dataset, FileMetaDataset

from router.errors import PixelsError
from router.pixels import codecs
from router.pixels.image import Image
from router.pixels.lossless_jpeg import encode_frame
from router.pixels.rework import rework
from rules import PixelWork, Region, is_compressed
from rules.pixels import TARGETS, UNCOMPRESSED
from tests.support.data import data_files, data_set, name_of, needs_data
from tests.support.pictures import BIG_ENDIAN, EXPLICIT, Kind, picture, read, written

numpy = pytest.importorskip("numpy", reason="the extra codecs is not installed")
for _module in ("gdcm", "openjpeg", "jpeg_ls"):
    pytest.importorskip(_module, reason="the extra codecs is not installed")
from pydicom.pixels import pixel_array  # noqa: E402

FILES = data_files("transfer-syntaxes")
NAMES = list(TARGETS)
TWELVE_BITS = {"1.2.840.10008.1.2.4.51", "1.2.840.10008.1.2.4.53", "1.2.840.10008.1.2.4.55"}  # nobody decodes them
PICTURE = ("Rows", "Columns", "NumberOfFrames", "SamplesPerPixel", "BitsStored", "HighBit", "PixelRepresentation")
LOSSY = ("LossyImageCompression", "LossyImageCompressionRatio", "LossyImageCompressionMethod")


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """What pydicom says of old files is not asked for here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def values(data: bytes, syntax: str) -> tuple[Dataset, "numpy.ndarray", "numpy.ndarray"]:
    """The data set, its pixel values as they are, and as they are displayed."""
    found = read(data, syntax)
    found.file_meta = FileMetaDataset()
    found.file_meta.TransferSyntaxUID = syntax
    return found, pixel_array(found, raw=True), pixel_array(found)


def assert_kept(data: bytes, source: str, target: str) -> None:
    """Assert that in the target's bytes every pixel value is as before, and nothing says otherwise; twice the same."""
    made = rework(data, source, PixelWork((), target))
    before, raw, displayed = values(data, source)
    after, again, shown = values(made, target)
    assert raw.shape == again.shape
    assert (raw == again).all()
    assert (displayed == shown).all()
    for keyword in (*PICTURE, *LOSSY, "PatientID", "SOPInstanceUID"):
        assert before.get(keyword) == after.get(keyword), keyword
    assert after["PixelData"].is_undefined_length is is_compressed(target)
    assert rework(data, source, PixelWork((), target)) == made


@needs_data
@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_files(path: Path) -> None:
    """Every file of the data leaves with its pixel values in another syntax, in turns, or is refused with a reason."""
    data, source = data_set(path)
    target = TARGETS[NAMES[FILES.index(path) % len(NAMES)]]
    if source == target:
        target = EXPLICIT
    if source in TWELVE_BITS or (path.name in HARD and is_compressed(target)):
        with pytest.raises(PixelsError):
            rework(data, source, PixelWork((), target))
    else:
        assert_kept(data, source, target)


HARD = {
    "MR_small_padded.dcm",  # more pixel data than its header says
    "rtdose_expb.dcm",  # 32 bits, which are only decoded
    "rtdose_rle.dcm",
    "JPEGLSNearLossless_16.dcm",  # as JPEG 2000: pydicom does not write unsigned 16 bits so
    "liver_nonbyte_aligned_deflate.dcm",  # deflated frames, which no rule lets through
}


@needs_data
@pytest.mark.parametrize("name", NAMES)
def test_one_ct_to_everything(name: str) -> None:
    """One lossy CT and one uncompressed are written in each transfer syntax there is a name for."""
    found = {data_set(path)[1]: path for path in data_files("transfer-syntaxes/one-ct-in-every-syntax")}
    for source in {"1.2.840.10008.1.2.4.81", BIG_ENDIAN}:
        assert_kept(data_set(found[source])[0], source, TARGETS[name])


@pytest.mark.parametrize("name", ["rle", "jpeg-lossless", "jpeg-ls", "jpeg2000"])
@pytest.mark.parametrize(
    "kind",
    [
        Kind(33, 40, frames=3, stored=12),
        Kind(33, 40, frames=2, stored=16, signed=True),
        Kind(33, 40, stored=13, signed=True, photometric="MONOCHROME1"),
        Kind(33, 40, photometric="RGB", bits=8, stored=8, planar=1, frames=2),
        Kind(33, 39, photometric="RGB", bits=16, stored=16),
        Kind(32, 39, photometric="RGB", bits=8, stored=8),
    ],
)
@pytest.mark.parametrize("source", [EXPLICIT, BIG_ENDIAN])
def test_made_pictures(name: str, kind: Kind, source: str) -> None:
    """Signed and unsigned values, frames, colours and planes, in either byte order, come back as they were."""
    assert_kept(written(picture(kind, 3), source), source, TARGETS[name])


@needs_data
@pytest.mark.parametrize("path", [path for path in FILES if path.parent.name == "small"], ids=name_of)
def test_compressed_pictures_are_blanked(path: Path) -> None:
    """The region is black in every frame, all else is as it was decoded, and the copy is uncompressed."""
    data, source = data_set(path)
    if source in UNCOMPRESSED or not is_compressed(source):
        return
    _, before, _ = values(data, source) if source not in TWELVE_BITS else (None, None, None)
    work = PixelWork((Region(2, 3, 20, 5),), EXPLICIT)
    if before is None:
        with pytest.raises(PixelsError, match="cannot be decoded"):
            rework(data, source, work)
        return
    made, after, _ = values(rework(data, source, work), EXPLICIT)
    expected = before.copy()
    frames = expected if int(made.get("NumberOfFrames") or 1) > 1 else expected[None]
    least = -(1 << made.BitsStored - 1) if made.PixelRepresentation else 0
    frames[:, 3:8, 2:22] = [0, 128, 128] if made.PhotometricInterpretation.startswith("YBR") else least
    assert (after == expected).all()


def test_what_would_lose_something_is_refused() -> None:
    """An overlay in unused bits of the pixels, and pixels of one bit, are not compressed."""
    overlay = picture(Kind(stored=12))
    overlay.add_new(0x60000102, "US", 12)
    for made, reason in ((overlay, "overlay"), (picture(Kind(bits=1, stored=1)), "laid out")):
        with pytest.raises(PixelsError, match=reason):
            rework(written(made), EXPLICIT, PixelWork((), TARGETS["rle"]))


def test_what_the_library_cannot_write_is_refused() -> None:
    """GDCM writes no lossless JPEG of an odd number of bytes."""
    odd = written(picture(Kind(33, 39, bits=8, stored=8)))
    with pytest.raises(PixelsError, match="cannot be encoded"):
        rework(odd, EXPLICIT, PixelWork((), TARGETS["jpeg-lossless"]))


def test_an_encoder_that_changes_a_value_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was written is decoded again: where one value differs nothing leaves."""
    data = written(picture(Kind(32, 40)))

    def careless(frame: bytes, image: Image) -> bytes:
        return encode_frame(bytes([frame[0] ^ 1]) + frame[1:], image)

    monkeypatch.setattr(codecs, "encode_frame", careless)
    with pytest.raises(PixelsError, match="not the ones"):
        rework(data, EXPLICIT, PixelWork((), TARGETS["jpeg-lossless"]))
