"""Whether a data set begins as that of a given instance: the quick answer for nearly all. It never says a false yes."""

from functools import lru_cache
from struct import Struct, error

from rules.layout import SHORT_VRS

_IMPLICIT_LITTLE_UID = "1.2.840.10008.1.2"
_BIG_ENDIAN_AND_DEFLATED = frozenset({"1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99"})
_EXPLICIT = Struct("<4s2sH")
_IMPLICIT = Struct("<4sL")
_SOP_CLASS, _SOP_INSTANCE = b"\x08\0\x16\0", b"\x08\0\x18\0"


def begins_as(head: bytes, transfer_syntax_uid: str, sop_class_uid: str, sop_instance_uid: str) -> bool:
    """True if the first bytes of a data set surely are those of this instance; False says nothing.

    They are if both SOP UIDs stand one behind the other where the walk from element to element comes by.
    """
    if transfer_syntax_uid in _BIG_ENDIAN_AND_DEFLATED:
        return False
    is_explicit = head[4:6] in SHORT_VRS
    if not is_explicit and transfer_syntax_uid != _IMPLICIT_LITTLE_UID:
        return False
    place = head.find(_sop_class(sop_class_uid, is_explicit) + _element(_SOP_INSTANCE, sop_instance_uid, is_explicit))
    position = 0
    try:
        while position < place:
            if is_explicit:
                _, vr, length = _EXPLICIT.unpack_from(head, position)
                if vr not in SHORT_VRS:
                    return False
            else:
                _, length = _IMPLICIT.unpack_from(head, position)
            position += 8 + length
    except error:
        return False
    return position == place


@lru_cache(maxsize=64)
def _sop_class(uid: str, is_explicit: bool) -> bytes:
    """The same for all instances of a series."""
    return _element(_SOP_CLASS, uid, is_explicit)


def _element(tag: bytes, uid: str, is_explicit: bool) -> bytes:
    value = uid.encode("ascii", "replace")
    value += b"\0" * (len(value) % 2)
    begin = _EXPLICIT.pack(tag, b"UI", len(value)) if is_explicit else _IMPLICIT.pack(tag, len(value))
    return begin + value
