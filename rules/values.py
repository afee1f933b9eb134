"""Durations, sizes, windows, flags and the other small values of the configuration, from text. It knows no rule."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, time
from typing import Annotated, Literal

from pydantic import GetCoreSchemaHandler, PlainValidator, ValidationError, WithJsonSchema
from pydantic_core import CoreSchema, InitErrorDetails, PydanticCustomError, core_schema

from rules.decision import Priority, Scope
from rules.problems import closest

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_BYTES = {unit: 1000**power for power, unit in enumerate(["B", "KB", "MB", "GB", "TB", "PB"])}
_BYTES |= {unit: 1024**power for power, unit in enumerate(["KIB", "MIB", "GIB", "TIB", "PIB"], start=1)}
_LONGEST_SECONDS = 36_525 * 86_400  # a century; what is longer is a slip of the finger

_DURATION = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,6})?) ?([smhd])", re.IGNORECASE)
_SIZE = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,6})?) ?(B|[KMGTP]B|[KMGTP]iB)", re.IGNORECASE)
_CLOCK = re.compile(r"([01]?[0-9]|2[0-3]):([0-5][0-9])(?::([0-5][0-9]))?")
_WINDOW = re.compile(rf"({_CLOCK.pattern}) ?- ?({_CLOCK.pattern}|24:00)")
_ATTEMPTS = re.compile(r"([0-9]{1,9}) attempts?", re.IGNORECASE)
_QUIET = re.compile(r"(series|study) +quiet +(\S.*)", re.IGNORECASE)
# The same for an editor's JSON Schema, whose patterns know no flags.
_DURATION_FORM = r"\d+(\.\d+)? ?[smhdSMHD]"
_SIZE_FORM = r"\d+(\.\d+)? ?([kKmMgGtTpP]i?)?[bB]"
_CLOCK_FORM = r"([01]?\d|2[0-3]):[0-5]\d(:[0-5]\d)?"
_WINDOW_FORM = rf"{_CLOCK_FORM} ?- ?({_CLOCK_FORM}|24:00)"
_AFTER_FORM = rf"instance|(series|study) +quiet +{_DURATION_FORM}"
_GIVE_UP_FORM = rf"never|{_DURATION_FORM}|\d+ attempts?"

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def refusal(message: str, suggestion: str | None = None) -> PydanticCustomError:
    """The error a validator raises: `message` as it stands, and what was probably meant."""
    context = {"message": message, "suggestion": suggestion} if suggestion else {"message": message}
    return PydanticCustomError("rules", "{message}", context)


def refused_at(loc: tuple[int | str, ...], value: object, message: str) -> ValidationError:
    """The same for a place below the one that is being validated."""
    return ValidationError.from_exception_data("rules", [InitErrorDetails(type=refusal(message), loc=loc, input=value)])


@dataclass(frozen=True, slots=True)
class Window:
    """A daily stretch of clock time from `start` until just before `end`; over midnight where `end` is not later."""

    start: time
    end: time

    def contains(self, moment: datetime) -> bool:
        """Whether the clock on the wall of `moment`'s own time zone stands inside."""
        clock = moment.time()
        if self.start < self.end:
            return self.start <= clock < self.end
        return clock >= self.start or clock < self.end

    def __str__(self) -> str:
        """As it is written in the configuration."""
        return f"{_clock_text(self.start)}-{_clock_text(self.end)}"

    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return _parsed(cls, parse_window, _WINDOW_FORM)


@dataclass(frozen=True, slots=True)
class After:
    """When a route sends: at once (`instance`), or when nothing new came for `quiet_seconds` in the series or study."""

    scope: Scope
    quiet_seconds: float

    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return _parsed(cls, parse_after, _AFTER_FORM)


@dataclass(frozen=True, slots=True)
class GiveUp:
    """When a delivery is tried no more: after this many seconds, this many attempts, or never (both None)."""

    seconds: float | None
    attempts: int | None

    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return _parsed(cls, parse_give_up, _GIVE_UP_FORM)


def parse_duration(value: object) -> float:
    """Seconds from `30s 2m 1h 7d`."""
    match = _DURATION.fullmatch(text_of(value))
    if not match:
        raise refusal(f"{value!r} is not a duration such as 30s, 2m, 1h or 7d")
    seconds = float(match[1]) * _SECONDS[match[2].lower()]
    if seconds > _LONGEST_SECONDS:
        raise refusal(f"{value!r} is longer than a century")
    return seconds


def parse_size(value: object) -> int:
    """Bytes from `500MB 20GB` (powers of 1000) or `500MiB` (powers of 1024)."""
    match = _SIZE.fullmatch(text_of(value))
    if not match:
        raise refusal(f"{value!r} is not a size such as 500MB or 20GB")
    return int(float(match[1]) * _BYTES[match[2].upper()])


