"""Values from bytes: text, and numbers as their decimal text (PS3.5 6.2). It knows no headers."""

import struct
from collections.abc import Callable, Mapping

from rules.charset import Charset

TEXT_VRS = frozenset({"LO", "LT", "PN", "SH", "ST", "UC", "UT"})  # what the Specific Character Set governs
SINGLE_VALUE_VRS = frozenset({"LT", "ST", "UR", "UT"})  # a backslash is a character there
PLAIN_VRS = frozenset({"AE", "AS", "CS", "DA", "DS", "DT", "IS", "TM", "UI", "UR"})
NUMBER_FORMATS = {
    "US": "H",
    "SS": "h",
    "UL": "L",
    "SL": "l",
    "UV": "Q",
    "SV": "q",
    "FL": "f",
    "FD": "d",
    "AT": "HH",
}
_PADDING = "\0 "


def decode(raw: bytes, vr: str, *, little: bool, charset: Charset) -> tuple[str, ...]:
    """The values of an element, `()` if there is nothing but padding.

    What has no text (sequences, bulk data, unknown VRs) is one empty text: there, but not to be read.
    """
    if not raw:
        return ()
    split = SPLITS.get(vr)
    if split is not None:
        return split(charset.decode(raw, name=vr == "PN") if vr in TEXT_VRS else raw.decode("latin_1"))
    if vr in NUMBER_FORMATS:
        return _numbers(raw, vr, little)
    return ("",)


def unpadded(values: tuple[str, ...], vr: str) -> tuple[str, ...]:
    """New values as they will be read: spaces at the end, of PLAIN_VRS also at the beginning, are none of them."""
    if vr in PLAIN_VRS:
        return tuple([value.strip(" ") for value in values])
    return tuple([value.rstrip(" ") for value in values]) if vr in TEXT_VRS else values


def _plain(text: str) -> tuple[str, ...]:
    """The values of a text without padding on either side."""
    text = text.strip(_PADDING)
    if "\\" in text:
        return tuple([value.strip(_PADDING) for value in text.split("\\")])
    return (text,) if text else ()


def _free(text: str) -> tuple[str, ...]:
    """The values of a text without their padding; leading spaces are part of them."""
    text = text.rstrip(_PADDING)
    if "\\" in text:
        return tuple([value.rstrip(_PADDING) for value in text.split("\\")])
    return (text,) if text else ()


def _single(text: str) -> tuple[str, ...]:
    """The one value of a text without its padding."""
    text = text.rstrip(_PADDING)
    return (text,) if text else ()


# How the text of a value is split into values, by VR.
SPLITS: Mapping[str, Callable[[str], tuple[str, ...]]] = (
    dict.fromkeys(PLAIN_VRS, _plain) | dict.fromkeys(TEXT_VRS, _free) | dict.fromkeys(SINGLE_VALUE_VRS, _single)
)


def _numbers(raw: bytes, vr: str, little: bool) -> tuple[str, ...]:
    """Binary numbers as text; tags as (gggg,eeee)."""
    form = NUMBER_FORMATS[vr]
    order = "<" if little else ">"
    count = len(raw) // struct.calcsize(order + form)
    numbers = struct.unpack_from(order + form * count, raw)
    if vr == "AT":
        return tuple(f"({numbers[i]:04X},{numbers[i + 1]:04X})" for i in range(0, len(numbers), 2))
    if vr == "FL":
        return tuple(_decimal(number) for number in numbers)
    return tuple(repr(number) for number in numbers)


def _decimal(number: float) -> str:
    """The shortest decimal that is this 32-bit number."""
    packed = struct.pack("<f", number)
    for digits in range(6, 9):
        text = f"{number:.{digits}g}"
        try:
            if struct.pack("<f", float(text)) == packed:
                return repr(float(text))
        except OverflowError:
            continue  # rounded past the largest
    return repr(float(f"{number:.9g}"))
