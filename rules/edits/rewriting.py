"""Edits that make a new value of each old one: upper, lower, strip, pad, prefix, suffix, truncate, replace.

An absent attribute and an empty value stay as they are.
"""

import re
from collections.abc import Callable
from functools import cached_property
from typing import Any, Self

import re2
from pydantic import Field, InstanceOf, field_validator, model_validator

from rules.attribute import Attribute
from rules.draft import Draft
from rules.edits.edit import Edit, EditContext, WritableAttribute, parse_writable
from rules.edits.pairs import PairReader, count, literal_text
from rules.edits.removal import NamesEdit
from rules.values import refusal

_LONGEST_PATTERN = 10_000
_GROUP = re.compile(r"\\(\d|.|$)", re.DOTALL)


def rewrite(draft: Draft, attribute: Attribute, change: Callable[[str], str]) -> None:
    """Change every value that is not empty, in every place the attribute is present."""
    draft.rewrite(attribute, lambda values: [change(value) if value else value for value in values])


class UpperEdit(NamesEdit):
    """Make letters capitals."""

    def apply(self, draft: Draft, context: EditContext) -> None:  # noqa: ARG002
        """Rewrite each attribute."""
        for attribute in self.attributes:
            rewrite(draft, attribute, str.upper)


class LowerEdit(NamesEdit):
    """Make letters small."""

    def apply(self, draft: Draft, context: EditContext) -> None:  # noqa: ARG002
        """Rewrite each attribute."""
        for attribute in self.attributes:
            rewrite(draft, attribute, str.lower)


class StripEdit(NamesEdit):
    """Take spaces away at both ends."""

    def apply(self, draft: Draft, context: EditContext) -> None:  # noqa: ARG002
        """Rewrite each attribute."""
        for attribute in self.attributes:
            rewrite(draft, attribute, str.strip)


class PadEdit(Edit):
    """Fill values up on the left to a width."""

    keyword: WritableAttribute = Field(description="The attribute to pad.")
    width: int = Field(ge=1, le=10240, description="The number of characters a value has at least.")
    fill: str = Field(
        default="0", alias="with", min_length=1, max_length=1, description="One character, 0 if not said."
    )

    def apply(self, draft: Draft, context: EditContext) -> None:  # noqa: ARG002
        """Rewrite the attribute."""
        rewrite(draft, self.keyword, lambda value: value.rjust(self.width, self.fill))

    def reads(self) -> tuple[Attribute, ...]:
        """Nothing but what it may change."""
        return ()

    def writes(self) -> tuple[Attribute, ...]:
        """The attribute the edit may change."""
        return (self.keyword,)


class _TextsEdit(Edit):
    """An edit of attributes with a text for each."""

    texts: tuple[tuple[InstanceOf[Attribute], str], ...]

    @classmethod
    def parse(cls, value: object) -> Self:
        """Read `{Keyword: text, …}` or `{keyword: Keyword, with: text}`."""
        reader = PairReader(parse_writable, lambda _, text: literal_text(text), ("with",))
        return cls(texts=reader.read(value))

    def reads(self) -> tuple[Attribute, ...]:
        """Nothing but what it may change."""
        return ()

    def writes(self) -> tuple[Attribute, ...]:
        """The attributes the edit may change."""
        return tuple(attribute for attribute, _ in self.texts)


class PrefixEdit(_TextsEdit):
    """Put a text before values."""

    def apply(self, draft: Draft, context: EditContext) -> None:  # noqa: ARG002
        """Rewrite each attribute."""
        for attribute, text in self.texts:
            rewrite(draft, attribute, lambda value, text=text: text + value)  # type: ignore[misc]


class SuffixEdit(_TextsEdit):
    """Put a text after values."""

    def apply(self, draft: Draft, context: EditContext) -> None:  # noqa: ARG002
        """Rewrite each attribute."""
        for attribute, text in self.texts:
            rewrite(draft, attribute, lambda value, text=text: value + text)  # type: ignore[misc]


class TruncateEdit(Edit):
    """Cut values off after a number of characters."""

    widths: tuple[tuple[InstanceOf[Attribute], int], ...]

    @classmethod
    def parse(cls, value: object) -> Self:
        """Read `{Keyword: width, …}` or `{keyword: Keyword, width: width}`; `length` is the same as `width`."""
        reader = PairReader(parse_writable, lambda _, width: count(width), ("width", "length"))
        return cls(widths=reader.read(value))

    def apply(self, draft: Draft, context: EditContext) -> None:  # noqa: ARG002
        """Rewrite each attribute."""
        for attribute, width in self.widths:
            rewrite(draft, attribute, lambda value, width=width: value[:width])  # type: ignore[misc]

    def reads(self) -> tuple[Attribute, ...]:
        """Nothing but what it may change."""
        return ()

    def writes(self) -> tuple[Attribute, ...]:
        """The attributes the edit may change."""
        return tuple(attribute for attribute, _ in self.widths)


class ReplaceEdit(Edit):
    r"""Replace every match of a regular expression; `\1` in the new text is the first group, case counts."""

    keyword: WritableAttribute = Field(description="The attribute whose values are changed.")
    pattern: str = Field(min_length=1, max_length=_LONGEST_PATTERN, description="A regular expression (RE2 syntax).")
    replacement: str = Field(alias="with", description=r"The new text; \1 is the first group of the pattern.")

    @field_validator("pattern")
    @classmethod
    def _compiles(cls, pattern: str) -> str:
        """Refuse what is no regular expression."""
        try:
            _compiled(pattern)
        except re2.error as error:
            detail = error.args[0].decode("utf-8", "replace") if isinstance(error.args[0], bytes) else str(error)
            raise refusal(f"{pattern!r} is not a regular expression: {detail}") from None
        return pattern

    @model_validator(mode="after")
    def _has_the_groups(self) -> Self:
        r"""Refuse `\2` where the pattern has one group."""
        groups = self._expression.groups
        for match in _GROUP.finditer(self.replacement):
            if match[1] != "\\" and not (match[1].isdecimal() and int(match[1]) <= groups):
                raise refusal(f"{match[0]!r} in with: names no group of the pattern; \\\\ is a backslash")
        return self

    @cached_property
    def _expression(self) -> Any:  # noqa: ANN401 - re2 has no types
        """The compiled pattern."""
        return _compiled(self.pattern)

    def apply(self, draft: Draft, context: EditContext) -> None:  # noqa: ARG002
        """Rewrite the attribute."""
        rewrite(draft, self.keyword, lambda value: str(self._expression.sub(self.replacement, value)))

    def reads(self) -> tuple[Attribute, ...]:
        """Nothing but what it may change."""
        return ()

    def writes(self) -> tuple[Attribute, ...]:
        """The attribute the edit may change."""
        return (self.keyword,)


def _compiled(pattern: str) -> Any:  # noqa: ANN401 - re2 has no types
    """The pattern for linear-time matching, silent about mistakes."""
    options = re2.Options()
    options.log_errors = False
    return re2.compile(pattern, options)
