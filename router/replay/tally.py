"""What a replay has seen, in sum and study by study; two of them can be made one. It compares nothing itself."""

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

K = TypeVar("K")

Pair = tuple[str | None, str | None]


class Kind(StrEnum):
    """What keeps an instance from going its way, or is told of one that goes."""

    HELD = "held"
    REJECTED = "rejected"
    REFUSED = "refused"
    NOT_SENT = "not sent"  # the copy for one destination cannot be made
    WARNED = "warned"


@dataclass(frozen=True, slots=True, order=True)
class Deed:
    """Such a thing with its rule and reason; `destination` is "" unless only its copy is meant."""

    kind: Kind
    destination: str
    rule: str
    reason: str


@dataclass(slots=True)
class Seen:
    """How often something was seen, in which studies, and the first few pairs of what it was and would be."""

    instances: int = 0
    studies: set[str] = field(default_factory=set)
    pairs: dict[Pair, int] = field(default_factory=dict)

    def add(self, study: str, pair: Pair | None, most: int) -> None:
        """It was seen once more; at most so many pairs are kept."""
        self.instances += 1
        self.studies.add(study)
        if pair is not None:
            self._count(pair, 1, most)

    def merge(self, other: "Seen", most: int) -> None:
        """What was seen elsewhere was seen as well."""
        self.instances += other.instances
        self.studies |= other.studies
        for pair, count in other.pairs.items():
            self._count(pair, count, most)

    def _count(self, pair: Pair, count: int, most: int) -> None:
        if pair in self.pairs or len(self.pairs) < most:
            self.pairs[pair] = self.pairs.get(pair, 0) + count


@dataclass(slots=True)
class Sent:
    """How many instances of a study one destination gets: in force, with the new rules, and what is new or gone."""

    before: int = 0
    after: int = 0
    gained: int = 0
    lost: int = 0


@dataclass(slots=True)
class StudyTally:
    """One study: its instances replayed, those that differ in anything, and where they go."""

    instances: int = 0
    differing: int = 0
    headers: int = 0
    gained: int = 0  # holds, rejections and the like; not warnings
    lost: int = 0
    to: dict[str, Sent] = field(default_factory=dict)

    def merge(self, other: "StudyTally") -> None:
        """What was seen of it elsewhere was seen as well."""
        for name in ("instances", "differing", "headers", "gained", "lost"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for destination, its in other.to.items():
            mine = self.to.setdefault(destination, Sent())
            for name in ("before", "after", "gained", "lost"):
                setattr(mine, name, getattr(mine, name) + getattr(its, name))


@dataclass(frozen=True, slots=True)
class Unread:
    """A past arrival that could not be replayed, and why."""

    arrival: str
    study: str
    file: Path
    reason: str


@dataclass(slots=True)
class Tally:
    """All that was seen. `headers` is by where (a destination, or "" for the archive) and attribute.

    `timing` is by destination, its pairs are how it is sent in force and with the new rules.
    """

    most: int
    instances: int = 0
    in_hold: int = 0
    refused_by_both: int = 0
    studies: dict[str, StudyTally] = field(default_factory=dict)
    headers: dict[tuple[str, str], Seen] = field(default_factory=dict)
    timing: dict[str, Seen] = field(default_factory=dict)
    gained: dict[Deed, Seen] = field(default_factory=dict)
    lost: dict[Deed, Seen] = field(default_factory=dict)
    unread: list[Unread] = field(default_factory=list)

    @property
    def is_same(self) -> bool:
        """Nothing differs in what could be replayed."""
        return not any(study.differing for study in self.studies.values())

    def merge(self, other: "Tally") -> None:
        """Take in what another one has seen of other arrivals."""
        self.instances += other.instances
        self.in_hold += other.in_hold
        self.refused_by_both += other.refused_by_both
        self.unread += other.unread
        for uid, study in other.studies.items():
            self.studies.setdefault(uid, StudyTally()).merge(study)
        _merge(self.headers, other.headers, self.most)
        _merge(self.timing, other.timing, self.most)
        _merge(self.gained, other.gained, self.most)
        _merge(self.lost, other.lost, self.most)


def _merge(mine: dict[K, Seen], its: dict[K, Seen], most: int) -> None:
    for key, seen in its.items():
        mine.setdefault(key, Seen()).merge(seen, most)
