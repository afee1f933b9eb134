"""Frames out of compressed pixel data and into it, by the libraries of the extra `codecs`. It touches no header."""

import struct
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from pydicom.pixels.decoders.base import get_decoder
from pydicom.pixels.encoders.base import get_encoder

from router.errors import PixelsError
from router.pixels.image import MOST_BYTES, Image
from router.pixels.installed import INSTALL
from router.pixels.lossless_jpeg import encode_frame
from rules import EXPLICIT_LITTLE_UID, TARGETS

_ITEM = struct.Struct("<HHL")
# GDCM is not first: it aborts on some pictures when it writes RLE, and pydicom 3.0.2 corrects no signs after it.
_ORDER = ("pyjpegls", "pylibjpeg", "pydicom", "gdcm", "pillow")
_WHOLE_BYTES = frozenset({8, 16, 32})


def decode(value: bytes, transfer_syntax_uid: str, image: Image) -> tuple[bytearray, Image]:
    """All frames as uncompressed pixels, samples side by side, and what they are now. PixelsError.

    Where one library cannot, the next one is tried.
    """
    problem = PixelsError("there is no decoder for the transfer syntax the instance is kept in")
    for plugin in _decoders(transfer_syntax_uid):
        try:
            return _decoded(value, transfer_syntax_uid, image, plugin)
        except PixelsError as error:
            problem = error
    raise problem


def _decoded(value: bytes, transfer_syntax_uid: str, image: Image, plugin: str) -> tuple[bytearray, Image]:
    pixels = bytearray()
    found = image
    frames = 0
    for content, said in _frames(value, transfer_syntax_uid, image, plugin):
        found = _as_said(image, said)
        pixels += content
        frames += 1
        if len(pixels) > MOST_BYTES:
            raise PixelsError(f"the pixels are more than the {MOST_BYTES >> 20} MB that are taken into memory")
    if frames != image.frames or len(pixels) != found.bytes:
        raise PixelsError("the compressed pixel data does not hold the picture that the header describes")
    return pixels, found


def _decoders(transfer_syntax_uid: str) -> Sequence[str]:
    """The libraries that decode it, in the order they are tried. PixelsError where none is installed."""
    try:
        decoder = get_decoder(transfer_syntax_uid)
    except NotImplementedError:
        return ()
    if not decoder.is_available:
        raise PixelsError(f"no decoder is installed for the transfer syntax the instance is kept in: {INSTALL}")
    return sorted(decoder.available_plugins, key=_ORDER.index)


def encode(pixels: bytes | bytearray, image: Image, transfer_syntax_uid: str) -> tuple[bytes, Image]:
    """Encapsulated pixel data (PS3.5 A.4) without its end, and what it holds. PixelsError.

    Every frame that was made is decoded again: where one value differs, it counts as not made.
    """
    if not image.bytes <= len(pixels) <= image.bytes + 1:
        raise PixelsError("the pixel data is not as long as the header says")
    frames = []
    single = plain = replace(image, frames=1)
    for content, said in _frames(pixels, EXPLICIT_LITTLE_UID, image):  # pairs and planes become plain samples
        plain = _as_said(single, said)
        frame = _encoded(content, plain, transfer_syntax_uid)
        again, after = decode(_encapsulated([frame]), transfer_syntax_uid, plain)
        if again != content or after != plain:
            raise PixelsError("the compressed pixels are not the ones that were to be compressed")
        frames.append(frame)
    if len(frames) != image.frames:
        raise PixelsError("the pixel data does not hold the picture that the header describes")
    return _encapsulated(frames), replace(plain, frames=image.frames)


def _frames(
    value: bytes | bytearray, transfer_syntax_uid: str, image: Image, plugin: str = ""
) -> Iterator[tuple[bytes, dict[str, Any]]]:
    """Every frame's bytes with what pydicom says of them. PixelsError."""
    if image.bits_allocated not in _WHOLE_BYTES or image.high_bit != image.bits_stored - 1:
        raise PixelsError("pixels whose bits are laid out like these are neither decoded nor encoded")
    options = {**_options(image), "pixel_keyword": "PixelData", "decoding_plugin": plugin}
    try:
        for array, said in get_decoder(transfer_syntax_uid).iter_array(value, raw=True, **options):
            yield array.tobytes(), said
    except ImportError:
        raise PixelsError(f"no decoder is installed: {INSTALL}") from None
    except Exception:  # noqa: BLE001 - the border of a decoder, whose texts may tell what is in the data
        raise PixelsError("the pixel data cannot be decoded") from None


def _encoded(frame: bytes, image: Image, transfer_syntax_uid: str) -> bytes:
    """One frame compressed. PixelsError."""
    try:
        if transfer_syntax_uid == TARGETS["jpeg-lossless"]:
            return encode_frame(frame, image)
        encoder = get_encoder(transfer_syntax_uid)
        plugin = min(encoder.available_plugins, key=_ORDER.index, default="")
        return encoder.encode(frame, encoding_plugin=plugin, **_options(image))
    except ImportError:
        raise PixelsError(
            f"no encoder is installed for the transfer syntax that transcode asks for: {INSTALL}"
        ) from None
    except Exception:  # noqa: BLE001 - the border of an encoder
        raise PixelsError(
            "pixels of this kind cannot be encoded in the transfer syntax that transcode asks for"
        ) from None


def _options(image: Image) -> dict[str, Any]:
    """The same as pydicom names it."""
    return {
        "rows": image.rows,
        "columns": image.columns,
        "samples_per_pixel": image.samples,
        "number_of_frames": image.frames,
        "bits_allocated": image.bits_allocated,
        "bits_stored": image.bits_stored,
        "pixel_representation": int(image.is_signed),
        "photometric_interpretation": image.photometric,
        "planar_configuration": image.planar,
    }


def _as_said(image: Image, said: dict[str, Any]) -> Image:
    """What decoded pixels are: colours may have been converted, planes are none any more."""
    return replace(
        image,
        bits_allocated=int(said["bits_allocated"]),
        photometric=str(said["photometric_interpretation"]),
        planar=0,
    )


def _encapsulated(frames: Sequence[bytes]) -> bytes:
    """An empty Basic Offset Table and one fragment a frame (PS3.5 A.4)."""
    pieces = [_ITEM.pack(0xFFFE, 0xE000, 0)]
    for frame in frames:
        padded = frame + b"\0" * (len(frame) % 2)
        pieces += _ITEM.pack(0xFFFE, 0xE000, len(padded)), padded
    return b"".join(pieces)
