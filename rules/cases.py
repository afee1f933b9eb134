"""The tests written in the configuration: what is given and what is expected. They are run in testing."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, ClassVar, TypeVar

from pydantic import BaseModel, ConfigDict, Field, PlainValidator, ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

from rules.attribute import Attribute
from rules.derived import DERIVED, SAME_FRAME_OF_REFERENCE
from rules.errors import RulesError
from rules.facts import ARRIVAL_FACTS, Arrival, FiledSeries
from rules.forms import ExpectForm, GivenForm
from rules.problems import closest
from rules.subject import Subject, split
from rules.values import parse_clock, parse_flag, parse_weekday, refusal, text_of

Loc = tuple[int | str, ...]
T = TypeVar("T")
Wanted = tuple[tuple[Attribute, tuple[str, ...]], ...]

_NOON_ON_A_MONDAY = datetime(2024, 1, 1, 12, tzinfo=UTC)  # only the clock and the weekday are ever looked at
_EXPECTABLE = ("to", "held", "rejected", "warned", "at")
_DIFFERENT_FRAMES = (FiledSeries("*", "2.25.1"), FiledSeries("*", "2.25.2"))


@dataclass(frozen=True, slots=True)
class Given:
    """An instance as a test describes it: attributes with their values (`()` for empty), and its arrival."""

    attributes: Wanted
    arrival: Arrival


@dataclass(frozen=True, slots=True)
class Expectation:
    """What must come out; None where the test does not say. `()` as values means absent or empty."""

    to: tuple[str, ...] | None
    held: bool | None
    rejected: bool | None
    attributes: Wanted
    at: tuple[tuple[str, Wanted], ...]
    warned: bool | None = None


def parse_given(value: object) -> Given:
    """A header and facts of the arrival. A pydantic ValidationError lists every mistake with its loc."""
    reader = _Reader()
    attributes, facts = [], {}
    for name, each in reader.entries(value, "given: takes names and values, such as {source: dste, Modality: PT}"):
        if name in ARRIVAL_FACTS or name == SAME_FRAME_OF_REFERENCE:
            facts[name] = each
        elif each is not None:
            attributes += reader.attribute(name, each, (name,), extra_names=ARRIVAL_FACTS)
    at = _NOON_ON_A_MONDAY
    if "weekday" in facts:
        at += timedelta(days=reader.read(parse_weekday, facts["weekday"], ("weekday",), 0))
    if "time" in facts:
        at = datetime.combine(at, reader.read(parse_clock, facts["time"], ("time",), at.time()), tzinfo=at.tzinfo)
    source, calling_ae, called_ae, host = (
        reader.read(text_of, facts[name], (name,), "") if facts.get(name) is not None else ""
        for name in ("source", "calling_ae", "called_ae", "host")
    )
    is_same = reader.read(parse_flag, facts.get(SAME_FRAME_OF_REFERENCE, True), (SAME_FRAME_OF_REFERENCE,), True)
    reader.finish("given")
    filed = () if is_same else _DIFFERENT_FRAMES
    return Given(tuple(attributes), Arrival(source or None, calling_ae, called_ae, host, at, filed))


def parse_expectation(value: object) -> Expectation:
    """What a test expects. A pydantic ValidationError lists every mistake with its loc."""
    reader = _Reader()
    to: tuple[str, ...] | None = None
    flags: dict[str, bool] = {}
    attributes: list[tuple[Attribute, tuple[str, ...]]] = []
    at: list[tuple[str, Wanted]] = []
    for name, each in reader.entries(
        value, "expect: needs at least one of to, held, rejected, warned, at or an attribute"
    ):
        if name == "to":
            listed = each if isinstance(each, list) else [each]
            to = tuple(reader.read(text_of, one, (name, index), "") for index, one in enumerate(listed))
        elif name in {"held", "rejected", "warned"}:
            flags[name] = reader.read(parse_flag, each, (name,), False)
        elif name == "at":
            at = reader.copies(each)
        else:
            attributes += reader.attribute(name, each, (name,), extra_names=_EXPECTABLE)
    if (flags.get("held") or flags.get("rejected")) and (to or attributes or at or flags.get("warned")):
        reader.refuse("an instance that is held or rejected goes nowhere and stays as it came", value)
    reader.finish("expect")
    return Expectation(to, flags.get("held"), flags.get("rejected"), tuple(attributes), tuple(at), flags.get("warned"))


class _Reader:
    """Reads the plain data of a test and collects every mistake."""

    def __init__(self) -> None:
        self.errors: list[InitErrorDetails] = []

    def entries(self, value: object, message: str, loc: Loc = ()) -> list[tuple[str, object]]:
        """The entries of a mapping that must have some."""
        if isinstance(value, Mapping) and value:
            return [(str(name), each) for name, each in value.items()]
        self._wrong(refusal(message), loc, value)
        return []

    def copies(self, value: object) -> list[tuple[str, Wanted]]:
        """`at:` - for each destination the attributes of what it gets."""
        message = "at: takes destinations, each with attributes, such as {research: {PatientName: null}}"
        found = []
        for destination, wanted in self.entries(value, message, ("at",)):
            attributes: list[tuple[Attribute, tuple[str, ...]]] = []
            for name, each in self.entries(wanted, message, ("at", destination)):
                attributes += self.attribute(name, each, ("at", destination, name))
            found.append((destination, tuple(attributes)))
        return found

    def attribute(
        self, name: str, value: object, loc: Loc, extra_names: frozenset[str] | tuple[str, ...] = ()
    ) -> list[tuple[Attribute, tuple[str, ...]]]:
        """An attribute and its values, or nothing where there is a mistake."""
        if name in DERIVED:
            self._wrong(refusal(f"{name} follows from the attributes, which are named instead"), (*loc, "[key]"), value)
            return []
        try:
            subject = Subject.named(name)
        except RulesError as error:
            suggestion = closest(name, extra_names) or getattr(error, "suggestion", None)
            self._wrong(refusal(str(error), suggestion), (*loc, "[key]"), value)
            return []
        if subject.attribute is None:
            self._wrong(refusal(f"{name} is a fact of the arrival, not an attribute"), (*loc, "[key]"), value)
            return []
        if value is None:
            return [(subject.attribute, ())]
        if subject.is_opaque:
            self._wrong(refusal(f"{name} holds no text; name an attribute inside it"), (*loc, "[key]"), value)
            return []
        if isinstance(value, list):
            texts = tuple(self.read(text_as_written, each, (*loc, index), "") for index, each in enumerate(value))
        else:
            texts = split(self.read(text_as_written, value, loc, ""), subject.vr)
        return [(subject.attribute, texts if any(texts) else ())]

    def read(self, parse: Callable[[object], T], value: object, loc: Loc, instead: T) -> T:
        """The parsed value, or `instead` where it is refused."""
        try:
            return parse(value)
        except PydanticCustomError as error:
            self._wrong(error, loc, value)
            return instead

    def refuse(self, message: str, value: object) -> None:
        """A mistake of the whole."""
        self._wrong(refusal(message), (), value)

    def finish(self, what: str) -> None:
        """Raise what was collected."""
        if self.errors:
            raise ValidationError.from_exception_data(what, self.errors)

    def _wrong(self, error: PydanticCustomError, loc: Loc, value: object) -> None:
        self.errors.append(InitErrorDetails(type=error, loc=loc, input=value))


def text_as_written(value: object) -> str:
    """The text of a scalar with its spaces."""
    return value if isinstance(value, str) else text_of(value)


class TestCase(BaseModel):
    """One example of what the rules must do."""

    __test__: ClassVar[bool] = False  # not one of pytest's
    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1, description="What the example shows, in words.")
    given: Annotated[Given, PlainValidator(parse_given, json_schema_input_type=GivenForm)] = Field(
        description="An instance: keywords and facts of the arrival with their values; every other attribute is absent."
    )
    expect: Annotated[Expectation, PlainValidator(parse_expectation, json_schema_input_type=ExpectForm)] = Field(
        description="What must come out: to, held, rejected, warned, attributes after normalising, at."
    )
