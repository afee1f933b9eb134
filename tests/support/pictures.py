"""Pictures made for tests: data sets with pixels of every kind, and reading them back by pydicom alone."""

import random
import zlib
from copy import deepcopy
from dataclasses import dataclass
from io import BytesIO

from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filereader import read_dataset
from pydicom.filewriter import write_dataset

IMPLICIT = "1.2.840.10008.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"
DEFLATED = "1.2.840.10008.1.2.1.99"
BIG_ENDIAN = "1.2.840.10008.1.2.2"


@dataclass(frozen=True)
class Kind:
    """What the pixels of a made picture are."""

    rows: int = 6
    columns: int = 8
    frames: int = 1
    photometric: str = "MONOCHROME2"
    bits: int = 16
    stored: int = 16
    signed: bool = False
    planar: int = 0

    @property
    def samples(self) -> int:
        """How many samples a pixel has."""
        return 1 if self.photometric.startswith(("MONO", "PALETTE")) else 3


def picture(kind: Kind, seed: int = 0, **attributes: object) -> Dataset:
    """A secondary capture with random pixels, whose values all fit into the bits that are stored."""
    made = Dataset()
    made.SOPClassUID, made.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.7", "1.2.3.4"
    made.StudyInstanceUID, made.SeriesInstanceUID, made.PatientID = "1.2", "1.2.3", "12345"
    made.Rows, made.Columns, made.NumberOfFrames = kind.rows, kind.columns, kind.frames
    made.SamplesPerPixel, made.PhotometricInterpretation = kind.samples, kind.photometric
    made.BitsAllocated, made.BitsStored, made.HighBit = kind.bits, kind.stored, kind.stored - 1
    made.PixelRepresentation = int(kind.signed)
    if kind.samples > 1:
        made.PlanarConfiguration = kind.planar
    for keyword, value in attributes.items():
        setattr(made, keyword, value)
    samples = 2 if kind.photometric == "YBR_FULL_422" else kind.samples
    count = kind.rows * kind.columns * kind.frames * samples
    chance = random.Random(seed)
    if kind.bits == 1:
        pixels = chance.randbytes((count + 7) // 8)
    else:
        least = -(1 << kind.stored - 1) if kind.signed else 0
        values = (chance.randrange(least, least + (1 << kind.stored)) for _ in range(count))
        pixels = b"".join(each.to_bytes(kind.bits // 8, "little", signed=kind.signed) for each in values)
    made.PixelData = pixels + bytes(len(pixels) % 2)
    made["PixelData"].VR = "OB" if kind.bits <= 8 else "OW"
    return made


def written(made: Dataset, transfer_syntax_uid: str = EXPLICIT) -> bytes:
    """The bytes of a data set; its pixels, as `picture` makes them, in the order of bytes that they are to have."""
    stream = DicomBytesIO()
    stream.is_little_endian = transfer_syntax_uid != BIG_ENDIAN
    stream.is_implicit_VR = transfer_syntax_uid == IMPLICIT
    size = made.BitsAllocated // 8
    if transfer_syntax_uid == BIG_ENDIAN and size > 1:
        pixels = made.PixelData
        made = deepcopy(made)
        made.PixelData = b"".join(pixels[at : at + size][::-1] for at in range(0, len(pixels), size))
        made["PixelData"].VR = "OW"
    write_dataset(stream, made)
    return deflated(stream.getvalue()) if transfer_syntax_uid == DEFLATED else stream.getvalue()


def deflated(data: bytes) -> bytes:
    """The bytes without zlib's header."""
    compressor = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return compressor.compress(data) + compressor.flush()


def read(data: bytes, transfer_syntax_uid: str) -> Dataset:
    """The data set of these bytes as pydicom reads it."""
    if transfer_syntax_uid == DEFLATED:
        data = zlib.decompress(data, -zlib.MAX_WBITS)
    return read_dataset(BytesIO(data), transfer_syntax_uid == IMPLICIT, transfer_syntax_uid != BIG_ENDIAN)
