"""Values and elements into bytes, checked against their VR (PS3.5 6.2). It reads nothing and knows no header."""

import re
import struct
from collections.abc import Sequence
from datetime import date

from rules.charset import Charset
from rules.decoding import NUMBER_FORMATS, SINGLE_VALUE_VRS, TEXT_VRS
from rules.errors import EditError
from rules.layout import LONG_VRS, SHORT_VRS, Layout

_MOST_CHARACTERS = {"LO": 64, "LT": 10240, "PN": 64, "SH": 16, "ST": 1024}
_FORMS = {
    "AE": re.compile(r"[\x20-\x5b\x5d-\x7e]{0,16}", re.ASCII),
    "AS": re.compile(r"\d{3}[DWMY]", re.ASCII),
    "CS": re.compile(r"[A-Z0-9 _]{0,16}", re.ASCII),
    "DA": re.compile(r"\d{8}", re.ASCII),
    "DS": re.compile(r"(?=.{1,16}$)[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII),
    "DT": re.compile(r"(?=.{1,26}$)\d{4}(\d\d(\d\d(\d\d(\d\d(\d\d(\.\d{1,6})?)?)?)?)?)?([+-]\d{4})?", re.ASCII),
    "IS": re.compile(r"(?=.{1,12}$)[+-]?\d+", re.ASCII),
    "TM": re.compile(r"([01]\d|2[0-3])([0-5]\d([0-5]\d(\.\d{1,6})?|60)?)?", re.ASCII),
    "UI": re.compile(r"(?=.{1,64}$)(0|[1-9]\d*)(\.(0|[1-9]\d*))*", re.ASCII),
    "UR": re.compile(r"[\x21-\x5b\x5d-\x7e]*", re.ASCII),
}
_ALLOWED = {
    "AE": "up to 16 characters of ASCII",
    "AS": "an age such as 045Y",
    "CS": "up to 16 capitals, digits, spaces and underscores",
    "DA": "a date such as 20240131",
    "DS": "a number of up to 16 characters",
    "DT": "a date and time such as 20240131133000",
    "IS": "a whole number of up to 12 characters",
    "TM": "a time such as 133000",
    "UI": "a UID of up to 64 digits and dots",
    "UR": "an address without spaces",
}
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_CONTROL_IN_PARAGRAPHS = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f]")


def encode_values(values: Sequence[str], vr: str, *, little: bool, charset: Charset) -> bytes:
    """The padded bytes of an element's value.

    EditError if the VR does not allow the values, UnencodableError if the character set cannot hold them.
    """
    if not values:
        return b""
    if vr in NUMBER_FORMATS:
        return b"".join(_number(value, vr, little) for value in values)
    if vr not in TEXT_VRS and vr not in _FORMS:
        raise EditError(f"a value of VR {vr} cannot be written as text")
    for value in values:
        _check(value, vr)
    if vr in SINGLE_VALUE_VRS and len(values) > 1:
        raise EditError(f"VR {vr} holds one value only")
    text = "\\".join(values)
    raw = charset.encode(text, name=vr == "PN") if vr in TEXT_VRS else text.encode("ascii")
    return raw + (b"\0" if vr == "UI" else b" ") * (len(raw) & 1)


def _check(value: str, vr: str) -> None:
    """EditError if one value is not what its VR allows; an empty one always is."""
    form = _FORMS.get(vr)
    if not value:
        return
    if form is not None:
        if (
            not form.fullmatch(value)
            or (vr == "DA" and not _is_date(value))
            or (vr == "IS" and not -(2**31) <= int(value) < 2**31)
        ):
            raise EditError(f"the new value is not {_ALLOWED[vr]} (VR {vr})")
        return
    if vr not in SINGLE_VALUE_VRS and "\\" in value:
        raise EditError(f"a value of VR {vr} cannot hold a backslash")
    if (_CONTROL_IN_PARAGRAPHS if vr in SINGLE_VALUE_VRS else _CONTROL).search(value):
        raise EditError("the new value holds control characters")
    groups = value.split("=") if vr == "PN" else [value]
    if vr == "PN" and (len(groups) > 3 or any(group.count("^") > 4 for group in groups)):
        raise EditError("the new value is not a person's name of at most three groups of five components")
    most = _MOST_CHARACTERS.get(vr)
    if most is not None and any(len(group) > most for group in groups):
        raise EditError(f"the new value is longer than the {most} characters VR {vr} allows")


def _is_date(value: str) -> bool:
    """Whether eight digits are a day of the calendar."""
    try:
        date(int(value[:4]), int(value[4:6]), int(value[6:]))
    except ValueError:
        return False
    return True


def _number(value: str, vr: str, little: bool) -> bytes:
    """One binary number, or one tag."""
    order = "<" if little else ">"
    try:
        if vr == "AT":
            digits = value.strip("()").replace(",", "", 1)
            return struct.pack(order + "HH", int(digits[:4], 16), int(digits[4:], 16))
        return struct.pack(order + NUMBER_FORMATS[vr], float(value) if vr in {"FL", "FD"} else int(value))
    except (ValueError, OverflowError, struct.error):
        raise EditError(f"the new value is not a number of VR {vr}") from None


def encode_element(tag: int, vr: str, raw: bytes, layout: Layout) -> bytes:
    """A whole element of defined length; `vr` is what stands in its header. EditError if it is too long for that."""
    group, number = tag >> 16, tag & 0xFFFF
    if layout.implicit:
        return layout.implicit_header.pack(group, number, len(raw)) + raw
    written = vr.encode("ascii")
    if written in LONG_VRS:
        return layout.explicit_header.pack(group, number, written, 0) + layout.long.pack(len(raw)) + raw
    if written not in SHORT_VRS or len(raw) > 0xFFFE:
        raise EditError(f"the new value is longer than an element of VR {vr} can be")
    return layout.explicit_header.pack(group, number, written, len(raw)) + raw


def encode_item(content: bytes, layout: Layout) -> bytes:
    """An item of defined length."""
    return layout.implicit_header.pack(0xFFFE, 0xE000, len(content)) + content
