"""Whether a data set begins as that of a given instance: the quick answer for nearly all. It never says a false yes."""

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
    if head[4:6] in SHORT_VRS:
        uids, is_explicit = _explicit(_SOP_CLASS, sop_class_uid) + _explicit(_SOP_INSTANCE, sop_instance_uid), True
    elif transfer_syntax_uid == _IMPLICIT_LITTLE_UID:
        uids, is_explicit = _implicit(_SOP_CLASS, sop_class_uid) + _implicit(_SOP_INSTANCE, sop_instance_uid), False
    else:
        return False
    place = head.find(uids)
    return place >= 0 and _is_element(head, place, is_explicit=is_explicit)


def _is_element(head: bytes, place: int, *, is_explicit: bool) -> bool:
    """Whether an element of the top level begins at `place`."""
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


def _explicit(tag: bytes, uid: str) -> bytes:
    value = _padded(uid)
    return tag + b"UI" + len(value).to_bytes(2, "little") + value


def _implicit(tag: bytes, uid: str) -> bytes:
    value = _padded(uid)
    return tag + len(value).to_bytes(4, "little") + value


def _padded(uid: str) -> bytes:
    value = uid.encode("ascii", "replace")
    return value + b"\0" * (len(value) % 2)
