"""The name of an attribute: keyword, tag, private tag or path into sequences. It reads and writes no data set."""

import difflib
import re
from dataclasses import dataclass
from functools import cached_property, lru_cache

from pydicom.datadict import dictionary_VM, dictionary_VR, keyword_dict, private_dictionary_VR

from rules.errors import AttributeNameError

SPECIFIC_CHARACTER_SET = 0x00080005
TRANSFER_SYNTAX_UID = 0x00020010
PIXEL_TAGS = frozenset({0x7FE00008, 0x7FE00009, 0x7FE00010})

_TAG = re.compile(r"\(\s*([0-9A-Fa-f]{4})\s*,\s*([0-9A-Fa-f]{4})\s*\)")
_PRIVATE = re.compile(r"\(\s*([0-9A-Fa-f]{4})\s*,\s*[xX]{2}([0-9A-Fa-f]{2})\s+(\S[^\\]*?)\s*\)(?=[.\[]|$)")
_BLOCK_AND_CREATOR = re.compile(r"\(\s*([0-9A-Fa-f]{4})\s*,\s*[0-9A-Fa-f]{2}([0-9A-Fa-f]{2})\s+(\S.*?)\s*\)")
_KEYWORD = re.compile(r"[A-Za-z][A-Za-z0-9]*")
_ITEM = re.compile(r"\[(\d{1,6})\]")
_SEPARATOR = re.compile(r"\.")
_KEYWORDS = {keyword: int(tag) for keyword, tag in keyword_dict.items() if keyword}
_LOWERED = {keyword.lower(): keyword for keyword in _KEYWORDS}


@dataclass(frozen=True, slots=True)
class Private:
    """A private attribute by its creator (PS3.5 7.8): its block is looked up in the data set, the low byte is fixed."""

    group: int
    element_low_byte: int
    creator: str


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a path: a tag (group << 16 | element) or a private attribute, and the item if one is named."""

    tag: int | None
    private: Private | None
    item: int | None


@dataclass(frozen=True)
class Attribute:
    """An attribute as a rule names it: `name` as written, `steps` from the outermost data set inwards (one or more)."""

    name: str
    steps: tuple[Step, ...]

    @staticmethod
    def parse(name: str) -> "Attribute":
        """Read a name; an unknown keyword or a malformed tag or path raises AttributeNameError."""
        return _parse(name)

    @cached_property
    def tag(self) -> int | None:
        """The tag of an attribute of the outermost data set that is named by its tag alone; None for any other name."""
        step = self.steps[0]
        return step.tag if len(self.steps) == 1 and step.item is None else None

    @cached_property
    def vr(self) -> str | None:
        """The VR the dictionary gives the last step ("US or SS" as it stands there); None if it knows none."""
        return step_vr(self.steps[-1])

    @cached_property
    def maximum_values(self) -> int | None:
        """How many values the dictionary allows (PS3.6 VM); None without a limit or an entry."""
        tag = self.steps[-1].tag
        if tag is None:
            return None
        try:
            most = dictionary_VM(tag).rpartition("-")[2]
        except KeyError:
            return None
        return int(most) if most.isdecimal() else None

    @cached_property
    def unwritable_reason(self) -> str | None:
        """Why no edit may change this attribute, None if one may."""
        first, last = self.steps[0], self.steps[-1]
        if last.item is not None:
            return "an item as a whole cannot be edited"
        if first.tag is not None and first.tag >> 16 < 0x0008:
            return "it is not part of the data set"
        if first.tag is not None and first.tag >= min(PIXEL_TAGS):
            return "the pixel data and what follows it cannot be edited"
        if last.tag is not None and last.tag & 0xFFFF == 0:
            return "group lengths are computed"
        return None

    def __str__(self) -> str:
        """The name as written."""
        return self.name


def step_vr(step: Step) -> str | None:
    """The VR the dictionary gives one step, None if it knows none."""
    if step.private is not None:
        block = step.private.group << 16 | 0x1000 | step.private.element_low_byte
        try:
            return private_dictionary_VR(block, step.private.creator)
        except KeyError:
            return None
    return tag_vr(step.tag) if step.tag is not None else None


@lru_cache(maxsize=8192)
def tag_vr(tag: int) -> str | None:
    """The VR the dictionary gives a tag; LO for private creators, UL for group lengths, None if it knows none."""
    element = tag & 0xFFFF
    if element == 0:
        return "UL"
    if tag >> 16 & 1:
        return "LO" if 0x10 <= element <= 0xFF else None
    try:
        return dictionary_VR(tag)
    except KeyError:
        return None


@lru_cache(maxsize=4096)
def _parse(name: str) -> Attribute:
    """Read steps until the name ends."""
    steps: list[Step] = []
    position = 0
    while True:
        step, position = _step(name, position)
        steps.append(step)
        if position == len(name):
            return Attribute(name, tuple(steps))
        if not _SEPARATOR.match(name, position):
            raise AttributeNameError(name)
        position += 1


def _step(name: str, position: int) -> tuple[Step, int]:
    """One step from `position`, and where it ends."""
    tag: int | None = None
    private: Private | None = None
    if match := _PRIVATE.match(name, position):
        private = Private(int(match[1], 16), int(match[2], 16), match[3])
        if not private.group & 1:
            raise AttributeNameError(name)
    elif match := _TAG.match(name, position):
        tag = int(match[1] + match[2], 16)
    elif match := _KEYWORD.match(name, position):
        tag = _KEYWORDS.get(match[0])
        if tag is None:
            closest = suggestion(match[0])
            raise AttributeNameError(name, closest and name[:position] + closest + name[match.end() :])
    else:
        raise AttributeNameError(name, _with_creator(name))
    position = match.end()
    item = _ITEM.match(name, position)
    return Step(tag, private, int(item[1]) if item else None), item.end() if item else position


def _with_creator(name: str) -> str | None:
    """The name a private tag with its creator was probably meant to be, where it was written with its block."""
    match = _BLOCK_AND_CREATOR.fullmatch(name)
    return f"({match[1]},xx{match[2]} {match[3]})" if match else None


def suggestion(keyword: str) -> str | None:
    """The DICOM keyword closest to a mistyped one, None if none is close."""
    if exact := _LOWERED.get(keyword.lower()):
        return exact
    close = difflib.get_close_matches(keyword.lower(), _LOWERED, n=1, cutoff=0.75)
    return _LOWERED[close[0]] if close else None
