"""Table E.1-1 of PS3.15 and the types of PS3.3: the action of one attribute under the options chosen."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import Any, Literal

Action = Literal["X", "Z", "D", "K", "C", "U"]  # remove, empty, dummy, keep, clean, replace the UID

OPTIONS = (
    "safe-private",
    "uids",
    "device",
    "institution",
    "patient-characteristics",
    "full-dates",
    "modified-dates",
    "descriptors",
    "structured-content",
    "graphics",
)
_HARSHEST_FIRST: tuple[Action, ...] = ("X", "Z", "D")
_LEAST: Mapping[int, Action] = {1: "D", 2: "Z", 3: "X"}  # what an attribute of a type must be left with
_PRIVATE = "(GGGG,EEEE)"
_UID_REFERENCES = "U*"  # a sequence of references, whose UIDs are replaced
_Combination = tuple[Action, ...]


@dataclass(frozen=True, slots=True)
class Profile:
    """The basic profile with some options: what is done to each attribute that the table lists."""

    options: frozenset[str]
    listed: Mapping[int, _Combination]
    required: Mapping[int, Mapping[str, int]]  # by tag, for each IOD the type (1 or 2) an attribute has in it

    def action(self, tag: int, sop_class_uid: str | None) -> Action | None:
        """What is done to a standard attribute, None for one that is not listed.

        Of several actions (X/Z/D) the first that leaves the object valid, by the attribute's type in the IOD of the SOP
        class; one that must be there is emptied or gets a dummy also where the table says remove. In an item
        (`sop_class_uid` None), or where the type is not known, the last of several.
        """
        combination = self.listed.get(_plane(tag))
        if combination is None:
            return None
        iod = sop_classes().get(sop_class_uid) if sop_class_uid else None
        if iod is None or combination[-1] not in _HARSHEST_FIRST:
            return combination[-1]
        least = _LEAST[self.required.get(tag, {}).get(iod, 3)]
        return max(combination[0], least, key=_HARSHEST_FIRST.index)


@lru_cache(maxsize=64)
def profile(options: frozenset[str]) -> Profile:
    """The basic profile with these options, named as in OPTIONS."""
    listed: dict[int, _Combination] = {}
    for tag, row in _attributes().items():
        chosen = {row[option] for option in options if option in row}
        if "K" in chosen or "C" in chosen:
            listed[tag] = ("K",) if "K" in chosen else ("C",)
        else:
            listed[tag] = _combination(row["basic"])
    return Profile(options, listed, _types()[0])


def editions() -> tuple[str, ...]:
    """The editions of the standard that the table's rows are of."""
    return tuple(_annex_e()["editions"])


@lru_cache(maxsize=1)
def sop_classes() -> Mapping[str, str]:
    """The IOD of each SOP class."""
    return _types()[1]


def _combination(text: str) -> _Combination:
    actions: Iterable[Any] = text.replace(_UID_REFERENCES, "U").split("/")
    return tuple(actions)


@lru_cache(maxsize=1)
def _annex_e() -> Mapping[str, Any]:
    found: Mapping[str, Any] = _read("annex-e.json")
    return found


@lru_cache(maxsize=1)
def _attributes() -> Mapping[int, Mapping[str, str]]:
    """The rows by tag; those of repeating groups by the tag of the first group."""
    rows = _annex_e()["attributes"]
    return {_tag(name): row for name, row in rows.items() if name != _PRIVATE}


@lru_cache(maxsize=1)
def _types() -> tuple[Mapping[int, Mapping[str, int]], Mapping[str, str]]:
    found = _read("types.json")
    required = {
        _tag(name): {iod: int(kind) for kind in sorted(kinds, reverse=True) for iod in kinds[kind]}
        for name, kinds in found["attributes"].items()
    }
    return required, found["sop_classes"]


def _tag(name: str) -> int:
    return _plane(int(name.strip("()").replace(",", "").replace("X", "0"), 16))


def _plane(tag: int) -> int:
    """The tag in the first of repeating groups; curves have one row for all their elements."""
    group = tag >> 16
    if group & 0xFF00 == 0x5000:
        return 0x50000000
    return 0x60000000 | tag & 0xFFFF if group & 0xFF00 == 0x6000 else tag


def _read(name: str) -> Any:  # noqa: ANN401 - what JSON holds
    """A file of this package."""
    return json.loads(resources.files(__package__).joinpath(name).read_text(encoding="utf-8"))
