"""What conditions and tests look like in YAML, for editors: models of a JSON Schema that validate nothing."""

from typing import Annotated, Any, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema
from typing_extensions import TypeAliasType

from rules.values import Flag, Window

# An editor reads `8` and `true` as YAML 1.2 does; to the appliance every scalar is text.
Text: TypeAlias = Annotated[str, WithJsonSchema({"type": ["string", "number", "boolean"]})]
Texts = TypeAliasType("Texts", Text | list[Text])
Value = TypeAliasType("Value", "Text | OperatorForm | list[Text | OperatorForm]")
Windows = TypeAliasType("Windows", "Window | list[Window] | NotForm")


def _entry(
    description: str, *, alias: str | None = None, min_length: int | None = None, max_length: int | None = None
) -> Any:  # noqa: ANN401 - it stands where a value of any type does
    """An entry that may be left out and has no default."""
    return Field(
        default=None,
        description=description,
        json_schema_extra=without_default,
        alias=alias,
        min_length=min_length,
        max_length=max_length,
    )


def without_default(schema: dict[str, Any]) -> None:
    """Leave out a default that an editor would only write down as null."""
    schema.pop("default", None)


class OperatorForm(BaseModel):
    """Exactly one of these operators. An absent attribute only ever satisfies `present: false` and `not:`."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"minProperties": 1, "maxProperties": 1})

    matches: Texts = _entry("The whole value matches this regular expression (RE2 syntax), in any case.")
    contains: Texts = _entry("The text stands somewhere in the value.")
    starts: Texts = _entry("The value begins with the text.")
    ends: Texts = _entry("The value ends with the text.")
    exactly: Texts = _entry("As written: case and surrounding spaces count, * and ? are plain characters.")
    above: Text = _entry("Greater than this number, date (20240131), time (13:30) or age (018Y).")
    below: Text = _entry("Less than this number, date (20240131), time (13:30) or age (018Y).")
    between: list[Text] = _entry("From the first to the second, both included.", min_length=2, max_length=2)
    present: Flag = _entry("true: the attribute is there, even if empty; false: it is absent.")
    not_: Value = _entry("Does not hold; so an absent attribute passes.", alias="not")


class NotForm(BaseModel):
    """The contrary of a value."""

    model_config = ConfigDict(extra="forbid")

    not_: Texts = Field(alias="not", description="None of these.")


class ConditionForm(BaseModel):
    """Every entry must hold.

    A name is a DICOM keyword, a tag such as (0019,100C), a private tag with its creator such as
    (0019,xx0C GEMS_ACQU_01), or a path into sequences such as RequestAttributesSequence[0].ScheduledProcedureStepID.
    A value is a text in any case, in which * and ? are wildcards; a list of which any will do; or an operator.
    """

    model_config = ConfigDict(extra="allow", json_schema_extra={"minProperties": 1})
    __pydantic_extra__: dict[str, Value]

    all_: "list[ConditionForm]" = _entry("Every one of these conditions holds.", alias="all", min_length=1)
    any_: "list[ConditionForm]" = _entry("At least one of these conditions holds.", alias="any", min_length=1)
    not_: "ConditionForm" = _entry("This condition does not hold.", alias="not")
    source: Value = _entry("The name of the source under `sources:`; absent for an unknown sender.")
    calling_ae: Value = _entry("The AE title the sender gave as its own.")
    called_ae: Value = _entry("The AE title the sender called.")
    host: Value = _entry("The sender's address or name, or a network such as 10.1.0.0/16.")
    time: Windows = _entry("The clock time of arrival lies in this window, such as 18:00-07:00.")
    weekday: Value = _entry("The day of arrival: mon, tuesday, ...; a list for several.")
    suv_computable: Flag | NotForm = _entry("Whether SUVs can be computed from the header of a PET image.")
    same_frame_of_reference: Texts | NotForm = _entry(
        "The series of these modalities that are known of the study have one Frame of Reference UID."
    )


class GivenForm(BaseModel):
    """An instance: any name that a condition knows. An attribute that is not named is absent; a list is many values."""

    model_config = ConfigDict(extra="allow", json_schema_extra={"minProperties": 1})
    __pydantic_extra__: dict[str, Texts | None]

    source: Text = _entry("The name of the source it comes from; without it, an unknown sender.")
    calling_ae: Text = _entry("The AE title the sender gives as its own.")
    called_ae: Text = _entry("The AE title the sender calls.")
    host: Text = _entry("The sender's address or name.")
    time: Text = _entry("The clock time of arrival, such as 19:30.")
    weekday: Text = _entry("The day of arrival, such as mon or tuesday.")
    same_frame_of_reference: Flag = _entry("false: series of the study were filed before that have different frames.")


class ExpectForm(BaseModel):
    """What must come out. An attribute is that of the normalised header; null means absent or empty."""

    model_config = ConfigDict(extra="allow", json_schema_extra={"minProperties": 1})
    __pydantic_extra__: dict[str, Texts | None]

    to: Texts = _entry("Exactly these destinations; [] for none.")
    held: Flag = _entry("Whether it waits for a person.")
    rejected: Flag = _entry("Whether it is rejected.")
    warned: Flag = _entry("Whether a rule lets it through and warns.")
    at: dict[str, dict[str, Texts | None]] = _entry("For each destination the attributes of the copy it gets.")
