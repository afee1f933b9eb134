"""What a header says of its pixels (PS3.3 C.7.6.3): their number, size, kind. It reads and changes no pixel."""

from dataclasses import dataclass

from router.errors import PixelsError
from rules import Attribute, Header

MOST_BYTES = 512 * 1024 * 1024  # of uncompressed pixels, and of a data set, that are taken into memory


@dataclass(frozen=True, slots=True)
class Image:
    """The pixels of one data set. `planar` is 1 where each sample has a plane of its own."""

    rows: int
    columns: int
    samples: int
    frames: int
    bits_allocated: int
    bits_stored: int
    high_bit: int
    is_signed: bool
    photometric: str
    planar: int

    @classmethod
    def of(cls, header: Header) -> "Image":
        """As the header has it. PixelsError where it does not say enough, or not what can be."""
        bits_allocated = _number(header, "BitsAllocated")
        bits_stored = _number(header, "BitsStored", bits_allocated)
        samples = _number(header, "SamplesPerPixel", 1)
        image = cls(
            _number(header, "Rows"),
            _number(header, "Columns"),
            samples,
            _number(header, "NumberOfFrames", 1) or 1,
            bits_allocated,
            bits_stored,
            _number(header, "HighBit", bits_stored - 1),
            _number(header, "PixelRepresentation", 0) == 1,
            (header.values(Attribute.parse("PhotometricInterpretation")) or ("",))[0].strip().upper(),
            _number(header, "PlanarConfiguration", 0) if samples > 1 else 0,
        )
        if not image.rows or not image.columns or not image.samples or image.frames < 0 or image.planar not in (0, 1):
            raise PixelsError("the header does not say how large the picture is")
        if not 0 < bits_stored <= image.high_bit + 1 <= bits_allocated:
            raise PixelsError("the header contradicts itself on the bits of a pixel")
        if image.bytes > MOST_BYTES:
            raise PixelsError(f"the pixels are more than the {MOST_BYTES >> 20} MB that are taken into memory")
        return image

    @property
    def is_subsampled(self) -> bool:
        """Whether two pixels of a row share their colour (PS3.3 C.7.6.3.1.2)."""
        return self.photometric == "YBR_FULL_422"

    @property
    def bytes(self) -> int:
        """How many bytes all pixels have uncompressed, without padding."""
        samples = 2 if self.is_subsampled else self.samples
        return (self.rows * self.columns * self.frames * samples * self.bits_allocated + 7) // 8


def _number(header: Header, keyword: str, absent: int | None = None) -> int:
    """The first value as a number; PixelsError where it is none, or absent without a substitute."""
    values = header.values(Attribute.parse(keyword))
    try:
        return int((values or ("",))[0] or (absent if absent is not None else ""))
    except ValueError:
        raise PixelsError(f"{keyword} is absent or no number: the pixels cannot be told apart") from None
