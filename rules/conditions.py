"""From the YAML of a `when:` to one predicate, at load. What one subject must be is compiled in demands."""

from collections.abc import Mapping

from pydantic import ValidationError
from pydantic_core import PydanticCustomError

from rules.clause import Clause, Loc, all_of, any_of, negated
from rules.demands import Demands
from rules.derived import DERIVED, SUV_COMPUTABLE, same_frame_of_reference, suv_computable
from rules.errors import RulesError
from rules.facts import ARRIVAL_FACTS
from rules.operators import OPERATORS
from rules.problems import closest
from rules.refusals import KEY, MISTAKE, Refusals
from rules.subject import Subject

_CONNECTIVES = ("all", "any", "not")


def compile_condition(when: object) -> Clause:
    """Compile the plain data of a `when:`. A pydantic ValidationError lists every mistake with its loc."""
    refusals = Refusals()
    clause = _Compiler(refusals).condition(when, ())
    if refusals.errors:
        raise ValidationError.from_exception_data("condition", refusals.errors)
    return clause


class _Compiler:
    """Walks the data once; mistakes go to `refusals`."""

    def __init__(self, refusals: Refusals) -> None:
        self._refusals = refusals
        self._demands = Demands(refusals)

    def condition(self, when: object, loc: Loc) -> Clause:
        """A mapping: every entry must hold."""
        if not isinstance(when, Mapping) or not when:
            return self._refusals.wrong(loc, when, _not_a_condition(when))
        return all_of([self._entry(str(key), value, loc) for key, value in when.items()])

    def _entry(self, key: str, value: object, loc: Loc) -> Clause:
        """One entry of a condition: a connective, or a name and what it must be."""
        here = (*loc, key)
        if key == "not":
            return negated(self.condition(value, here))
        if key in _CONNECTIVES:
            if not isinstance(value, list) or not value:
                return self._refusals.wrong(here, value, f"{key}: takes a list of conditions, each after a dash")
            parts = [self.condition(each, (*here, index)) for index, each in enumerate(value)]
            return all_of(parts) if key == "all" else any_of(parts)
        if key in DERIVED:
            return self._derived(key, value, here)
        try:
            subject = Subject.named(key)
        except RulesError as error:
            return self._refusals.wrong((*here, KEY), value, *_unknown(key, value, error))
        return self._demands.test(subject, value, here)

    def _derived(self, name: str, value: object, loc: Loc) -> Clause:
        """What no attribute says alone: true or false, or the modalities it is about."""
        if isinstance(value, Mapping):
            if list(value) != ["not"]:
                return self._refusals.wrong(loc, value, f"{name} takes a value, or not: and such a value")
            return negated(self._derived(name, value["not"], (*loc, "not")))
        listed = value if isinstance(value, list) else [value]
        texts = [self._refusals.text(each, loc) for each in listed]
        wanted = [text for text in texts if text is not None]
        if len(wanted) < len(texts):
            return MISTAKE
        if name == SUV_COMPUTABLE and len(wanted) == 1:
            try:
                return suv_computable(wanted[0])
            except PydanticCustomError as error:
                return self._refusals.refused(error, loc, value)
        if name == SUV_COMPUTABLE or not all(text.strip() for text in wanted) or not wanted:
            needed = "true or false" if name == SUV_COMPUTABLE else "modalities, such as [PT, CT]"
            return self._refusals.wrong(loc, value, f"{name} takes {needed}")
        return same_frame_of_reference(wanted)


def _unknown(name: str, value: object, error: RulesError) -> tuple[str, str | None]:
    """What is wrong with a name that is none, and what may be meant."""
    if name.startswith("(") and ")" not in name:
        return 'inside braces a tag stands in quotes: {"(0010,0020)": text}', None
    if value is None and ":" in name and not name.startswith("("):
        return f"{name!r} needs a space after its colon", None
    if name in OPERATORS:
        return f"{name!r} is an operator: it goes under a name", None
    return str(error), closest(name, {*ARRIVAL_FACTS, *_CONNECTIVES, *DERIVED}) or getattr(error, "suggestion", None)


def _not_a_condition(when: object) -> str:
    if when is None or when == {}:
        return "the condition is empty; leave it out where every instance is meant"
    return "a condition is a mapping such as {Modality: PT}"
