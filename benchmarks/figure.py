"""One measured figure beside its peer's, and whether it reaches what was asked. Measures nothing and prints nothing."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from statistics import median


@dataclass(frozen=True, slots=True)
class Bound:
    """What a figure is asked to be: at most `limit`, or at least."""

    limit: float
    at_least: bool = False

    def holds(self, value: float) -> bool:
        """True when `value` is as asked."""
        return value >= self.limit if self.at_least else value <= self.limit

    def __str__(self) -> str:
        return f"{'≥' if self.at_least else '≤'} {self.limit:g}"


def at_most(limit: float) -> Bound:
    """Asked to be no more than `limit`."""
    return Bound(limit)


def at_least(limit: float) -> Bound:
    """Asked to be no less than `limit`."""
    return Bound(limit, at_least=True)


@dataclass(frozen=True, slots=True)
class Figure:
    """A line of the table: `ours` and `peer` in `unit`, and the number that is judged.

    Judged is `ratio` where there is one, else `ours`. Without `reach` the figure only informs. `samples` are the
    measurements behind it by name, in the unit of the figure, in the order of the rounds.
    """

    what: str
    unit: str
    ours: float
    peer: float | None = None
    peer_is: str = ""
    ratio: float | None = None
    reach: Bound | None = None
    beyond: Bound | None = None
    note: str = ""
    samples: dict[str, list[float]] = field(default_factory=dict)

    @property
    def judged(self) -> float:
        """The number the bounds are about."""
        return self.ours if self.ratio is None else self.ratio

    @property
    def verdict(self) -> str:
        """`beyond`, `reached`, `missed`, or "" where nothing was asked."""
        if self.reach is None:
            return ""
        if self.beyond is not None and self.beyond.holds(self.judged):
            return "beyond"
        return "reached" if self.reach.holds(self.judged) else "missed"


def ours_to_peer(
    what: str,
    unit: str,
    ours: Sequence[float],
    peer: Sequence[float],
    peer_is: str,
    reach: Bound | None = None,
    beyond: Bound | None = None,
    note: str = "",
) -> Figure:
    """The median of `ours` against that of `peer`, ratio ours / peer."""
    mine, theirs = median(ours), median(peer)
    samples = {"ours": list(ours), "peer": list(peer)}
    return Figure(what, unit, mine, theirs, peer_is, mine / theirs, reach, beyond, note, samples)


def peer_to_ours(
    what: str,
    unit: str,
    ours: Sequence[float],
    peer: Sequence[float],
    peer_is: str,
    reach: Bound | None = None,
    beyond: Bound | None = None,
    note: str = "",
) -> Figure:
    """As `ours_to_peer`, but the ratio is peer / ours: how many times faster ours is."""
    figure = ours_to_peer(what, unit, ours, peer, peer_is, reach, beyond, note)
    return replace(figure, ratio=median(peer) / median(ours))


def ours_alone(
    what: str,
    unit: str,
    ours: Sequence[float],
    reach: Bound | None = None,
    beyond: Bound | None = None,
    note: str = "",
) -> Figure:
    """The median of `ours`, which is judged as it is."""
    return Figure(what, unit, median(ours), reach=reach, beyond=beyond, note=note, samples={"ours": list(ours)})
