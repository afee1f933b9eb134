"""One data set with its pixels worked on: taken apart, blanked, decoded or encoded, put together. It reads no file."""

from router.errors import PixelsError
from router.pixels import codecs
from router.pixels.blanking import blank
from router.pixels.image import Image
from router.pixels.palette import darkest
from router.pixels.words import in_other_order
from rules import (
    BIG_ENDIAN_UID,
    DEFLATED,
    EXPLICIT_LITTLE_UID,
    Attribute,
    Draft,
    Header,
    PixelWork,
    deflate,
    edited,
    has_overlay_in_pixels,
    is_compressed,
    pixel_element,
    recast,
)

_PIXEL_DATA = 0x7FE00010
_FLOAT_BITS = {0x7FE00008: ("OF", 32), 0x7FE00009: ("OD", 64)}
_PADDING = (b"\xfc\xff\xfc\xff", b"\xff\xfc\xff\xfc")  # the tag of Data Set Trailing Padding, in either byte order
_SEQUENCE_END = b"\xfe\xff\xdd\xe0\0\0\0\0"
_OF_COMPRESSED = tuple(
    Attribute.parse(each) for each in ("IconImageSequence", "ExtendedOffsetTable", "ExtendedOffsetTableLengths")
)


def rework(data_set: bytes, transfer_syntax_uid: str, work: PixelWork) -> bytes:
    """The data set as the work asks for it. PixelsError, `rules.RulesError` where that cannot be done."""
    header = Header.scan(data_set, transfer_syntax_uid)
    if header.deflated:
        header = Header.scan(header.top.data, EXPLICIT_LITTLE_UID)
    if not header.editable:
        raise PixelsError("the header is too irregular for its pixels to be worked on")
    if header.pixel_tag is None:
        made = recast(header, work.transfer_syntax_uid)
    elif header.pixel_tag == _PIXEL_DATA:
        made = _with_pixels(header, transfer_syntax_uid, work)
    else:
        made = _with_floats(header, transfer_syntax_uid, work)
    return deflate(made) if work.transfer_syntax_uid == DEFLATED else made


def _with_pixels(header: Header, source: str, work: PixelWork) -> bytes:
    """A data set with Pixel Data (7FE0,0010)."""
    target = work.transfer_syntax_uid
    before = image = Image.of(header)
    pixels: bytes | bytearray = _value(header, encapsulated=is_compressed(source))
    if is_compressed(source):
        pixels, image = codecs.decode(bytes(pixels), source, image)
    elif source == BIG_ENDIAN_UID:
        pixels = in_other_order(pixels, _word_bits(header, image))
    if work.regions:
        pixels = bytearray(pixels)
        blank(pixels, image, work.regions, darkest(header) if image.photometric == "PALETTE COLOR" else 0)
    if source == target and not is_compressed(source):
        return _in_place(
            header, in_other_order(pixels, _word_bits(header, image)) if source == BIG_ENDIAN_UID else pixels
        )
    if is_compressed(target):
        if has_overlay_in_pixels(header):
            raise PixelsError("an overlay lies in bits of the pixels that transcode would lose")
        pixels, image = codecs.encode(pixels, image, target)
    tail = _tail(header, target)
    header = _described(header, before, image, is_source_compressed=is_compressed(source))
    if is_compressed(target):
        element, end = pixel_element(_PIXEL_DATA, "OB", None, target), _SEQUENCE_END
    else:
        end = b"\0" * (len(pixels) % 2)
        vr = "OW" if image.bits_allocated > 8 else "OB"
        element = pixel_element(_PIXEL_DATA, vr, len(pixels) + len(end), target)
    return b"".join((recast(header, target), element, pixels, end, tail))


def _with_floats(header: Header, source: str, work: PixelWork) -> bytes:
    """A data set whose pixels are floating-point numbers, which can leave in another uncompressed syntax only."""
    target = work.transfer_syntax_uid
    if work.regions or is_compressed(source) or is_compressed(target):
        raise PixelsError("pixels that are floating-point numbers can be neither blanked nor compressed")
    assert header.pixel_tag is not None
    vr, bits = _FLOAT_BITS[header.pixel_tag]
    value = _value(header, encapsulated=False)
    pixels = in_other_order(value, bits) if source == BIG_ENDIAN_UID else value
    element = pixel_element(header.pixel_tag, vr, len(pixels), target)
    return b"".join((recast(header, target), element, pixels, _tail(header, target)))


def _value(header: Header, *, encapsulated: bool) -> bytes:
    """The pixel data's value, of compressed pixels without the delimiter. PixelsError."""
    found, end = header.pixel_data(), header.pixel_end()
    assert found is not None
    assert end is not None
    start, length = found
    if (length is None) != encapsulated:
        raise PixelsError("the pixel data is not compressed as its transfer syntax says")
    if end > len(header.top.data):
        raise PixelsError("the pixel data is cut short")
    return header.top.data[start : end - len(_SEQUENCE_END) if encapsulated else end]


def _in_place(header: Header, pixels: bytes | bytearray) -> bytes:
    """The data set with other pixels of the same length."""
    found, end = header.pixel_data(), header.pixel_end()
    assert found is not None
    return b"".join((header.top.data[: found[0]], pixels, header.top.data[end:]))


def _tail(header: Header, target: str) -> bytes:
    """What follows the pixel data and may stay. PixelsError for what is not in the target's layout."""
    tail = header.top.data[header.pixel_end() :]
    if not tail or tail[:4] in _PADDING:
        return b""
    if recast(header, target) != header.top.data[: header.top.end]:
        raise PixelsError("something follows the pixel data, the data set cannot be re-encoded")
    return tail


def _word_bits(header: Header, image: Image) -> int:
    """How many bits of big endian pixel data are swapped as one."""
    written = header.top.data[header.top.end + 4 : header.top.end + 6]
    return max(image.bits_allocated, 16) if written == b"OW" else image.bits_allocated


def _described(header: Header, before: Image, after: Image, *, is_source_compressed: bool) -> Header:
    """The header with what is different about the pixels now."""
    draft = Draft(header)
    for keyword, old, new in (
        ("PhotometricInterpretation", before.photometric, after.photometric),
        ("PlanarConfiguration", str(before.planar), str(after.planar)),
        ("BitsAllocated", str(before.bits_allocated), str(after.bits_allocated)),
    ):
        if old != new:
            draft.set(Attribute.parse(keyword), (new,))
    if is_source_compressed:
        for attribute in _OF_COMPRESSED:
            draft.remove(attribute)
    return edited(header, draft.splice()) if draft.changed else header
