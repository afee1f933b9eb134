"""The attributes that say a data set was de-identified and how (PS3.3 C.7.1.1, C.12.1.1; codes of PS3.16 CID 7050)."""

from rules.encoding import encode_element
from rules.overlay import EditedLevel, Replacement
from rules.profiles import editions

_REMOVED = 0x00120062
_METHOD = 0x00120063
_METHOD_CODES = 0x00120064
_TIMES_MODIFIED = 0x00280303
_CODE_VALUE, _SCHEME, _MEANING = 0x00080100, 0x00080102, 0x00080104
_CODES = {
    "basic": ("113100", "Basic Application Confidentiality Profile"),
    "pixels": ("113101", "Clean Pixel Data Option"),
    "graphics": ("113103", "Clean Graphics Option"),
    "structured-content": ("113104", "Clean Structured Content Option"),
    "descriptors": ("113105", "Clean Descriptors Option"),
    "full-dates": ("113106", "Retain Longitudinal Temporal Information Full Dates Option"),
    "modified-dates": ("113107", "Retain Longitudinal Temporal Information Modified Dates Option"),
    "patient-characteristics": ("113108", "Retain Patient Characteristics Option"),
    "device": ("113109", "Retain Device Identity Option"),
    "uids": ("113110", "Retain UIDs Option"),
    "safe-private": ("113111", "Retain Safe Private Option"),
    "institution": ("113112", "Retain Institution Identity Option"),
}


def mark(top: EditedLevel, options: frozenset[str]) -> None:
    """Say in the data set what was done; earlier marks give way, as it has been done over them."""
    chosen = [name for name in _CODES if name == "basic" or name in options]
    _put(top, _REMOVED, "CS", ("YES",))
    method = ("micropacs", f"PS3.15 Annex E {editions()[0]} Basic Profile", *(f"option {each}" for each in chosen[1:]))
    _put(top, _METHOD, "LO", method)
    times = "UNMODIFIED" if "full-dates" in options else "MODIFIED" if "modified-dates" in options else "REMOVED"
    _put(top, _TIMES_MODIFIED, "CS", (times,))
    top.put(_METHOD_CODES, None)
    sequence = top.sequence(_METHOD_CODES)
    for name in chosen:
        code, meaning = _CODES[name]
        texts = ((_CODE_VALUE, "SH", code), (_SCHEME, "SH", "DCM"), (_MEANING, "LO", meaning[:64]))
        sequence.add(b"".join(encode_element(tag, vr, _padded(text), sequence.layout) for tag, vr, text in texts))


def _put(top: EditedLevel, tag: int, vr: str, values: tuple[str, ...]) -> None:
    top.put(tag, Replacement(top.put_vr(tag) if tag in top.level.offsets else vr, vr, values))


def _padded(text: str) -> bytes:
    return text.encode("ascii") + b" " * (len(text) & 1)
