"""Original Attributes Sequence (0400,0561), the record of old values (PS3.3 C.12.1.1.9). It makes no edits itself."""

from datetime import datetime

from rules.charset import UnencodableError
from rules.draft import Draft
from rules.encoding import encode_element, encode_item, encode_values
from rules.errors import EditError
from rules.header import Header
from rules.layout import Layout
from rules.level import Level
from rules.overlay import EditedLevel
from rules.reencoding import implicit_element

_ORIGINAL_ATTRIBUTES = 0x04000561
_MODIFIED_ATTRIBUTES = 0x04000550
_MODIFICATION_DATE_TIME = 0x04000562
_MODIFYING_SYSTEM = 0x04000563
_SOURCE_OF_PREVIOUS_VALUES = 0x04000564
_REASON = 0x04000565


def record(draft: Draft, header: Header, at: datetime, system: str) -> None:
    """Add one item with the old values of what the draft has changed in `header`; `at` is aware. EditError.

    What was absent is recorded as empty, a changed sequence as the whole old element. Same input, same bytes.
    """
    tags = [tag for tag in draft.top.changed_tags if tag != _ORIGINAL_ATTRIBUTES]
    if not tags:
        return
    sequence = draft.top.sequence(_ORIGINAL_ATTRIBUTES)
    layout = sequence.layout
    old = encode_item(b"".join(_old_elements(draft.top, header.top, tags, layout)), layout)
    content = [
        encode_element(_MODIFIED_ATTRIBUTES, "SQ", old, layout),
        _text(_MODIFICATION_DATE_TIME, "DT", at.strftime("%Y%m%d%H%M%S.%f%z")[:26], draft.top, layout),
        _text(_MODIFYING_SYSTEM, "LO", system[:64], draft.top, layout),
        encode_element(_SOURCE_OF_PREVIOUS_VALUES, "LO", b"", layout),
        _text(_REASON, "CS", "COERCE", draft.top, layout),
    ]
    sequence.add(b"".join(content))


def _old_elements(edited: EditedLevel, level: Level, tags: list[int], layout: Layout) -> list[bytes]:
    """The old elements as they were encoded, with the private creators they need, in order of their tags."""
    creators = {tag & 0xFFFF0000 | tag >> 8 & 0xFF for tag in tags if tag >> 16 & 1 and tag & 0xFFFF > 0xFF}
    return [_old_element(edited, level, tag, layout, tag in creators) for tag in sorted(creators.union(tags))]


def _old_element(edited: EditedLevel, level: Level, tag: int, layout: Layout, is_creator: bool) -> bytes:
    """One old element; empty if it was absent, but a creator new with the edits is named: its block needs a meaning."""
    element = level.element(tag)
    if element is None:
        values = edited.text(tag) if is_creator else None
        if values:
            return _text(tag, "LO", values[0], edited, layout)
        vr = (level.dictionary_vr(tag) or "UN") if not is_creator else "LO"
        return encode_element(tag, vr, b"", layout)
    if layout is level.layout:
        return level.data[element.start : element.end]
    if layout.implicit and level.layout.little:
        return implicit_element(level, element)
    raise EditError("the old values cannot be recorded in the Original Attributes Sequence this header has")


def _text(tag: int, vr: str, text: str, edited: EditedLevel, layout: Layout) -> bytes:
    """An element with one text value; what the character set cannot hold becomes a question mark."""
    try:
        raw = encode_values([text], vr, little=layout.little, charset=edited.charset)
    except UnencodableError:
        raw = encode_values(
            [text.encode("ascii", "replace").decode()], vr, little=layout.little, charset=edited.charset
        )
    return encode_element(tag, vr, raw, layout)
