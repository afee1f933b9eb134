"""The tests of one value in a condition: text, wildcards and operators, compiled to predicates. No nesting here."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

import re2

from rules.ordering import ranking
from rules.subject import Reading, Subject, fold, person_name_texts
from rules.values import refusal

Holds = Callable[[Reading], bool]
TextTest = Callable[[str], bool]

_LONGEST_PATTERN = 10_000


def equal(subject: Subject, texts: list[str]) -> Holds:
    """Any value is one of these texts, in which `*` stands for any characters and `?` for one."""
    folded = [folded_wanted(subject, text) for text in texts]
    literal = frozenset(text for text in folded if not is_pattern(text))
    patterns = [wildcard(text) for text in folded if is_pattern(text)]
    if not patterns:
        return lambda reading: not literal.isdisjoint(reading.folded(subject))
    if not literal and len(patterns) == 1:
        return _any_folded(subject, patterns[0])

    def holds(reading: Reading) -> bool:
        values = reading.folded(subject)
        return not literal.isdisjoint(values) or any(test(value) for test in patterns for value in values)

    return holds


def wildcard(pattern: str) -> TextTest:
    """Whether a whole text matches `*` and `?` as in a DICOM query (PS3.4 C.2.2.2.4), in linear time."""
    if "?" in pattern:
        escaped = "".join({"*": ".*", "?": "."}.get(character) or re2.escape(character) for character in pattern)
        fullmatch = _fullmatch(escaped, ignore_case=False)
        return lambda text: fullmatch(text.encode("utf-8", "replace")) is not None
    first, *middle, last = pattern.split("*")
    if not first and not last and len(middle) == 1:
        (inside,) = middle
        return lambda text: inside in text
    least = len(first) + len(last)
    if not any(middle):
        return lambda text: len(text) >= least and text.startswith(first) and text.endswith(last)

    def matches(text: str) -> bool:
        if len(text) < least or not text.startswith(first) or not text.endswith(last):
            return False
        position, end = len(first), len(text) - len(last)
        for piece in middle:  # the leftmost place for each piece leaves the most room for the next
            position = text.find(piece, position, end)
            if position < 0:
                return False
            position += len(piece)
        return True

    return matches


def matches(subject: Subject, pattern: str) -> Holds:
    """Any whole value matches the regular expression (RE2: linear time), without regard to case."""
    fullmatch = _fullmatch(pattern, ignore_case=True)

    def holds(reading: Reading) -> bool:
        for value in reading.encoded(subject):  # noqa: SIM110 - a generator costs as much as the match
            if fullmatch(value) is not None:
                return True
        return False

    return holds


def contains(subject: Subject, text: str) -> Holds:
    """Any value has the text inside."""
    wanted = fold(text)
    return _any_folded(subject, lambda value: wanted in value)


def starts(subject: Subject, text: str) -> Holds:
    """Any value begins with the text."""
    wanted = fold(text)
    return _any_folded(subject, lambda value: value.startswith(wanted))


def ends(subject: Subject, text: str) -> Holds:
    """Any value ends with the text."""
    wanted = folded_wanted(subject, text)
    return _any_folded(subject, lambda value: value.endswith(wanted))


def exactly(subject: Subject, text: str) -> Holds:
    """Any value is the text to the letter, case and surrounding spaces included; `*` and `?` are plain characters."""
    if subject.vr == "PN":
        wanted = person_name_texts((text,))[0]
        return lambda reading: wanted in person_name_texts(reading.values(subject) or ())
    return lambda reading: text in (reading.values(subject) or ())


def present(subject: Subject, wanted: bool) -> Holds:
    """The attribute is there, even if empty; or it is not, as `wanted`."""
    return lambda reading: (reading.values(subject) is not None) is wanted


def above(subject: Subject, bound: str) -> Holds:
    """Any value is greater than the bound."""
    limit = bound_of(subject, bound)
    return lambda reading: max(reading.ranks(subject), default=limit) > limit


def below(subject: Subject, bound: str) -> Holds:
    """Any value is less than the bound."""
    limit = bound_of(subject, bound)
    return lambda reading: min(reading.ranks(subject), default=limit) < limit


def between(subject: Subject, lowest: str, highest: str) -> Holds:
    """Any one value lies between the two, both included."""
    low, high = bound_of(subject, lowest), bound_of(subject, highest)
    if high < low:
        raise refusal(f"between: {lowest!r} comes after {highest!r}, so nothing lies between them")
    return lambda reading: any(low <= rank <= high for rank in reading.ranks(subject))


@dataclass(frozen=True, slots=True)
class TextOperator:
    """An operator that takes a text or a list of texts."""

    compile: Callable[[Subject, str], Holds]
    may_be_empty: bool = False


TEXT_OPERATORS = {
    "matches": TextOperator(matches, may_be_empty=True),
    "contains": TextOperator(contains),
    "starts": TextOperator(starts),
    "ends": TextOperator(ends),
    "exactly": TextOperator(exactly, may_be_empty=True),
}
BOUND_OPERATORS = {"above": above, "below": below}
OPERATORS = (*TEXT_OPERATORS, *BOUND_OPERATORS, "between", "present", "not")


def folded_wanted(subject: Subject, text: str) -> str:
    """The text of a condition as it is compared with values."""
    return fold(person_name_texts((text,))[0] if subject.vr == "PN" else text)


def is_pattern(text: str) -> bool:
    """Whether the text has wildcards."""
    return "*" in text or "?" in text


def _any_folded(subject: Subject, test: TextTest) -> Holds:
    def holds(reading: Reading) -> bool:
        values = reading.folded(subject)
        return test(values[0]) if len(values) == 1 else any(map(test, values))

    return holds


def bound_of(subject: Subject, text: str) -> Decimal:
    """What a bound of a condition amounts to in the order of the subject's values."""
    rank, described = ranking(subject.vr)
    bound = rank(text)
    if bound is None:
        raise refusal(f"{subject.name} is compared with {described}, not with {text!r}")
    return bound


def _fullmatch(pattern: str, *, ignore_case: bool) -> Callable[[bytes], object | None]:
    """A matcher of whole texts in UTF-8, None for no match; linear in time whatever the pattern and the text (RE2)."""
    if len(pattern) > _LONGEST_PATTERN:
        raise refusal(f"the regular expression is longer than {_LONGEST_PATTERN} characters")
    options = re2.Options()
    options.case_sensitive = not ignore_case
    options.dot_nl = True
    options.never_capture = True
    options.log_errors = False
    try:
        fullmatch: Callable[[bytes], object | None] = re2.compile(pattern, options).fullmatch
    except re2.error as error:
        detail = error.args[0].decode("utf-8", "replace") if isinstance(error.args[0], bytes) else str(error)
        raise refusal(f"{pattern!r} is not a regular expression: {detail}") from None
    return fullmatch
