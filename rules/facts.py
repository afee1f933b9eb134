"""What a rule may look at: the header and the facts of the arrival. Values only, nothing is read here."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from rules.attribute import Attribute

ARRIVAL_FACTS = frozenset({"source", "calling_ae", "called_ae", "host", "time", "weekday"})


class Readable(Protocol):
    """Something that attributes can be read from: a scanned header, a draft, the `given` of a test."""

    def values(self, attribute: Attribute) -> tuple[str, ...] | None:
        """The attribute's values as text, without padding; `()` if it is there but empty, None if it is absent."""
        ...


@dataclass(frozen=True, slots=True)
class FiledSeries:
    """A series of images with a place, by one of them; `modality` is "*" where it stands for any."""

    modality: str
    frame_of_reference_uid: str


@dataclass(frozen=True, slots=True)
class Arrival:
    """Where an instance came from and when.

    `source` is the configured name, None for an unknown source that was accepted; `at` is aware, in the site's time
    zone. `filed_series` are those of its study that were filed before, if a rule asks for them.
    """

    source: str | None
    calling_ae: str
    called_ae: str
    host: str
    at: datetime
    filed_series: tuple[FiledSeries, ...] = ()


@dataclass(frozen=True, slots=True)
class Facts:
    """One instance as the rules see it."""

    header: Readable
    arrival: Arrival


Condition = Callable[[Facts], bool]
