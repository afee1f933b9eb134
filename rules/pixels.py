"""What is asked for of a copy's pixels, and in which transfer syntax it then is. It touches no pixel."""

from dataclasses import dataclass
from typing import NamedTuple

from rules.attribute import Attribute
from rules.errors import EditHeldError
from rules.facts import Readable
from rules.layout import BIG_ENDIAN_UID, DEFLATED, EXPLICIT_LITTLE_UID, IMPLICIT_LITTLE_UID

JPEG_LOSSLESS = "1.2.840.10008.1.2.4.70"
JPEG_LS = "1.2.840.10008.1.2.4.80"
JPEG_2000 = "1.2.840.10008.1.2.4.90"
RLE = "1.2.840.10008.1.2.5"
UNCOMPRESSED = frozenset({IMPLICIT_LITTLE_UID, EXPLICIT_LITTLE_UID, BIG_ENDIAN_UID, DEFLATED})
TARGETS = {
    "implicit": IMPLICIT_LITTLE_UID,
    "explicit": EXPLICIT_LITTLE_UID,
    "deflated": DEFLATED,
    "rle": RLE,
    "jpeg-lossless": JPEG_LOSSLESS,
    "jpeg-ls": JPEG_LS,
    "jpeg2000": JPEG_2000,
}
_OVERLAY_BITS = tuple(Attribute.parse(f"({group:04X},0102)") for group in range(0x6000, 0x6020, 2))
_JPEG_FAMILY = "1.2.840.10008.1.2.4."
_REFERENCED = frozenset(_JPEG_FAMILY + last for last in ("94", "95", "204", "205"))  # JPIP: the pixels are elsewhere


class Region(NamedTuple):
    """A rectangle of a picture in pixels, counted from 0 at its upper left corner."""

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class PixelWork:
    """What is to be done with the pixels of one copy: these regions made black, and the transfer syntax to leave in."""

    regions: tuple[Region, ...]
    transfer_syntax_uid: str


def is_compressed(transfer_syntax_uid: str) -> bool:
    """Whether it is one of those whose pixel data is compressed frames (PS3.5 A.4)."""
    if transfer_syntax_uid in _REFERENCED:
        return False
    return transfer_syntax_uid == RLE or transfer_syntax_uid.startswith(_JPEG_FAMILY)


def has_overlay_in_pixels(header: Readable) -> bool:
    """Whether an overlay lies in bits of the pixels that no pixel value uses (PS3.5 8.1.2, as older devices do)."""
    return any(header.values(bits) not in (None, (), ("0",)) for bits in _OVERLAY_BITS)


def leaves_as(transfer_syntax_uid: str, wanted: str | None, *, has_pixels: bool) -> str:
    """The transfer syntax of the copy of an instance kept in this one, of which `wanted` is asked for, if any.

    EditHeldError where the pixels cannot be worked on in what it is kept in.
    """
    if transfer_syntax_uid not in UNCOMPRESSED and not is_compressed(transfer_syntax_uid):
        raise EditHeldError("the pixels cannot be worked on in the transfer syntax the instance is kept in")
    if wanted is None:
        return EXPLICIT_LITTLE_UID if is_compressed(transfer_syntax_uid) else transfer_syntax_uid
    return wanted if has_pixels or not is_compressed(wanted) else EXPLICIT_LITTLE_UID
