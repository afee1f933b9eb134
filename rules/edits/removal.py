"""`blank` and `remove`: emptying attributes or taking them away, wherever they are present."""

from collections.abc import Mapping
from typing import Self

from pydantic import InstanceOf, ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

from rules.attribute import Attribute
from rules.draft import Draft
from rules.edits.edit import Edit, EditContext, parse_erasable, parse_writable
from rules.values import refusal


class NamesEdit(Edit):
    """An edit of a list of attributes."""

    attributes: tuple[InstanceOf[Attribute], ...]

    @staticmethod
    def parse_name(value: object) -> Attribute:
        """One name, as this edit allows it."""
        return parse_writable(value)

    @classmethod
    def parse(cls, value: object) -> Self:
        """Read a name, a list of names, or either as `{keyword: …}`. A pydantic ValidationError lists every mistake."""
        outer: tuple[int | str, ...] = ()
        if isinstance(value, Mapping) and list(value) == ["keyword"]:
            outer, value = ("keyword",), value["keyword"]
        if not isinstance(value, str | list) or not value:
            raise refusal("the name of an attribute, or a list of names, is expected here")
        attributes: list[Attribute] = []
        errors: list[InitErrorDetails] = []
        for index, name in enumerate([value] if isinstance(value, str) else value):
            try:
                attributes.append(cls.parse_name(name))
            except PydanticCustomError as error:
                loc = (*outer, index) if isinstance(value, list) else outer
                errors.append(InitErrorDetails(type=error, loc=loc, input=name))
        if errors:
            raise ValidationError.from_exception_data("edit", errors)
        return cls(attributes=tuple(attributes))

    def reads(self) -> tuple[Attribute, ...]:
        """Nothing but what it may change."""
        return ()

    def writes(self) -> tuple[Attribute, ...]:
        """The attributes the edit may change."""
        return self.attributes


class _ErasingEdit(NamesEdit):
    """What `blank` and `remove` have in common."""

    @staticmethod
    def parse_name(value: object) -> Attribute:
        """One name of an attribute that an instance can do without."""
        return parse_erasable(value)


class BlankEdit(_ErasingEdit):
    """Empty attributes where they are present."""

    def apply(self, draft: Draft, context: EditContext) -> None:  # noqa: ARG002
        """Empty each."""
        for attribute in self.attributes:
            draft.blank(attribute)


class RemoveEdit(_ErasingEdit):
    """Take attributes away where they are present; a sequence with all its items."""

    def apply(self, draft: Draft, context: EditContext) -> None:  # noqa: ARG002
        """Remove each."""
        for attribute in self.attributes:
            draft.remove(attribute)
