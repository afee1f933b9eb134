"""From the YAML of a `when:` to one predicate, at load. What a single value must be is in operators."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from pydantic import ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

from rules.circumstances import host_within, time_within, weekday_is
from rules.clause import Clause, Loc, all_of, any_of, negated
from rules.derived import DERIVED, SUV_COMPUTABLE, same_frame_of_reference, suv_computable
from rules.errors import RulesError
from rules.facts import ARRIVAL_FACTS
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
from rules.subject import Subject
from rules.values import parse_flag, refusal

_CONNECTIVES = ("all", "any", "not")
_MISTAKE = Clause("a mistake", lambda _: False)
_KEY = "[key]"  # tells the loader that the key itself is wrong, not what stands under it

# Facts whose texts mean more than text: how one is compiled, and which texts are such.
_SPECIAL: dict[str, tuple[Callable[[str], Holds], Callable[[str], bool]]] = {
    "time": (time_within, lambda _: True),
    "weekday": (weekday_is, lambda _: True),
    "host": (host_within, lambda text: "/" in text),
}


def compile_condition(when: object) -> Clause:
    """Compile the plain data of a `when:`. A pydantic ValidationError lists every mistake with its loc."""
    compiler = _Compiler()
    clause = compiler.condition(when, ())
    if compiler.errors:
        raise ValidationError.from_exception_data("condition", compiler.errors)
    return clause


class _Compiler:
    """Walks the data once and collects every mistake; a mistaken part stands as one that never holds."""

    def __init__(self) -> None:
        self.errors: list[InitErrorDetails] = []

    def condition(self, when: object, loc: Loc) -> Clause:
        """A mapping: every entry must hold."""
        if not isinstance(when, Mapping) or not when:
            return self._wrong(loc, when, _not_a_condition(when))
        return all_of([self._entry(str(key), value, loc) for key, value in when.items()])

    def _entry(self, key: str, value: object, loc: Loc) -> Clause:
        """One entry of a condition: a connective, or a name and what it must be."""
        here = (*loc, key)
        if key == "not":
            return negated(self.condition(value, here))
        if key in _CONNECTIVES:
            if not isinstance(value, list) or not value:
                return self._wrong(here, value, f"{key}: takes a list of conditions, each after a dash")
            parts = [self.condition(each, (*here, index)) for index, each in enumerate(value)]
            return all_of(parts) if key == "all" else any_of(parts)
        if key in DERIVED:
            return self._derived(key, value, here)
        try:
            subject = Subject.named(key)
        except RulesError as error:
            if key.startswith("(") and ")" not in key:
                return self._wrong((*here, _KEY), value, 'inside braces a tag stands in quotes: {"(0010,0020)": text}')
            if value is None and ":" in key and not key.startswith("("):
                return self._wrong((*here, _KEY), value, f"{key!r} needs a space after its colon")
            if key in OPERATORS:
                return self._wrong((*here, _KEY), value, f"{key!r} is an operator: it goes under a name")
            suggestion = closest(key, {*ARRIVAL_FACTS, *_CONNECTIVES, *DERIVED}) or getattr(error, "suggestion", None)
            return self._wrong((*here, _KEY), value, str(error), suggestion)
        return self._test(subject, value, here)

    def _derived(self, name: str, value: object, loc: Loc) -> Clause:
        """What no attribute says alone: true or false, or the modalities it is about."""
        if isinstance(value, Mapping):
            if list(value) != ["not"]:
                return self._wrong(loc, value, f"{name} takes a value, or not: and such a value")
            return negated(self._derived(name, value["not"], (*loc, "not")))
        listed = value if isinstance(value, list) else [value]
        texts = [self._text(each, loc) for each in listed]
        wanted = [text for text in texts if text is not None]
        if len(wanted) < len(texts):
            return _MISTAKE
        if name == SUV_COMPUTABLE and len(wanted) == 1:
            try:
                return suv_computable(wanted[0])
            except PydanticCustomError as error:
                self.errors.append(InitErrorDetails(type=error, loc=loc, input=value))
                return _MISTAKE
        if name == SUV_COMPUTABLE or not all(text.strip() for text in wanted) or not wanted:
            needed = "true or false" if name == SUV_COMPUTABLE else "modalities, such as [PT, CT]"
            return self._wrong(loc, value, f"{name} takes {needed}")
        return same_frame_of_reference(wanted)

    def _test(self, subject: Subject, value: object, loc: Loc) -> Clause:
        """What one subject must be: a text, a list of alternatives, or an operator."""
        if isinstance(value, Mapping):
            return self._operator(subject, value, loc)
        if not isinstance(value, list):
            text = self._text(value, loc)
            return _MISTAKE if text is None else self._equal(subject, [(loc, text)], loc)
        if not value:
            return self._wrong(loc, value, "the list is empty, so nothing is ever on it")
        texts: list[tuple[Loc, str]] = []
        parts: list[Clause] = []
        for index, each in enumerate(value):
            if isinstance(each, Mapping):
                parts.append(self._operator(subject, each, (*loc, index)))
            elif (text := self._text(each, (*loc, index))) is not None:
                texts.append(((*loc, index), text))
            else:
                parts.append(_MISTAKE)
        if texts:
            parts.insert(0, self._equal(subject, texts, loc))
        return any_of(parts)

    def _equal(self, subject: Subject, texts: list[tuple[Loc, str]], loc: Loc) -> Clause:
        """One of the texts."""
        if subject.is_opaque:
            return self._wrong(loc, texts[0][1], f"{subject.name} holds no text: only present: can be asked")
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
            return self._wrong(loc, value, message if value else f"an operator is missing: {', '.join(OPERATORS)}")
        name, operand = next((str(key), operand) for key, operand in value.items())
        here = (*loc, name)
        if name not in OPERATORS:
            message = f"{name!r} is not an operator; there are {', '.join(OPERATORS)}"
            return self._wrong((*here, _KEY), operand, message, closest(name, OPERATORS))
        if name == "not":
            return negated(self._test(subject, operand, here))
        if name == "present":
            said = f"present: {operand}"
            return self._try(here, subject, said, lambda: present(subject, parse_flag(operand)), name, str(operand))
        if subject.is_opaque:
            return self._wrong((*here, _KEY), operand, f"{subject.name} holds no text: only present: can be asked")
        if subject.name in {"time", "weekday"}:
            message = f"{subject.name} takes a value, a list, or not: and such a value"
            return self._wrong((*here, _KEY), operand, message)
        if name == "between":
            return self._between(subject, operand, here)
        if name in BOUND_OPERATORS:
            bound = self._text(operand, here)
            if bound is None:
                return _MISTAKE
            build = partial(BOUND_OPERATORS[name], subject, bound)
            return self._try(here, subject, f"{name} {bound}", build, name, bound)
        return self._text_operator(subject, name, operand, here)

    def _between(self, subject: Subject, operand: object, loc: Loc) -> Clause:
        if not isinstance(operand, list) or len(operand) != 2:
            return self._wrong(loc, operand, "between: takes two values: [lowest, highest]")
        low, high = (self._text(each, (*loc, index)) for index, each in enumerate(operand))
        if low is None or high is None:
            return _MISTAKE
        said = f"between {low} and {high}"
        return self._try(loc, subject, said, lambda: between(subject, low, high), "between", low, high)

    def _text_operator(self, subject: Subject, name: str, operand: object, loc: Loc) -> Clause:
        """`matches`, `contains`, `starts`, `ends`, `exactly` with a text, or a list of which any will do."""
        operator = TEXT_OPERATORS[name]
        listed = operand if isinstance(operand, list) else [operand]
        parts: list[Clause] = []
        for index, each in enumerate(listed):
            here = (*loc, index) if isinstance(operand, list) else loc
            text = self._text(each, here)
            if text is None:
                parts.append(_MISTAKE)
            elif not text.strip() and not operator.may_be_empty:
                parts.append(self._wrong(here, text, f"{name}: needs a text; an empty one fits everything"))
            else:
                described = f"{name} {_quoted(text)}"
                build = partial(operator.compile, subject, text)
                parts.append(self._try(here, subject, described, build, name, text))
        if not parts:
            return self._wrong(loc, operand, "the list is empty, so nothing is ever on it")
        return any_of(parts)

    def _text(self, value: object, loc: Loc) -> str | None:
        if isinstance(value, str):
            return value
        if isinstance(value, int | float) and not isinstance(value, bool):
            return str(value)
        if value is None:
            self._wrong(loc, value, 'no value; write "" for an empty attribute, present: false for an absent one')
        else:
            self._wrong(loc, value, "a text is expected here")
        return None

    def _try(
        self, loc: Loc, subject: Subject, described: str, build: Callable[[], Holds], operator: str, *operands: str
    ) -> Clause:
        """A leaf whose operand may be refused."""
        try:
            said = f"{subject.name}: {described}"
            return Clause(said, build(), subject, operator=operator, operands=operands)
        except PydanticCustomError as error:
            self.errors.append(InitErrorDetails(type=error, loc=loc, input=described))
            return _MISTAKE

    def _wrong(self, loc: Loc, value: object, message: str, suggestion: str | None = None) -> Clause:
        self.errors.append(InitErrorDetails(type=refusal(message, suggestion), loc=loc, input=value))
        return _MISTAKE


def _not_a_condition(when: object) -> str:
    if when is None or when == {}:
        return "the condition is empty; leave it out where every instance is meant"
    return "a condition is a mapping such as {Modality: PT}"


def _among(texts: Sequence[str]) -> str:
    return " or ".join(_quoted(text) for text in texts)


def _quoted(text: str) -> str:
    return text if text.strip() else f'"{text}"'
