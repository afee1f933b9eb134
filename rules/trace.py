"""Why a decision is what it is: every rule, every condition with its actual value. It decides nothing itself.

What stands here holds a patient's values: it is for the person who asks, never for a log.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from rules.clause import ALL_OF, NOT, Clause
from rules.decision import Change
from rules.errors import RulesError
from rules.schema import RouteRule, RulesSettings
from rules.subject import Reading

Kind = Literal["normalise", "route"]
Outcome = Literal["matched", "not matched", "failed", "disabled", "not reached"]


@dataclass(frozen=True, slots=True)
class ClauseTrace:
    """A condition or a part of one. `actual` are the values it looked at, None if absent; `holds` None if it failed.

    `finding` says in words what one that looks at no single value has found.
    `subject` is the name of what it looked at, None for what only has parts.
    """

    text: str
    actual: tuple[str, ...] | None
    holds: bool | None
    parts: tuple["ClauseTrace", ...]
    finding: str | None = None
    subject: str | None = None

    @property
    def needs_all(self) -> bool:
        """Whether all of its parts must hold, not only one."""
        return self.text == ALL_OF

    @property
    def is_negation(self) -> bool:
        """Whether its part must not hold."""
        return self.text == NOT


@dataclass(frozen=True, slots=True)
class RuleTrace:
    """What one rule did: its condition (None: for every instance), its changes or its destinations, and remarks."""

    kind: Kind
    name: str
    outcome: Outcome
    condition: ClauseTrace | None
    changes: tuple[Change, ...] = ()
    to: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(slots=True)
class Witness:
    """Notes what the evaluation does, rule by rule."""

    rules: list[RuleTrace] = field(default_factory=list)

    def saw(
        self,
        kind: Kind,
        name: str,
        outcome: Outcome,
        looked_at: tuple[Clause, Reading] | None = None,
        *,
        changes: Sequence[Change] = (),
        to: Sequence[str] = (),
        notes: Sequence[str] = (),
    ) -> None:
        """One rule was evaluated, or passed over."""
        condition = trace_clause(*looked_at) if looked_at else None
        self.rules.append(RuleTrace(kind, name, outcome, condition, tuple(changes), tuple(to), tuple(notes)))

    def saw_nothing_of(self, settings: RulesSettings) -> None:
        """The rules that were not come to: after one that stopped or held the instance."""
        seen = {rule.name for rule in self.rules}
        for rule in settings.rules:
            if rule.name not in seen:
                self.saw("route" if isinstance(rule, RouteRule) else "normalise", rule.name, "not reached")


def trace_clause(clause: Clause, reading: Reading) -> ClauseTrace:
    """A condition with the actual values, evaluated in every part, also where one part settled the whole."""
    parts = tuple(trace_clause(part, reading) for part in clause.parts)
    name = clause.subject.name if clause.subject else None
    try:
        actual = reading.values(clause.subject) if clause.subject else None
        finding = clause.finding(reading) if clause.finding else None
        return ClauseTrace(clause.text, actual, clause.holds(reading), parts, finding, name)
    except RulesError as error:
        return ClauseTrace(f"{clause.text} ({error})", None, None, parts, None, name)
