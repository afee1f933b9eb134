"""What differs between two outcomes of one arrival: destinations, times, headers, and what keeps it. Counts nothing."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from router.replay.side import Outcome, Side
from router.replay.tally import Deed, Kind, Pair
from rules import Difference, Dispatch, Header, Verdict, differences, spliced

ARCHIVE = ""  # where a header differs, if it is not in the copy for a destination


@dataclass(slots=True)
class Found:
    """What differs for one arrival; `to` has every destination, and whether it gets it in force and by the new rules.

    `headers` are by where; `gained` and `lost` are what keeps it from going its way.
    """

    to: dict[str, tuple[bool, bool]] = field(default_factory=dict)
    timing: dict[str, Pair] = field(default_factory=dict)
    headers: dict[str, list[Difference]] = field(default_factory=dict)
    gained: set[Deed] = field(default_factory=set)
    lost: set[Deed] = field(default_factory=set)

    @property
    def is_any(self) -> bool:
        """Whether anything differs."""
        differs = any(before != after for before, after in self.to.values())
        return bool(differs or self.timing or self.headers or self.gained or self.lost)


@dataclass(frozen=True, slots=True)
class _Filed:
    """One side's outcome as far as copies go: the header that the archive keeps, and where it is sent.

    `header` is None, and nothing is sent, where it is not filed.
    """

    side: Side
    outcome: Outcome
    header: Header | None
    dispatches: Mapping[str, Dispatch]
    deeds: set[Deed]

    def copy(self, destination: str) -> Header | None:
        """The header of the copy for a destination; None, and a deed, if it cannot be made."""
        if self.header is None:
            return None
        route = self.dispatches[destination].route
        made = self.side.copy(route, self.header, self.outcome.arrival)
        if isinstance(made, Verdict):
            self.deeds.add(Deed(Kind.NOT_SENT, destination, route, made.reason))
            return None
        return spliced(self.header, made.splice)

    def edits(self, destination: str) -> bool:
        """Whether its copy is edited at all."""
        return self.side.ruleset.edits(self.dispatches[destination].route)


class Differing:
    """Two sides whose outcomes are held against each other."""

    def __init__(self, old: Side, new: Side) -> None:
        self._old, self._new = old, new
        self._alike: dict[tuple[str, str], bool] = {}

    def find(self, header: Header | None, old: Outcome, new: Outcome) -> Found:
        """What differs; `header` is that of the arrival, None if it cannot be read."""
        found = Found()
        was = _filed(self._old, header, old)
        is_kept_alike = bool(old.decision and new.decision and old.decision.splice == new.decision.splice)
        will_be = _filed(self._new, header, new, was.header if is_kept_alike else None)
        if was.header and will_be.header and not is_kept_alike:
            _add(found, ARCHIVE, was.header, will_be.header)
        for destination in {**was.dispatches, **will_be.dispatches}:
            found.to[destination] = destination in was.dispatches, destination in will_be.dispatches
            if found.to[destination] == (True, True):
                self._compare(found, destination, was, will_be, is_kept_alike=is_kept_alike)
            elif found.to[destination][1] and will_be.edits(destination):
                will_be.copy(destination)  # would it come to anything?
        found.gained, found.lost = will_be.deeds - was.deeds, was.deeds - will_be.deeds
        return found

    def _compare(self, found: Found, destination: str, was: _Filed, will_be: _Filed, *, is_kept_alike: bool) -> None:
        """How the copies for one destination differ, and when they are sent."""
        before, after = was.dispatches[destination], will_be.dispatches[destination]
        if (pair := (_timing(before), _timing(after))) and pair[0] != pair[1]:
            found.timing[destination] = pair
        is_alike = self._copies_alike(before.route, after.route)
        if is_alike and is_kept_alike and was.outcome.arrival == will_be.outcome.arrival:
            return
        if not was.edits(destination) and not will_be.edits(destination):
            return  # both are as the archive keeps them
        old, new = was.copy(destination), will_be.copy(destination)
        if old and new:
            _add(found, destination, old, new)

    def _copies_alike(self, route: str, its_route: str) -> bool:
        key = route, its_route
        if key not in self._alike:
            self._alike[key] = self._old.ruleset.copy_basis(route) == self._new.ruleset.copy_basis(its_route)
        return self._alike[key]


def _filed(side: Side, header: Header | None, outcome: Outcome, kept: Header | None = None) -> _Filed:
    """The side's outcome with the header that the archive keeps, where that is known already as `kept`."""
    deeds = set(_deeds(outcome))
    if outcome.decision is None or header is None:
        return _Filed(side, outcome, None, {}, deeds)
    dispatches = {each.destination: each for each in outcome.decision.dispatches}
    return _Filed(side, outcome, kept or spliced(header, outcome.decision.splice), dispatches, deeds)


def _add(found: Found, where: str, old: Header, new: Header) -> None:
    listed = differences(old, new)
    if listed:
        found.headers[where] = listed


def _deeds(outcome: Outcome) -> Iterator[Deed]:
    kinds = ((Kind.HELD, outcome.held), (Kind.REJECTED, outcome.rejected), (Kind.REFUSED, outcome.refused))
    for kind, verdict in kinds:
        if verdict is not None:
            yield Deed(kind, "", verdict.rule or "", verdict.reason)
    for verdict in outcome.decision.warnings if outcome.decision else ():
        yield Deed(Kind.WARNED, "", verdict.rule or "", verdict.reason)


def _timing(dispatch: Dispatch) -> str:
    """When and how urgently it is sent, as the configuration says it."""
    at = "at once" if dispatch.scope == "instance" else f"{dispatch.scope} quiet {dispatch.quiet_seconds:g}s"
    late = "" if dispatch.late == "send" else f", late: {dispatch.late}"
    return f"{at}, priority {dispatch.priority.name.lower()}{late}"
