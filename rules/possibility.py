"""Whether conditions can hold together for any instance at all. A no is certain, a yes is not; it decides no rule.

A condition is taken apart into the ways in which it can hold, each a list of tests that all must come out as said;
a way is impossible where the tests of one attribute are. An attribute that holds one value by the standard (PS3.6 VM)
is taken to hold no more.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta

from rules.clause import Clause
from rules.facts import Facts
from rules.operators import equal, is_pattern, present
from rules.subject import Reading, Subject
from rules.texts import NO_HEADER, NOBODY, holds_for, some_text
from rules.values import parse_window

Test = tuple[Clause, bool]  # a clause without parts, and whether it must hold
Way = tuple[Test, ...]

_MOST_WAYS = 400
_SENDER_FACTS = frozenset({"source", "calling_ae", "host"})
_ONE_VALUE = frozenset({"LT", "ST", "UT", "UR"})


@dataclass(frozen=True, slots=True)
class Sender:
    """Who may send: a source by name (None: one that is not configured). None for what may be anything."""

    source: str | None
    calling_ae: str | None = None
    host: str | None = None


class _TooManyError(Exception):
    """There are more ways than are worth looking at."""


def possible(wanted: Sequence[tuple[Clause | None, bool]], senders: Sequence[Sender] | None = None) -> bool:
    """Whether there may be an instance for which every condition (None: every instance) holds or not, as said.

    `senders` are all who may send; None: anybody.
    """
    try:
        ways: list[Way] = [()]
        for clause, holds in wanted:
            more = list(_ways(clause, holds))
            ways = [way for way in _both(ways, more) if not _impossible(way, senders)]
    except _TooManyError:
        return True
    return bool(ways)


def needs(clause: Clause, keyword: str, senders: Sequence[Sender] | None = None) -> bool:
    """Whether a condition may hold, but never where this attribute is absent."""
    subject = Subject.named(keyword)
    absent = Clause(f"{keyword}: absent", present(subject, False), subject, operator="present", operands=("false",))
    return possible([(clause, True)], senders) and not possible([(clause, True), (absent, True)], senders)


def contradicted(clause: Clause, senders: Sequence[Sender] | None = None) -> tuple[str, ...]:
    """What in a condition excludes each other, as it is written, in the first way it could hold; () if it may hold."""
    try:
        found = [_impossible(way, senders) for way in _ways(clause, True)]
    except _TooManyError:
        return ()
    return tuple(_said(test) for test in found[0]) if all(found) else ()


def _said(test: Test) -> str:
    clause, wanted = test
    return clause.text if wanted else f"not {clause.text}"


def _ways(clause: Clause | None, holds: bool) -> list[Way]:
    """The ways in which a condition can come out so. _TooManyError."""
    if clause is None:
        return [()] if holds else []
    if clause.operator == "not":
        return _ways(clause.parts[0], not holds)
    if clause.operator not in {"all", "any"}:
        return _split(clause, holds)
    if (clause.operator == "any") is holds:
        return _few(way for part in clause.parts for way in _ways(part, holds))
    ways: list[Way] = [()]
    for part in clause.parts:
        ways = _both(ways, _ways(part, holds))
    return ways


def _both(some: Sequence[Way], others: Sequence[Way]) -> list[Way]:
    return _few(one + other for one in some for other in others)


def _few(ways: Iterator[Way]) -> list[Way]:
    found: list[Way] = []
    for way in ways:
        found.append(way)
        if len(found) > _MOST_WAYS:
            raise _TooManyError
    return found


def _split(clause: Clause, holds: bool) -> list[Way]:
    """A list of texts with wildcards is one test for each of these, and one for those without."""
    subject = clause.subject
    patterns = [text for text in clause.operands if is_pattern(text)]
    if clause.operator != "equal" or subject is None or not patterns or len(clause.operands) == 1:
        return [((clause, holds),)]
    plain = [text for text in clause.operands if not is_pattern(text)]
    groups = [*([plain] if plain else []), *([text] for text in patterns)]
    parts = [replace(clause, holds=equal(subject, group), operands=tuple(group)) for group in groups]
    return [((part, True),) for part in parts] if holds else [tuple((part, False) for part in parts)]


def _impossible(way: Way, senders: Sequence[Sender] | None) -> Way:
    """The tests of this way that cannot all come out as said; () if all may."""
    grouped: dict[object, list[Test]] = {}
    for test in way:
        subject = test[0].subject
        if subject is None:  # it looks at more than one value: nobody can say
            continue
        grouped.setdefault(subject.attribute.steps if subject.attribute else subject.name, []).append(test)
    for tests in grouped.values():
        if not _may_be(tests):
            return tuple(tests)
    asked = {str(name): tests for name, tests in grouped.items() if name in _SENDER_FACTS}
    if not asked or senders is None or any(_may_send(sender, asked) for sender in senders):
        return ()
    return tuple(test for tests in asked.values() for test in tests)


def _may_send(sender: Sender, asked: dict[str, list[Test]]) -> bool:
    """Whether an instance of this sender may have these facts."""
    for name, tests in asked.items():
        fixed = getattr(sender, name)
        if fixed is None and name != "source":
            continue
        if not all(holds_for(clause, fixed) is wanted for clause, wanted in tests):
            return False
    return True


def _may_be(tests: Sequence[Test]) -> bool:
    """Whether one subject may be so that all of its tests come out as said."""
    subject = tests[0][0].subject
    assert subject is not None
    if subject.name in {"time", "weekday"}:
        return any(_all_come_out(tests, moment) for moment in _moments(tests))
    if all(holds_for(clause, None) is wanted for clause, wanted in tests):
        return True
    if any(holds_for(clause, "x") is not wanted for clause, wanted in tests if clause.operator == "present"):
        return False
    positive = [clause for clause, wanted in tests if wanted and clause.operator != "present"]
    negative = [clause for clause, wanted in tests if not wanted and clause.operator != "present"]
    if len(positive) < 2 or _holds_one_value(subject):
        return some_text(subject, positive, negative)
    return all(some_text(subject, [each], negative) for each in positive)  # each value may answer another


def _holds_one_value(subject: Subject) -> bool:
    """Whether there is never more than one text to compare."""
    attribute = subject.attribute
    if attribute is None:
        return True
    *outer, last = attribute.steps
    is_one_place = last.item is None and all(step.item is not None for step in outer)
    return is_one_place and subject.vr != "PN" and (attribute.maximum_values == 1 or subject.vr in _ONE_VALUE)


def _moments(tests: Sequence[Test]) -> Iterator[datetime]:
    """One moment of every stretch of the day, or every day of the week, that the tests tell apart."""
    if tests[0][0].subject.name == "weekday":  # type: ignore[union-attr]
        yield from (NOBODY.at + timedelta(days=day) for day in range(7))
        return
    windows = [parse_window(clause.operands[0]) for clause, _ in tests if clause.operator == "within"]
    for clock in {time(), *(end for window in windows for end in (window.start, window.end))}:
        yield datetime.combine(date(2024, 1, 1), clock, NOBODY.at.tzinfo)


def _all_come_out(tests: Sequence[Test], moment: datetime) -> bool:
    reading = Reading(Facts(NO_HEADER, replace(NOBODY, at=moment)))
    return all(clause.holds(reading) is wanted for clause, wanted in tests)
