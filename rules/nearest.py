"""Why a destination gets nothing of an instance: which route came nearest, and where it failed. Decides nothing."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from rules.trace import ClauseTrace, RuleTrace

_STOPPED = "not reached"


@dataclass(frozen=True, slots=True)
class NotChosen:
    """A destination that gets no copy, the route to it that came nearest (None: there is none), and why in words."""

    destination: str
    route: str | None
    reason: str

    def __str__(self) -> str:
        """One line."""
        return f"{self.destination}: {self.reason}"


def not_chosen(
    rules: Sequence[RuleTrace], routes: Mapping[str, Sequence[str]], chosen: frozenset[str]
) -> list[NotChosen]:
    """Of `routes`, the destinations by the route's name, those that are not among the chosen, each with its reason."""
    by_name = {rule.name: rule for rule in rules if rule.kind == "route"}
    names = dict.fromkeys(name for destinations in routes.values() for name in destinations)
    return [
        _reason(name, [by_name[route] for route, destinations in routes.items() if name in destinations])
        for name in names
        if name not in chosen
    ]


def _reason(destination: str, rules: Sequence[RuleTrace]) -> NotChosen:
    tried = [rule for rule in rules if rule.condition is not None and rule.outcome == "not matched"]
    if tried:
        nearest = min(tried, key=lambda rule: _failing(rule.condition))
        assert nearest.condition is not None
        told = " and ".join(_told(leaf) for leaf in _leaves(nearest.condition))
        return NotChosen(destination, nearest.name, f"no route matched; nearest: {nearest.name} failed at {told}")
    rule = rules[0]
    if rule.outcome == "disabled":
        return NotChosen(destination, rule.name, f"its route {rule.name} is disabled")
    if rule.outcome == _STOPPED:
        return NotChosen(destination, rule.name, f"its route {rule.name} was not reached")
    return NotChosen(destination, rule.name, f"its route {rule.name} {rule.outcome}")


def _failing(clause: ClauseTrace | None) -> int:
    """How many conditions would have to be otherwise for it to hold."""
    if clause is None or clause.holds:
        return 0
    counts = [_failing(part) for part in clause.parts]
    if not counts or clause.is_negation:
        return 1
    return sum(counts) if clause.needs_all else min(counts)


def _leaves(clause: ClauseTrace) -> Iterator[ClauseTrace]:
    """The conditions that would have to be otherwise, the fewest there are."""
    if clause.holds:
        return
    if not clause.parts or clause.is_negation:
        yield clause
    elif clause.needs_all:
        for part in clause.parts:
            yield from _leaves(part)
    else:
        yield from _leaves(min(clause.parts, key=_failing))


def _told(leaf: ClauseTrace) -> str:
    if leaf.is_negation:
        return f"not ({' and '.join(_told(part) for part in leaf.parts)})"
    if leaf.subject is None or leaf.holds is None:
        return leaf.text
    return f"{leaf.subject} is absent" if leaf.actual is None else f"{leaf.subject} = " + "\\".join(leaf.actual)
