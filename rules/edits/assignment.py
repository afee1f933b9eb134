"""`set` and `copy`: giving an attribute a text, or another attribute's values."""

import re
from dataclasses import dataclass
from typing import Self

from pydantic import Field, InstanceOf

from rules.attribute import Attribute
from rules.charset import UTF_8
from rules.decoding import SINGLE_VALUE_VRS
from rules.draft import Draft
from rules.edits.edit import Edit, EditContext, ReadableAttribute, WritableAttribute, parse_attribute, parse_writable
from rules.edits.pairs import PairReader, literal_text
from rules.encoding import encode_values
from rules.errors import EditError, EditHeldError
from rules.values import refusal

_PIECE = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]|[^{}]+")


@dataclass(frozen=True, slots=True)
class Template:
    """A text with places for attributes' values: literal texts and attributes in turns."""

    pieces: tuple[str | Attribute, ...]

    @classmethod
    def parse(cls, text: str) -> "Template":
        """Read `{Keyword}`, `{{` and `}}`. PydanticCustomError for an unknown name or a lone brace."""
        pieces: list[str | Attribute] = []
        for match in _PIECE.finditer(text):
            if match[1] is not None:
                pieces.append(parse_attribute(match[1]))
            elif match[0] in {"{", "}"}:
                raise refusal(f"a lone {match[0]} in the text; write {match[0] * 2} for the character itself")
            else:
                pieces.append({"{{": "{", "}}": "}"}.get(match[0], match[0]))
        return cls(tuple(pieces))

    @property
    def constant(self) -> str | None:
        """The text, if it takes no values."""
        texts = [piece for piece in self.pieces if isinstance(piece, str)]
        return "".join(texts) if len(texts) == len(self.pieces) else None

    def fill(self, draft: Draft) -> str:
        """The text with the draft's present values. EditHeldError if one is absent or empty."""
        return "".join(piece if isinstance(piece, str) else _present_text(piece, draft) for piece in self.pieces)


def _present_text(attribute: Attribute, draft: Draft) -> str:
    """An attribute's values as one text. EditHeldError if there are none."""
    text = "\\".join(draft.values(attribute) or ())
    if not text:
        raise EditHeldError(f"{attribute.name} is absent or empty, so its value cannot be taken")
    return text


def split_values(attribute: Attribute, text: str) -> tuple[str, ...]:
    """A text as values: a backslash parts them, except where it is a character like any other."""
    if not text:
        return ()
    return (text,) if attribute.vr in SINGLE_VALUE_VRS else tuple(text.split("\\"))


def parse_template(attribute: Attribute, value: object) -> Template:
    """The text of a `set`, or a list of them; one without places is checked against its VR at once."""
    if isinstance(value, list) and value and attribute.maximum_values != 1 and attribute.vr not in SINGLE_VALUE_VRS:
        text = "\\".join(literal_text(each) for each in value)
    else:
        text = literal_text(value)
    template = Template.parse(text)
    constant = template.constant
    if constant is not None:
        check_constant(attribute, constant)
    return template


def check_constant(attribute: Attribute, text: str) -> None:
    """PydanticCustomError if the dictionary's VR and VM can never hold the text."""
    values = split_values(attribute, text)
    most = attribute.maximum_values
    if most is not None and len(values) > most:
        raise refusal(f"{attribute.name} holds {most} value(s) only")
    vr = attribute.vr
    if vr is None or " or " in vr:
        return
    try:
        encode_values(values, vr, little=True, charset=UTF_8)
    except EditError as error:
        raise refusal(f"{attribute.name}: {error}") from None


class SetEdit(Edit):
    """Give attributes a text; `{Keyword}` in it stands for a value of the instance."""

    assignments: tuple[tuple[InstanceOf[Attribute], InstanceOf[Template]], ...]

    @classmethod
    def parse(cls, value: object) -> Self:
        """Read `{Keyword: text, …}`; a list of texts is several values."""
        return cls(assignments=PairReader(parse_writable, parse_template).read(value))

    def apply(self, draft: Draft, context: EditContext) -> None:  # noqa: ARG002
        """Set each in turn; a later one sees the ones before."""
        for attribute, template in self.assignments:
            draft.set(attribute, split_values(attribute, template.fill(draft)))

    def reads(self) -> tuple[Attribute, ...]:
        """The attributes whose values stand in the texts."""
        return tuple(piece for _, text in self.assignments for piece in text.pieces if isinstance(piece, Attribute))

    def writes(self) -> tuple[Attribute, ...]:
        """The attributes the edit may change."""
        return tuple(attribute for attribute, _ in self.assignments)


class CopyEdit(Edit):
    """Give an attribute the values of another; where that is absent, the attribute is removed."""

    source: ReadableAttribute = Field(alias="from", description="The attribute whose values are taken.")
    target: WritableAttribute = Field(alias="to", description="The attribute that gets them.")

    def apply(self, draft: Draft, context: EditContext) -> None:  # noqa: ARG002
        """Set the target to the source's values, or remove it."""
        values = draft.values(self.source)
        if values is None:
            draft.remove(self.target)
        else:
            draft.set(self.target, split_values(self.target, "\\".join(values)))

    def reads(self) -> tuple[Attribute, ...]:
        """The attribute whose values are taken."""
        return (self.source,)

    def writes(self) -> tuple[Attribute, ...]:
        """The attribute the edit may change."""
        return (self.target,)