def parse_window(value: object) -> Window:
    """A window from `18:00-07:00`; `24:00` is midnight at the end of the day."""
    match = _WINDOW.fullmatch(text_of(value))
    if not match:
        raise refusal(f"{value!r} is not a window of time such as 18:00-07:00")
    start, end = (_clock(*part.split(":")) for part in re.split(r" ?- ?", match[0]))
    if start == end and not match[0].endswith("24:00"):
        raise refusal(f"the window {value!r} is empty: it ends when it begins")
    return Window(start, end)


def parse_clock(value: object) -> time:
    """A time of day from `18:30` or `18:30:00`."""
    match = _CLOCK.fullmatch(text_of(value))
    if not match:
        raise refusal(f"{value!r} is not a time of day such as 18:30")
    return _clock(*match[0].split(":"))


def parse_weekday(value: object) -> int:
    """0 for `mon` or `monday` to 6 for `sun` or `sunday`."""
    word = text_of(value).lower()
    for number, name in enumerate(WEEKDAYS):
        if word in {name, name[:3]}:
            return number
    names = [*WEEKDAYS, *(name[:3] for name in WEEKDAYS)]
    raise refusal(f"{value!r} is not a weekday such as mon or tuesday", closest(word, names))


def parse_flag(value: object) -> bool:
    """True from `true yes on`, False from `false no off`."""
    word = str(value).strip().lower()
    if word in {"true", "yes", "on"}:
        return True
    if word in {"false", "no", "off"}:
        return False
    raise refusal(f"{value!r} is neither true nor false")


def parse_after(value: object) -> After:
    """`instance`, `series quiet 60s` or `study quiet 60s`."""
    text = text_of(value)
    if text.lower() == "instance":
        return After("instance", 0.0)
    match = _QUIET.fullmatch(text)
    if not match:
        raise refusal(f"{value!r} is none of: instance, series quiet 60s, study quiet 60s")
    scope: Literal["series", "study"] = "series" if match[1].lower() == "series" else "study"
    return After(scope, parse_duration(match[2]))


def parse_give_up(value: object) -> GiveUp:
    """`never`, a duration such as `7d`, or `20 attempts`."""
    text = text_of(value)
    if text.lower() == "never":
        return GiveUp(None, None)
    if match := _ATTEMPTS.fullmatch(text):
        if int(match[1]) == 0:
            raise refusal("at least one attempt is made: 1 attempt or more")
        return GiveUp(None, int(match[1]))
    if not _DURATION.fullmatch(text):
        raise refusal(f"{value!r} is none of: never, a duration such as 7d, a number such as 20 attempts")
    return GiveUp(parse_duration(text), None)


def parse_priority(value: object) -> Priority:
    """`high`, `normal` or `low`."""
    return Priority[one_of(value, ("high", "normal", "low")).upper()]


def parse_late(value: object) -> str:
    """`send`, `hold` or `ignore`."""
    return one_of(value, ("send", "hold", "ignore"))


def one_of(value: object, allowed: tuple[str, ...]) -> str:
    """The one of the `allowed` words that `value` is, whatever its case."""
    word = text_of(value).lower()
    if word not in allowed:
        raise refusal(f"{value!r} is none of: {', '.join(allowed)}", closest(word, allowed))
    return word


def text_of(value: object) -> str:
    """The text of a scalar without surrounding spaces; a list, a mapping or nothing is refused."""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    what = {list: "a list", dict: "a mapping", type(None): "nothing"}.get(type(value), repr(value))
    raise refusal(f"{what} stands where one text is expected")


def _clock(hour: str, minute: str, second: str = "0") -> time:
    """A clock time; hour 24 is midnight."""
    return time(int(hour) % 24, int(minute), int(second))


def _clock_text(clock: time) -> str:
    return clock.strftime("%H:%M:%S" if clock.second else "%H:%M")


def _parsed(done: type, parse: Callable[[object], object], form: str) -> CoreSchema:
    """How pydantic takes a value of our own: parsed from text of this form, or as it is where already parsed."""
    return core_schema.no_info_plain_validator_function(
        lambda value: value if isinstance(value, done) else parse(value),
        json_schema_input_schema=core_schema.str_schema(pattern=f"^({form})$"),
    )


def _written(parse: Callable[[object], object], done: type) -> PlainValidator:
    """The same for a plain type."""
    return PlainValidator(lambda value: value if isinstance(value, done) else parse(value))


def _text_schema(form: str, *examples: str) -> WithJsonSchema:
    """Text of this form, for editors."""
    return WithJsonSchema({"type": "string", "pattern": f"^({form})$", "examples": list(examples)})


Duration = Annotated[float, _written(parse_duration, float), _text_schema(_DURATION_FORM, "30s", "2m", "1h", "7d")]
Size = Annotated[int, _written(parse_size, int), _text_schema(_SIZE_FORM, "500MB", "20GB")]
Flag = Annotated[bool, _written(parse_flag, bool), WithJsonSchema({"type": "boolean"})]
PriorityWord = Annotated[
    Priority, _written(parse_priority, Priority), WithJsonSchema({"type": "string", "enum": ["high", "normal", "low"]})
]
