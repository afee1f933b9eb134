"""Reading mappings of attributes to texts from the configuration, every mistake at its place. It applies nothing."""

from collections.abc import Callable, Iterator, Mapping
from typing import Generic, TypeVar

from pydantic import ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

from rules.attribute import Attribute
from rules.values import refusal

T = TypeVar("T")
Loc = tuple[int | str, ...]
_KEY = "[key]"  # tells the loader that the key itself is wrong, not what stands under it


class PairReader(Generic[T]):
    """Reads `{Keyword: text, …}`; with `long_form` also `{keyword: Keyword, <long_form>: text}`."""

    def __init__(
        self,
        parse_name: Callable[[object], Attribute],
        parse_text: Callable[[Attribute, object], T],
        long_forms: tuple[str, ...] = (),
    ) -> None:
        self._parse_name = parse_name
        self._parse_text = parse_text
        self._long_forms = long_forms

    def read(self, value: object) -> tuple[tuple[Attribute, T], ...]:
        """The pairs in order. A pydantic ValidationError lists every mistake with its loc."""
        errors: list[InitErrorDetails] = []
        pairs: list[tuple[Attribute, T]] = []
        for name_loc, name, text_loc, text in self._entries(value):
            loc, given = name_loc, name
            try:
                attribute = self._parse_name(name)
                loc, given = text_loc, text
                pairs.append((attribute, self._parse_text(attribute, text)))
            except PydanticCustomError as error:
                errors.append(InitErrorDetails(type=error, loc=loc, input=given))
        if errors:
            raise ValidationError.from_exception_data("edit", errors)
        return tuple(pairs)

    def _entries(self, value: object) -> Iterator[tuple[Loc, object, Loc, object]]:
        """Name and text of each entry, each with its loc."""
        if not isinstance(value, Mapping) or not value:
            raise refusal("a mapping of attributes is expected here, such as {InstitutionName: text}")
        if "keyword" in value:
            yield self._long_entry(value)
            return
        for name, text in value.items():
            yield (str(name), _KEY), name, (str(name),), text

    def _long_entry(self, value: Mapping[object, object]) -> tuple[Loc, object, Loc, object]:
        """The one entry of the long form."""
        form = next((form for form in self._long_forms if form in value), None)
        if form is None or len(value) != 2:
            expected = self._long_forms[0] if self._long_forms else None
            raise refusal(f"expected {{keyword: …, {expected}: …}}" if expected else "'keyword' is not an attribute")
        return ("keyword",), value["keyword"], (form,), value[form]


def literal_text(value: object) -> str:
    """A scalar's text to the letter, spaces and all; nothing, a list or a mapping is refused."""
    if isinstance(value, str):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    if value is None:
        raise refusal('no text; write "" or the edit blank to empty the attribute, remove to take it away')
    raise refusal("one text is expected here")


def count(value: object) -> int:
    """A whole number of characters, at least one."""
    text = literal_text(value).strip()
    if not text.isascii() or not text.isdecimal() or not 1 <= int(text[:6]) <= 10240:
        raise refusal(f"{text!r} is not a number of characters from 1 to 10240")
    return int(text)
