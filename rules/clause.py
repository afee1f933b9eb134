"""A compiled condition: one predicate, and the tree of its parts for who asks why. It knows no YAML."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rules.facts import Facts
from rules.operators import Holds
from rules.subject import Reading, Subject

Loc = tuple[int | str, ...]
ALL_OF, ANY_OF, NOT = "all of", "any of", "not"


@dataclass(frozen=True, slots=True)
class Clause:
    """A condition or a part of one: what it says, what it looks at, whether it holds.

    Where it has a `subject`, whether it holds follows from that one's values alone.
    `operator` is `all`, `any` or `not` where it has parts, else what is asked of the subject, with these `operands`.
    `finding` tells in words what one that looks at more than a single value has found; None if there was nothing.
    """

    text: str
    holds: Holds
    subject: Subject | None = None
    parts: tuple["Clause", ...] = ()
    source_names: tuple[tuple[Loc, str], ...] = ()
    operator: str = ""
    operands: tuple[str, ...] = ()
    finding: Callable[[Reading], str | None] | None = None
    asks_for_filed_series: bool = False

    def __call__(self, facts: Facts) -> bool:
        """Whether it holds for one instance."""
        return self.holds(Reading(facts))

    def sources(self) -> tuple[tuple[Loc, str], ...]:
        """The source names it asks for, here and in its parts, each with its place in the condition."""
        return self.source_names + tuple(found for part in self.parts for found in part.sources())

    def leaves(self) -> "tuple[Clause, ...]":
        """The parts that ask something of a subject, itself if it has no parts."""
        return tuple(found for part in self.parts for found in part.leaves()) if self.parts else (self,)

    def subjects(self) -> tuple[Subject, ...]:
        """Everything it looks at, here and in its parts."""
        return tuple(leaf.subject for leaf in self.leaves() if leaf.subject is not None)


def all_of(parts: Sequence[Clause]) -> Clause:
    """Every part holds."""
    if len(parts) == 1:
        return parts[0]
    tests = tuple(part.holds for part in parts)

    def holds(reading: Reading) -> bool:
        for test in tests:  # noqa: SIM110 - a generator costs as much as the tests themselves
            if not test(reading):
                return False
        return True

    return Clause(ALL_OF, holds, parts=tuple(parts), operator="all")


def any_of(parts: Sequence[Clause]) -> Clause:
    """At least one part holds."""
    if len(parts) == 1:
        return parts[0]
    tests = tuple(part.holds for part in parts)

    def holds(reading: Reading) -> bool:
        for test in tests:  # noqa: SIM110 - as above
            if test(reading):
                return True
        return False

    return Clause(ANY_OF, holds, parts=tuple(parts), operator="any")


def negated(part: Clause) -> Clause:
    """The part does not hold."""
    test = part.holds
    return Clause(NOT, lambda reading: not test(reading), parts=(part,), operator="not")
