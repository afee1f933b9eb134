"""The search of what leaves for what came: nothing that identified a patient may stand in it. It mends nothing.

It reads the edited bytes anew and knows nothing of how they were edited. What it finds, it names by its place only.
"""

import re
from collections.abc import Iterator

from pydicom.datadict import keyword_for_tag

from rules.anonymising.identifiers import Identifiers, identifiers, kept_by
from rules.anonymising.pseudonyms import STANDARD_ROOT
from rules.attribute import SPECIFIC_CHARACTER_SET
from rules.charset import Charset, charset, defined
from rules.header import Header
from rules.level import Level
from rules.profiles import Profile

_WORDS = re.compile(r"[^\W_]+")
_DIGITS = re.compile(r"\d{8}")
_YEAR_FIRST = re.compile(r"(?<!\d)(\d{4})[-./ ](\d{1,2})[-./ ](\d{1,2})(?!\d)")
_YEAR_LAST = re.compile(r"(?<!\d)(\d{1,2})[-./ ](\d{1,2})[-./ ](\d{4})(?!\d)")
_DATE_VRS = frozenset({"DA", "DT"})
_NUMBERS = frozenset({"AT", "FD", "FL", "SL", "SS", "SV", "UL", "US", "UV", "OD", "OF", "OL", "OV"})
_OPAQUE = frozenset({"OB", "OW", "UN"})
_SHORTEST_IN_NUMBERS = 6  # an identifier that a measured number, or a run of bytes, hardly is by chance
_SHORTEST_UID = 6  # what is shorter is a part of any other; as a whole value it is still itself
_NAMES_IN_A_TERM = 2
_DUMMY_DATE = "19000101"


class Egress:
    """Looks for the identity of one header in another."""

    def __init__(self, before: Header, profile: Profile, declared: Charset) -> None:
        """What the options of `profile` keep is no secret. `declared` is how the text leaves, however it came."""
        self._before = before
        self._profile = profile
        self._known = identifiers(before.top, kept_by(profile.options), declared)
        self._uids = frozenset() if "uids" in profile.options else _secret_uids(self._known)
        self._long_uids = frozenset(uid for uid in self._uids if len(uid) >= _SHORTEST_UID)
        self._dates = frozenset() if "full-dates" in profile.options else frozenset(self._known.dates)
        texts = (each for each in (*self._known.numbers, *self._known.words) if len(each) >= _SHORTEST_IN_NUMBERS)
        self._in_bytes = tuple(each.encode() for each in (*texts, *self._long_uids))
        self._whole_bytes = frozenset(uid.encode() for uid in self._uids)

    def findings(self, after: Header) -> list[str]:
        """The attributes of `after` in which something stands that identified `before`, as people call them."""
        found: dict[str, None] = {}
        for level, old in _side_by_side(after.top, self._before.top):
            for tag in level.offsets:
                if self._tells(level, tag, old):
                    keyword = keyword_for_tag(tag)
                    found[f"({tag >> 16:04X},{tag & 0xFFFF:04X})" + (f" {keyword}" if keyword else "")] = None
        return list(found)

    def _tells(self, level: Level, tag: int, old: Level | None) -> bool:
        element = level.element(tag)
        vr = level.vr(element) if element else "UN"
        if vr == "SQ":
            return False
        if tag == SPECIFIC_CHARACTER_SET:
            terms = charset(level.raw(tag) or b"").terms
            return defined(terms) != terms
        if vr in _NUMBERS or vr in _OPAQUE:
            raw = (level.raw(tag) or b"").lower()
            is_whole = vr in _OPAQUE and raw.strip(b"\0 ") in self._whole_bytes
            return is_whole or (len(raw) >= _SHORTEST_IN_NUMBERS and any(each in raw for each in self._in_bytes))
        values = level.text(tag) or ()
        if (vr == "UI" or vr in _DATE_VRS) and self._profile.action(tag, None) == "K":
            return False
        if vr == "UI":
            return not self._uids.isdisjoint(values)
        if vr in _DATE_VRS:
            return self._keeps_date(values, old.text(tag) if old else None)
        return any(self._is_in(value, vr) for value in values)

    def _keeps_date(self, values: tuple[str, ...], before: tuple[str, ...] | None) -> bool:
        """Whether a date stands where it stood. Elsewhere it may be another one that was moved there."""
        if not self._dates or not before:
            return False
        same = set(map(str.strip, values)) & set(map(str.strip, before)) - {""}
        return any(match[0] in self._dates - {_DUMMY_DATE} for match in map(_DIGITS.match, same) if match)

    def _is_in(self, value: str, vr: str) -> bool:
        """Whether a text has any of it. A coded string is a defined term, which a name may be as well, but no two."""
        text = value.lower()
        shortest = _SHORTEST_IN_NUMBERS if vr in {"DS", "IS"} else 0
        if any(len(number) >= shortest and _stands_alone(number, text) for number in self._known.numbers):
            return True
        if len(self._known.words.intersection(_WORDS.findall(text))) >= (_NAMES_IN_A_TERM if vr == "CS" else 1):
            return True
        if self._dates and not self._dates.isdisjoint(_dates_in(text)):
            return True
        if "." not in text:
            return False
        return (vr not in {"DS", "IS"} and text.strip() in self._uids) or any(uid in text for uid in self._long_uids)


def _dates_in(text: str) -> Iterator[str]:
    """The dates in a text as DICOM writes them, in whatever order their parts stand."""
    yield from _DIGITS.findall(text)
    for year, month, day in _YEAR_FIRST.findall(text):
        yield f"{year}{month:0>2}{day:0>2}"
    for one, other, year in _YEAR_LAST.findall(text):
        yield f"{year}{one:0>2}{other:0>2}"
        yield f"{year}{other:0>2}{one:0>2}"


def _stands_alone(number: str, text: str) -> bool:
    """Whether an identifier is in a text, and not only as a part of a longer one."""
    at = text.find(number)
    while at >= 0:
        before, after = text[at - 1 : at], text[at + len(number) : at + len(number) + 1]
        if not (before.isalnum() or after.isalnum()):
            return True
        at = text.find(number, at + 1)
    return False


def _secret_uids(known: Identifiers) -> frozenset[str]:
    """The UIDs that are somebody's instances; those of classes and of devices' software are in no place of a search."""
    return frozenset(uid for uid in known.uids if uid and not uid.startswith(STANDARD_ROOT))


def _side_by_side(level: Level, old: Level | None) -> Iterator[tuple[Level, Level | None]]:
    """Every level with the one that stood in its place before, where there was one."""
    yield level, old
    for tag in level.offsets:
        before = old.children(tag) if old else []
        for number, inner in enumerate(level.children(tag)):
            yield from _side_by_side(inner, before[number] if number < len(before) else None)
