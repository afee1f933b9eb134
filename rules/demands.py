"""From what the YAML demands of one subject to a clause, at load. What a single value must be is in operators."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from pydantic_core import PydanticCustomError

from rules.circumstances import host_within, time_within, weekday_is
from rules.clause import Clause, Loc, any_of, negated
from rules.operators import (
    BOUND_OPERATORS,
    OPERATORS,
    TEXT_OPERATORS,
    Holds,
    between,
    equal,
    is_pattern,
    present,
)
from rules.problems import closest
from rules.refusals import KEY, MISTAKE, Refusals
from rules.subject import Subject
from rules.values import parse_flag

# Facts whose texts mean more than text: how one is compiled, and which texts are such.
_SPECIAL: dict[str, tuple[Callable[[str], Holds], Callable[[str], bool]]] = {
    "time": (time_within, lambda _: True),
    "weekday": (weekday_is, lambda _: True),
    "host": (host_within, lambda text: "/" in text),
}


class Demands:
    """Compiles one demand after another; mistakes go to `refusals`."""

    def __init__(self, refusals: Refusals) -> None:
        self._refusals = refusals

    def test(self, subject: Subject, value: object, loc: Loc) -> Clause:
        """What one subject must be: a text, a list of alternatives, or an operator."""
        if isinstance(value, Mapping):
            return self._operator(subject, value, loc)
        if not isinstance(value, list):
            text = self._refusals.text(value, loc)
            return MISTAKE if text is None else self._equal(subject, [(loc, text)], loc)
        if not value:
            return self._refusals.wrong(loc, value, "the list is empty, so nothing is ever on it")
        texts: list[tuple[Loc, str]] = []
        parts: list[Clause] = []
        for index, each in enumerate(value):
            if isinstance(each, Mapping):
                parts.append(self._operator(subject, each, (*loc, index)))
            elif (text := self._refusals.text(each, (*loc, index))) is not None:
                texts.append(((*loc, index), text))
            else:
                parts.append(MISTAKE)
        if texts:
            parts.insert(0, self._equal(subject, texts, loc))
        return any_of(parts)

    def _equal(self, subject: Subject, texts: list[tuple[Loc, str]], loc: Loc) -> Clause:
        """One of the texts."""
        if subject.is_opaque:
            return self._refusals.wrong(loc, texts[0][1], f"{subject.name} holds no text: only present: can be asked")
        special = _SPECIAL.get(subject.name)
        if special:
            parse, is_special = special
            parts = [
                self._try(place, subject, text, partial(parse, text), "within", text)
                for place, text in texts
                if is_special(text)
            ]
            texts = [(place, text) for place, text in texts if not is_special(text)]
            return any_of([*parts, self._equal_text(subject, texts)] if texts else parts)
        return self._equal_text(subject, texts)

    def _equal_text(self, subject: Subject, texts: list[tuple[Loc, str]]) -> Clause:
        names = tuple((place, text.strip()) for place, text in texts if not is_pattern(text))
        sources = names if subject.name == "source" else ()
        wanted = [text for _, text in texts]
        said = f"{subject.name}: {_among(wanted)}"
        return Clause(said, equal(subject, wanted), subject, (), sources, "equal", tuple(wanted))

    def _operator(self, subject: Subject, value: Mapping[object, object], loc: Loc) -> Clause:
        """An operator mapping: exactly one operator."""
        if len(value) != 1:
            message = "one operator only; to demand several write each as a condition under all:"
            return self._refusals.wrong(
                loc, value, message if value else f"an operator is missing: {', '.join(OPERATORS)}"
            )
        name, operand = next((str(key), operand) for key, operand in value.items())
        here = (*loc, name)
        if name not in OPERATORS:
            message = f"{name!r} is not an operator; there are {', '.join(OPERATORS)}"
            return self._refusals.wrong((*here, KEY), operand, message, closest(name, OPERATORS))
        if name == "not":
            return negated(self.test(subject, operand, here))
        if name == "present":
            said = f"present: {operand}"
            return self._try(here, subject, said, lambda: present(subject, parse_flag(operand)), name, str(operand))
        if subject.is_opaque:
            return self._refusals.wrong(
                (*here, KEY), operand, f"{subject.name} holds no text: only present: can be asked"
            )
        if subject.name in {"time", "weekday"}:
            message = f"{subject.name} takes a value, a list, or not: and such a value"
            return self._refusals.wrong((*here, KEY), operand, message)
        if name == "between":
            return self._between(subject, operand, here)
        if name in BOUND_OPERATORS:
            bound = self._refusals.text(operand, here)
            if bound is None:
                return MISTAKE
            build = partial(BOUND_OPERATORS[name], subject, bound)
            return self._try(here, subject, f"{name} {bound}", build, name, bound)
        return self._text_operator(subject, name, operand, here)

    def _between(self, subject: Subject, operand: object, loc: Loc) -> Clause:
        if not isinstance(operand, list) or len(operand) != 2:
            return self._refusals.wrong(loc, operand, "between: takes two values: [lowest, highest]")
        low, high = (self._refusals.text(each, (*loc, index)) for index, each in enumerate(operand))
        if low is None or high is None:
            return MISTAKE
        said = f"between {low} and {high}"
        return self._try(loc, subject, said, lambda: between(subject, low, high), "between", low, high)

    def _text_operator(self, subject: Subject, name: str, operand: object, loc: Loc) -> Clause:
        """`matches`, `contains`, `starts`, `ends`, `exactly` with a text, or a list of which any will do."""
        operator = TEXT_OPERATORS[name]
        listed = operand if isinstance(operand, list) else [operand]
        parts: list[Clause] = []
        for index, each in enumerate(listed):
            here = (*loc, index) if isinstance(operand, list) else loc
            text = self._refusals.text(each, here)
            if text is None:
                parts.append(MISTAKE)
            elif not text.strip() and not operator.may_be_empty:
                parts.append(self._refusals.wrong(here, text, f"{name}: needs a text; an empty one fits everything"))
            else:
                described = f"{name} {_quoted(text)}"
                build = partial(operator.compile, subject, text)
                parts.append(self._try(here, subject, described, build, name, text))
        if not parts:
            return self._refusals.wrong(loc, operand, "the list is empty, so nothing is ever on it")
        return any_of(parts)

    def _try(
        self, loc: Loc, subject: Subject, described: str, build: Callable[[], Holds], operator: str, *operands: str
    ) -> Clause:
        """A leaf whose operand may be refused."""
        try:
            said = f"{subject.name}: {described}"
            return Clause(said, build(), subject, operator=operator, operands=operands)
        except PydanticCustomError as error:
            return self._refusals.refused(error, loc, described)


def _among(texts: Sequence[str]) -> str:
    return " or ".join(_quoted(text) for text in texts)


def _quoted(text: str) -> str:
    return text if text.strip() else f'"{text}"'
