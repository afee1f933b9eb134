"""From a real instance to a test of the configuration: what the rules look at, and what they decide. It runs no file.

What identifies a patient is replaced by something made up: by what the rules decide the same with, where there is that.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import cycle

from pydantic import ValidationError

from rules.attribute import Attribute
from rules.cases import TestCase, parse_given
from rules.decision import Decision
from rules.errors import RulesError
from rules.evaluation import Ruleset
from rules.facts import Arrival
from rules.header import Header
from rules.profiles import profile
from rules.subject import Subject, fact_values, fold
from rules.testing import header_of, run
from rules.trace import ClauseTrace, Witness

Plain = str | list[str]
_MADE_UP = {
    "PN": "MADE^UP",
    "DA": "20000102",
    "TM": "120000",
    "DT": "20000102120000",
    "AS": "050Y",
    "UI": "2.25.1",
}
_SOUGHT = frozenset({"equal", "contains", "starts", "ends", "exactly"})
_DERIVED_FROM = ("PatientID", "IssuerOfPatientID", "StudyInstanceUID")  # what shifts and pseudonyms are made from


@dataclass(frozen=True, slots=True)
class Example:
    """A test as plain data, in the order in which it is written.

    `other` are the attributes whose made-up values the rules do not decide the same with as with the real ones, such as
    the key of a table: the test shows what they decide with those.
    """

    name: str
    given: Mapping[str, Plain]
    expect: Mapping[str, object]
    other: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, object]:
        """The test as it stands under `tests:`."""
        return {"name": self.name, "given": dict(self.given), "expect": dict(self.expect)}


def example(ruleset: Ruleset, header: Header, arrival: Arrival, name: str) -> Example:
    """The test that shows what these rules do with an instance as it arrived; it passes, and names nobody.

    RulesError where no test can show it, since a rule looks at what a test cannot give.
    """
    seen = list(_looked_at(ruleset))
    facts = {each.name: _fact(arrival, each.name) for each in seen if each.attribute is None}
    given: dict[str, Plain] = {"source": arrival.source} if arrival.source else {"calling_ae": arrival.calling_ae}
    given |= {fact: text for fact, text in facts.items() if text is not None}
    attributes = [each for each in seen if each.attribute is not None and not each.is_opaque]
    for subject in attributes:
        values = header.values(subject.attribute) if subject.attribute else None
        if values is not None:
            given[subject.name] = _plain(values)
    if _course(ruleset, *_made(given)) != (course := _course(ruleset, header, arrival)):
        raise RulesError("no test can show this instance: a rule looks at something that a test cannot give")
    other = []
    for subject in attributes:
        if given.get(subject.name) and _identifies(subject):
            given, after = _without_identity(given, subject, ruleset, course)
            if after != course:
                other.append(subject.name)
                course = after
    made = Example(name, given, dict(_expected(ruleset.decide(*_made(given)))), tuple(other))
    result = run(TestCase.model_validate(made.as_dict()), ruleset)
    if not result.passed:
        raise RulesError(f"no test can show this instance: {result.failures[0]}")
    return made


def _looked_at(ruleset: Ruleset) -> Iterator[Subject]:
    """Every fact and attribute that a condition asks for or that an edit on arrival starts from, each once."""
    seen: set[object] = {"source"}
    for subject in _subjects(ruleset):
        if _key(subject) not in seen:
            seen.add(_key(subject))
            yield subject


def _subjects(ruleset: Ruleset) -> Iterator[Subject]:
    for rule in ruleset.settings.rules:
        if rule.when is not None and not rule.disabled:
            yield from rule.when.subjects()
    for rule in ruleset.settings.normalise:
        for edit in rule.edit if not rule.disabled else ():
            reads = edit.reads()
            names = [each.name for each in (*(reads or ()), *edit.writes())]
            yield from map(Subject.named, names if reads is not None else [*names, *_DERIVED_FROM])


def _fact(arrival: Arrival, name: str) -> str | None:
    values = fact_values(arrival, name)
    return values[0] if values else None


def _plain(values: tuple[str, ...]) -> Plain:
    return list(values) if len(values) > 1 else "".join(values)


def _made(given: Mapping[str, Plain]) -> tuple[Header, Arrival]:
    """The instance of a test, as running it makes it."""
    try:
        parsed = parse_given(given)
    except ValidationError:
        raise RulesError("no test can show this instance: a test cannot give a value that it has") from None
    return header_of(parsed), parsed.arrival


def _course(ruleset: Ruleset, header: Header, arrival: Arrival) -> object:
    """What every rule said, condition by condition, and what became of the instance, without any value."""
    witness = Witness()
    decision = ruleset.decide(header, arrival, witness=witness)
    rules = [(rule.name, rule.outcome, rule.condition and _answers(rule.condition)) for rule in witness.rules]
    sent = [(each.destination, each.route) for each in decision.dispatches]
    verdicts = [each and (each.rule, each.reason) for each in (decision.held, decision.rejected)]
    return rules, sent, verdicts, [change.attribute for change in decision.changes]


def _answers(trace: ClauseTrace) -> object:
    return trace.holds, [_answers(part) for part in trace.parts]


def _identifies(subject: Subject) -> bool:
    """Whether the basic profile of PS3.15 would not let it out as it is; so with everything it does not know."""
    tag = subject.attribute.steps[-1].tag if subject.attribute else None
    return tag is None or tag >> 16 & 1 == 1 or profile(frozenset()).action(tag, None) is not None


def _without_identity(
    given: dict[str, Plain], subject: Subject, ruleset: Ruleset, course: object
) -> tuple[dict[str, Plain], object]:
    """The same with another value of one attribute, and what the rules do then: `course`, if any value makes them.

    RulesError where the attribute holds no other.
    """
    found: list[tuple[dict[str, Plain], object]] = []
    for candidate in _candidates(given[subject.name], subject, ruleset):
        changed = {**given, subject.name: candidate}
        try:
            found.append((changed, _course(ruleset, *_made(changed))))
        except RulesError:  # the attribute does not hold such a text
            continue
        if found[-1][1] == course:
            return found[-1]
    if not found:
        raise RulesError(f"no test can show this instance: {subject.name} would have to stand in it as it is")
    return found[0]


def _candidates(value: Plain, subject: Subject, ruleset: Ruleset) -> Iterator[Plain]:
    """Values to put in the place of a real one, the least like it first; none is one that a table knows."""
    if subject.vr in _MADE_UP:
        yield _MADE_UP[subject.vr]
    if subject.vr == "DA" and isinstance(value, str):
        yield value[:4] + _MADE_UP["DA"][4:]
    for kept in ((), _sought(subject, ruleset)):
        yield from (made for made in _likes(value, kept) if not ruleset.is_key(made))


def _likes(value: Plain, kept: tuple[str, ...]) -> Iterator[Plain]:
    """Values like a real one, and other than it unless all of it is kept."""
    texts = [value] if isinstance(value, str) else value
    made = [_plain(tuple(_like(text, kept, backwards=each) for text in texts)) for each in (False, True)]
    yield from [each for each in made if each != value] or made[:1]


def _sought(subject: Subject, ruleset: Ruleset) -> tuple[str, ...]:
    """The texts that conditions look for in an attribute."""
    rules = [rule.when for rule in ruleset.settings.rules if rule.when is not None]
    leaves = [leaf for when in rules for leaf in when.leaves() if leaf.operator in _SOUGHT]
    same = [leaf for leaf in leaves if leaf.subject and _key(leaf.subject) == _key(subject)]
    pieces = {piece for leaf in same for operand in leaf.operands for piece in re.split(r"[*?]", fold(operand))}
    return tuple(sorted(pieces - {""}, key=len, reverse=True))


def _key(subject: Subject) -> object:
    return subject.attribute.steps if subject.attribute else subject.name


def _like(text: str, kept: tuple[str, ...], *, backwards: bool = False) -> str:
    """A text with the same places for letters, digits and zeros, in which the texts to be kept stand as they do."""
    step = -1 if backwards else 1
    letters, digits = cycle("ABCDEFGHIJKLMNOPQRSTUVWXYZ"[::step]), cycle("123456789"[::step])
    made, position = "", 0
    while position < len(text):
        found = next((each for each in kept if fold(text[position : position + len(each)]) == each), None)
        piece = text[position : position + len(found or " ")]
        if found is None:
            piece = next(letters) if piece.isalpha() else next(digits) if piece.isdecimal() and piece != "0" else piece
        made += piece
        position += len(piece)
    return made


def _expected(decision: Decision) -> Iterator[tuple[str, object]]:
    """What came of it: where it goes, and the attributes that were changed on arrival."""
    if decision.held or decision.rejected:
        yield ("held" if decision.held else "rejected"), "yes"
        return
    yield "to", [each.destination for each in decision.dispatches]
    for name in dict.fromkeys(change.attribute for change in decision.changes):
        values = decision.header.values(Attribute.parse(name)) or ()
        if not any(values):
            yield name, None
        elif not Subject.named(name).is_opaque:
            yield name, _plain(values)
