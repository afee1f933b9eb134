"""What every edit is: a frozen model that can be applied to a draft. No edit itself stands here."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar

from pydantic import BaseModel, ConfigDict, PlainValidator

from rules.attribute import Attribute, Step
from rules.draft import Draft
from rules.edits.table import Table
from rules.errors import AttributeNameError, EditHeldError
from rules.facts import Arrival
from rules.header import Header
from rules.values import refusal, text_of

_SOP_CLASS_UID = 0x00080016
_SOP_INSTANCE_UID = 0x00080018
_HIERARCHY = frozenset({0x0020000D, 0x0020000E})
_OPAQUE = frozenset({"SQ", "OB", "OD", "OF", "OL", "OV", "OW", "UN", "OB or OW"})


@dataclass(frozen=True, slots=True)
class EditContext:
    """What an edit may use besides the draft: facts of the arrival, tables by name, and the site's secret.

    `by_hand` are the attributes that a person has given a value in answer to the rule, by their steps.
    """

    arrival: Arrival
    tables: Mapping[str, Table]
    secret: bytes = b""  # the site's own, from which pseudonyms are made
    by_hand: frozenset[tuple[Step, ...]] = frozenset()

    def secret_or(self, own: str | None) -> bytes:
        """An edit's `own` secret, else the site's. EditHeldError where there is neither."""
        if secret := own.encode() if own else self.secret:
            return secret
        raise EditHeldError(
            "there is no secret to make new values from: put data/configuration/secret back and start the appliance "
            "again, or name one in the rule (secret: ...)"
        )


class Edit(BaseModel):
    """One edit of a rule, as read from the configuration."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)
    is_whole: ClassVar[bool] = False  # goes through every element, so that nothing it has not seen may leave
    is_for_copies: ClassVar[bool] = False  # makes another instance of it, which the archive's own must not become

    def apply(self, draft: Draft, context: EditContext) -> None:
        """Make the edit. EditError (EditHeldError, EditRejectedError) if it cannot be made."""
        raise NotImplementedError

    def check(self, before: Header, after: Header) -> None:
        """Look at what all edits of a rule have made of a header. EditHeldError where it must not leave."""

    @property
    def needs_secret(self) -> bool:
        """Whether its result is made from the secret of the site."""
        return False

    @property
    def own_secret(self) -> str | None:
        """The secret that it names, and that its result is made from."""
        return None

    def covers(self, earlier: "Edit") -> bool:
        """Whether nothing is left in a copy by this edit that an `earlier` one in its place would have changed."""
        return self == earlier

    def writes(self) -> tuple[Attribute, ...]:
        """The attributes the edit may change."""
        raise NotImplementedError

    def reads(self) -> tuple[Attribute, ...] | None:
        """What the edit takes besides what it may change, if it depends on those and on tables alone; else None."""
        return None

    def table_names(self) -> tuple[str, ...]:
        """The tables the edit looks things up in."""
        return ()


def parse_attribute(value: object) -> Attribute:
    """An attribute's name from the configuration. PydanticCustomError with a suggestion if there is none."""
    name = text_of(value).strip()
    try:
        return Attribute.parse(name)
    except AttributeNameError as error:
        raise refusal(f"{name!r} is not a DICOM keyword, tag or path", error.suggestion) from None


def parse_removable(value: object) -> Attribute:
    """An attribute that an edit may blank or remove."""
    attribute = parse_attribute(value)
    if reason := attribute.unwritable_reason:
        raise refusal(f"{attribute.name} cannot be edited: {reason}")
    tag = attribute.steps[0].tag if len(attribute.steps) == 1 else None
    if tag == _SOP_INSTANCE_UID:
        raise refusal("SOPInstanceUID is changed only by new_uids")
    if tag == _SOP_CLASS_UID:
        raise refusal("SOPClassUID cannot be changed: it says what the instance is")
    return attribute


def parse_writable(value: object) -> Attribute:
    """An attribute that an edit may give a text."""
    attribute = parse_removable(value)
    if attribute.vr in _OPAQUE:
        raise refusal(f"{attribute.name} holds no text (VR {attribute.vr})")
    return attribute


def parse_erasable(value: object) -> Attribute:
    """An attribute that an instance can do without."""
    attribute = parse_removable(value)
    if len(attribute.steps) == 1 and attribute.steps[0].tag in _HIERARCHY:
        raise refusal(f"{attribute.name} cannot be removed or emptied: the instance would belong nowhere")
    return attribute


def _parse_readable(value: object) -> Attribute:
    """An attribute whose text an edit may take."""
    attribute = parse_attribute(value)
    if attribute.vr in _OPAQUE:
        raise refusal(f"{attribute.name} holds no text (VR {attribute.vr})")
    return attribute


WritableAttribute = Annotated[Attribute, PlainValidator(parse_writable, json_schema_input_type=str)]
ReadableAttribute = Annotated[Attribute, PlainValidator(_parse_readable, json_schema_input_type=str)]
