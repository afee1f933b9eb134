"""Makes regions of uncompressed little endian pixels black as they are displayed. It decodes nothing."""

from collections.abc import Iterator, Sequence

from router.errors import PixelsError
from router.pixels.image import Image
from rules import Region

_GREYS = frozenset({"MONOCHROME1", "MONOCHROME2", "PALETTE COLOR"})
_WHOLE_BYTES = frozenset({8, 16, 32})


def blank(pixels: bytearray, image: Image, regions: Sequence[Region], darkest: int = 0) -> None:
    """Blank them in every frame; `darkest` is the value of a palette's darkest colour.

    PixelsError where a region has no pixel of the picture, or the pixels are not as the header says.
    """
    if not image.bytes <= len(pixels) <= image.bytes + 1:
        raise PixelsError("the pixel data is not as long as the header says")
    rectangles = [_clipped(region, image) for region in regions]
    if image.bits_allocated == 1:
        _blank_bits(pixels, image, rectangles)
    elif image.is_subsampled:
        _blank_pairs(pixels, image, rectangles)
    else:
        _blank_samples(pixels, image, rectangles, _black(image, darkest))


def _clipped(region: Region, image: Image) -> Region:
    """What of a region lies in the picture."""
    width = min(region.width, image.columns - region.x)
    height = min(region.height, image.rows - region.y)
    if width <= 0 or height <= 0:
        raise PixelsError("a region of blank_pixels lies outside the picture: it was made for another one")
    return Region(region.x, region.y, width, height)


def _black(image: Image, darkest: int) -> list[bytes]:
    """The bytes of a black pixel, one sample each."""
    if image.bits_allocated not in _WHOLE_BYTES:
        raise PixelsError(f"pixels of {image.bits_allocated} bits cannot be blanked")
    least, most = 0, (1 << image.bits_stored) - 1
    if image.is_signed:
        least, most = -(1 << image.bits_stored - 1), (1 << image.bits_stored - 1) - 1
    middle = 1 << image.bits_stored - 1
    black = {
        ("MONOCHROME1", 1): (most,),
        ("MONOCHROME2", 1): (least,),
        ("PALETTE COLOR", 1): (darkest,),
        ("RGB", 3): (0, 0, 0),
        ("YBR_FULL", 3): (0, middle, middle),
    }.get((image.photometric, image.samples))
    if black is None:
        raise PixelsError("what is black is not known for pixels of this PhotometricInterpretation")
    shift = image.high_bit + 1 - image.bits_stored
    mask = (1 << image.bits_allocated) - 1
    return [(value << shift & mask).to_bytes(image.bits_allocated // 8, "little") for value in black]


def _blank_samples(pixels: bytearray, image: Image, rectangles: Sequence[Region], black: list[bytes]) -> None:
    """Samples of whole bytes: pixel by pixel, or plane by plane."""
    planes = black if image.planar else [b"".join(black)]
    plane_bytes = [image.rows * image.columns * len(pixel) for pixel in planes]
    for frame in range(image.frames):
        start = frame * sum(plane_bytes)
        for pixel, size in zip(planes, plane_bytes, strict=True):
            for first, width in _rows(image, rectangles):
                begin = start + first * len(pixel)
                pixels[begin : begin + width * len(pixel)] = pixel * width
            start += size


def _rows(image: Image, rectangles: Sequence[Region]) -> Iterator[tuple[int, int]]:
    """The number of the first pixel and the width, for every row of every rectangle in a frame."""
    for x, y, width, height in rectangles:
        for row in range(y, y + height):
            yield row * image.columns + x, width


def _blank_pairs(pixels: bytearray, image: Image, rectangles: Sequence[Region]) -> None:
    """Pairs of pixels with one colour, written Y Y CB CR: those that a region cuts are blanked whole."""
    if image.columns % 2 or image.bits_allocated != 8 or image.samples != 3 or image.planar:
        raise PixelsError("pixels of YBR_FULL_422 that are not 8-bit pairs cannot be blanked")
    whole = [Region(x // 2, y, (x + width + 1) // 2 - x // 2, height) for x, y, width, height in rectangles]
    for frame in range(image.frames):
        for x, y, width, height in whole:
            for row in range(y, y + height):
                begin = ((frame * image.rows + row) * (image.columns // 2) + x) * 4
                pixels[begin : begin + width * 4] = b"\x00\x00\x80\x80" * width


def _blank_bits(pixels: bytearray, image: Image, rectangles: Sequence[Region]) -> None:
    """Pixels of one bit, the first in the least significant bit of a byte; rows and frames follow without a gap."""
    if image.photometric not in _GREYS or image.samples != 1:
        raise PixelsError("what is black is not known for pixels of this PhotometricInterpretation")
    value = image.photometric == "MONOCHROME1"
    for frame in range(image.frames):
        for first, width in _rows(image, rectangles):
            begin = frame * image.rows * image.columns + first
            where = slice(begin >> 3, (begin + width + 7) >> 3)
            mask = ((1 << width) - 1) << (begin & 7)
            bits = int.from_bytes(pixels[where], "little")
            pixels[where] = (bits | mask if value else bits & ~mask).to_bytes(where.stop - where.start, "little")
