"""Whether one text can satisfy some operators and none of others. A no is certain, a yes is not; it reads no header."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from rules.clause import Clause
from rules.facts import Arrival, Facts
from rules.operators import bound_of, folded_wanted, is_pattern
from rules.subject import Reading, Subject, fold, person_name_texts

BOUNDS = frozenset({"above", "below", "between"})
NOBODY = Arrival(None, "", "", "", datetime(2024, 1, 1, tzinfo=UTC))
# What may tell apart two texts that are the same without regard to case, such as `s` and the long s.
_MINDS_CASE = re.compile(r"\(\?(?!:)|\\[pPbBC]|\[\[:")


@dataclass(frozen=True, slots=True)
class _Same:
    """A header in which every attribute has these values."""

    same: tuple[str, ...] | None

    def values(self, attribute: object) -> tuple[str, ...] | None:  # noqa: ARG002
        """The values, whatever is asked for."""
        return self.same


_FACTS = ("source", "calling_ae", "called_ae", "host")
NO_HEADER = _Same(None)


def holds_for(clause: Clause, text: str | None) -> bool:
    """Whether a clause without parts holds where its subject is this text, None for absent."""
    subject = clause.subject
    assert subject is not None
    if subject.attribute is not None:
        return clause.holds(Reading(Facts(_Same(None if text is None else (text,)), NOBODY)))
    source, calling_ae, called_ae, host = (text or "" if name == subject.name else "" for name in _FACTS)
    arrival = Arrival(source, calling_ae, called_ae, host, NOBODY.at)
    return clause.holds(Reading(Facts(NO_HEADER, arrival)))


def some_text(subject: Subject, wanted: Sequence[Clause], unwanted: Sequence[Clause]) -> bool:
    """Whether there may be a text for which all of `wanted` hold and none of `unwanted`."""
    finite = sorted((found for each in wanted if (found := _all_texts(subject, each))), key=lambda found: found[1])
    if finite:
        texts, to_the_letter = finite[-1]
        return any(_fits(text, to_the_letter, wanted, unwanted) for text in texts)
    asked = {(each.operator, each.operands) for each in wanted}
    if any((each.operator, each.operands) in asked for each in unwanted):
        return False
    if any(each.operator in BOUNDS for each in wanted) and not _some_number(subject, wanted, unwanted):
        return False
    outline = _Outline.of(subject, wanted)
    return outline is not None and not any(outline.implies(subject, each) for each in unwanted)


def _all_texts(subject: Subject, clause: Clause) -> tuple[tuple[str, ...], bool] | None:
    """Every text for which it holds, and whether to the letter or without regard to case; None if they are endless."""
    if clause.operator == "exactly":
        texts = person_name_texts(clause.operands) if subject.vr == "PN" else clause.operands
        return texts[:1], True
    if clause.operator == "equal" and not any(map(is_pattern, clause.operands)):
        return tuple(folded_wanted(subject, text) for text in clause.operands), False
    return None


def _fits(text: str, to_the_letter: bool, wanted: Sequence[Clause], unwanted: Sequence[Clause]) -> bool:
    """Whether the text, or one that differs in case only, may be it."""
    tests = [*((each, True) for each in wanted), *((each, False) for each in unwanted)]
    return all(
        holds_for(clause, text) is expected
        for clause, expected in tests
        if to_the_letter or not _tells_case(clause, text)
    )


def _tells_case(clause: Clause, text: str) -> bool:
    if clause.operator == "matches":
        return not text.isascii() or _MINDS_CASE.search(clause.operands[0]) is not None
    return clause.operator == "exactly"


def _some_number(subject: Subject, wanted: Sequence[Clause], unwanted: Sequence[Clause]) -> bool:
    """Whether there may be a number (date, time, age) within all of these bounds.

    The bounds in their order have odd places, and what lies before, between and behind them has even ones.
    """
    tests = [*((each, True) for each in wanted), *((each, False) for each in unwanted)]
    bounds = [(each, holds) for each, holds in tests if each.operator in BOUNDS]
    ends = sorted({bound_of(subject, text) for each, _ in bounds for text in each.operands})
    places = [tuple(2 * ends.index(bound_of(subject, text)) + 1 for text in each.operands) for each, _ in bounds]
    return any(
        all(_within(each.operator, at, place) is holds for (each, holds), at in zip(bounds, places, strict=True))
        for place in range(2 * len(ends) + 1)
    )


def _within(operator: str, bounds: tuple[int, ...], place: int) -> bool:
    if operator == "above":
        return place > bounds[0]
    return place < bounds[0] if operator == "below" else bounds[0] <= place <= bounds[1]


@dataclass(frozen=True, slots=True)
class _Outline:
    """What is known of a text: its beginning, its end, pieces that stand in it, and its least length."""

    first: str = ""
    last: str = ""
    inside: tuple[str, ...] = ()
    least: int = 0

    @classmethod
    def of(cls, subject: Subject, wanted: Sequence[Clause]) -> "_Outline | None":
        """What all of these say together; None where they say the contrary of each other."""
        known = cls()
        for clause in wanted:
            each = cls._one(subject, clause)
            first, last = (sorted(pair, key=len) for pair in ((known.first, each.first), (known.last, each.last)))
            if not first[1].startswith(first[0]) or not last[1].endswith(last[0]):
                return None
            known = cls(first[1], last[1], known.inside + each.inside, max(known.least, each.least))
        return known

    @classmethod
    def _one(cls, subject: Subject, clause: Clause) -> "_Outline":
        if clause.operator == "equal":
            first, middle, last = _pieces(folded_wanted(subject, clause.operands[0]))
            least = len(folded_wanted(subject, clause.operands[0]).replace("*", ""))
            inside = tuple(part for piece in middle for part in piece.split("?"))
            return cls(first.partition("?")[0], last.rpartition("?")[2], inside, least)
        text = _sought(subject, clause)
        if text is None:
            return cls()
        first, last = (text if clause.operator == each else "" for each in ("starts", "ends"))
        return cls(first, last, (text,), len(text))

    def implies(self, subject: Subject, clause: Clause) -> bool:
        """Whether the clause certainly holds for every text of this outline."""
        if clause.operator == "equal":
            return any(self._is_like(folded_wanted(subject, text)) for text in clause.operands if is_pattern(text))
        text = _sought(subject, clause)
        if text is None:
            return False
        if clause.operator == "contains":
            return self._has(text)
        return self.first.startswith(text) if clause.operator == "starts" else self.last.endswith(text)

    def _is_like(self, pattern: str) -> bool:
        first, middle, last = _pieces(pattern)
        if "?" in pattern or (middle and (first or last or len(middle) > 1)):
            return False
        if middle:
            return self._has(middle[0])
        return self.first.startswith(first) and self.last.endswith(last) and self.least >= len(first) + len(last)

    def _has(self, text: str) -> bool:
        return any(text in piece for piece in (self.first, self.last, *self.inside))


def _pieces(pattern: str) -> tuple[str, list[str], str]:
    """What stands before the first `*`, between any two, and behind the last."""
    first, *middle = pattern.split("*")
    last = middle.pop() if middle else first
    return first, [piece for piece in middle if piece], last


def _sought(subject: Subject, clause: Clause) -> str | None:
    """The text of `starts`, `ends` and `contains` as it is compared."""
    if clause.operator == "ends":
        return folded_wanted(subject, clause.operands[0])
    return fold(clause.operands[0]) if clause.operator in {"starts", "contains"} else None
