"""The whole story of one instance for people and programs: rules, conditions, changes, copies. It decides nothing.

It holds a patient's values: it is for the person who asks, never for a log.
"""

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

from rules.comparison import Difference, differing_elements
from rules.decision import Change, Decision, Dispatch, Verdict
from rules.errors import RulesError
from rules.evaluation import Ruleset
from rules.facts import Arrival
from rules.header import Header
from rules.nearest import NotChosen, not_chosen
from rules.splicing import edited
from rules.trace import ClauseTrace, RuleTrace, Witness


@dataclass(frozen=True, slots=True)
class CopyTrace:
    """What one destination gets: what its copy has other than the archive's, or why its edits cannot be made."""

    destination: str
    route: str
    changes: tuple[Change, ...]
    failure: str | None
    differences: tuple[Difference, ...] = ()


@dataclass(frozen=True, slots=True)
class Explanation:
    """What was decided and why. `changes` are the archive's, those of a copy come on top.

    `differences` are those between the header as it came and as the archive keeps it; `not_chosen` are the
    destinations that get nothing, though a route names them.
    """

    rules: tuple[RuleTrace, ...]
    changes: tuple[Change, ...]
    dispatches: tuple[Dispatch, ...]
    held: Verdict | None
    rejected: Verdict | None
    copies: tuple[CopyTrace, ...]
    differences: tuple[Difference, ...] = ()
    not_chosen: tuple[NotChosen, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return asdict(self)

    def lines(self) -> Iterator[str]:
        """The story as text, line by line."""
        for rule in self.rules:
            yield f"{rule.kind}: {rule.name} - {rule.outcome}"
            if rule.condition:
                yield from _clause_lines(rule.condition, "    ")
            yield from (f"    {_change(change)}" for change in rule.changes)
            yield from (f"    {note}" for note in rule.notes)
        for verdict, word in ((self.held, "held"), (self.rejected, "rejected")):
            if verdict:
                yield f"{word}{f' by {verdict.rule}' if verdict.rule else ''}: {verdict.reason}"
        if not self.held and not self.rejected:
            yield "the archive keeps it " + ("with these changes:" if self.differences else "as it came")
            yield from _diff(self.differences)
        for dispatch, copy in zip(self.dispatches, self.copies, strict=True):
            quiet = f", when the {dispatch.scope} is quiet for {dispatch.quiet_seconds:g} s"
            yield f"to {copy.destination} by {copy.route}{'' if dispatch.scope == 'instance' else quiet}"
            yield from _diff(copy.differences)
            if copy.failure:
                yield f"    held at delivery: {copy.failure}"
        yield from (f"not to {each}" for each in self.not_chosen)


def explained(ruleset: Ruleset, header: Header, arrival: Arrival) -> Explanation:
    """Every rule, every condition with its actual value, and what changes. It holds a patient's values.

    It is decided as ever, with a witness; then the copies are made.
    """
    witness = Witness()
    decision = ruleset.decide(header, arrival, witness=witness)
    witness.saw_nothing_of(ruleset.settings)
    kept = archived(header, decision)
    copies = tuple(_copy(ruleset, dispatch, kept, arrival) for dispatch in decision.dispatches)
    chosen = frozenset(dispatch.destination for dispatch in decision.dispatches)
    routes = {rule.name: rule.to for rule in ruleset.settings.routes}
    is_kept = decision.held is None and decision.rejected is None
    return Explanation(
        tuple(witness.rules),
        decision.changes,
        decision.dispatches,
        decision.held,
        decision.rejected,
        copies,
        differing_elements(header, kept) if decision.splice else (),
        tuple(not_chosen(witness.rules, routes, chosen)) if is_kept else (),
    )


def archived(header: Header, decision: Decision) -> Header:
    """The header as the archive keeps it, which is what a route's edits start from."""
    if decision.splice is None:
        return header
    return edited(header, decision.splice)


def _copy(ruleset: Ruleset, dispatch: Dispatch, header: Header, arrival: Arrival) -> CopyTrace:
    try:
        prepared = ruleset.prepare(dispatch.route, header, arrival)
    except RulesError as error:
        return CopyTrace(dispatch.destination, dispatch.route, (), str(error))
    found = differing_elements(header, edited(header, prepared.splice)) if prepared.splice else ()
    return CopyTrace(dispatch.destination, dispatch.route, prepared.changes, None, found)


def _clause_lines(clause: ClauseTrace, indent: str) -> Iterator[str]:
    mark = {True: "✓", False: "✗", None: "!"}[clause.holds]
    if clause.parts:
        yield f"{indent}{mark} {clause.text}"
        for part in clause.parts:
            yield from _clause_lines(part, f"{indent}    ")
    else:
        actual = "absent" if clause.actual is None else "is " + "\\".join(clause.actual)
        yield f"{indent}{mark} {clause.text} ({clause.finding or actual})"


def _diff(found: Iterable[Difference]) -> Iterator[str]:
    return (f"    {line}" for each in found for line in each.lines())


def _change(change: Change) -> str:
    old, new = ("(absent)" if each is None else repr(each) for each in (change.old, change.new))
    return f"{change.attribute}: {old} -> {new}"
