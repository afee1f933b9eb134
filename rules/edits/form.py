"""Edits as they stand in the configuration: a mapping with exactly one key. What an edit does is not said here."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, PlainValidator, TypeAdapter, ValidationError, WithJsonSchema, with_config
from pydantic_core import InitErrorDetails
from typing_extensions import TypedDict

from rules.edits.anonymise import AnonymiseEdit
from rules.edits.assignment import CopyEdit, SetEdit
from rules.edits.edit import Edit
from rules.edits.identity import NewUidsEdit, PrivateEdit, ShiftDatesEdit
from rules.edits.lookup import LookupEdit
from rules.edits.pixels import BlankPixelsEdit, TranscodeEdit
from rules.edits.removal import BlankEdit, RemoveEdit
from rules.edits.rewriting import (
    LowerEdit,
    PadEdit,
    PrefixEdit,
    ReplaceEdit,
    StripEdit,
    SuffixEdit,
    TruncateEdit,
    UpperEdit,
)
from rules.pixels import TARGETS
from rules.problems import closest
from rules.values import refusal

_Text = Annotated[str, WithJsonSchema({"type": ["string", "number", "boolean"]})]
_Texts = dict[str, _Text]
_ListedTexts = dict[str, _Text | list[_Text]]


@with_config(ConfigDict(extra="forbid"))
class KeywordForm(TypedDict):
    """Names in the manner of the edits that take more than a name."""

    keyword: Annotated[str | list[str], Field(description="The attribute, or a list of attributes.")]


_Names = str | list[str] | KeywordForm


def _said(edit: type[Edit]) -> Any:  # noqa: ANN401 - what pydantic's Field is
    """The edit's own words as help in editors."""
    return Field(description=edit.__doc__)


@with_config(ConfigDict(extra="forbid", json_schema_extra={"minProperties": 1, "maxProperties": 1}))
class EditForm(TypedDict, total=False):
    """One edit: exactly one of these keys."""

    set: Annotated[SetEdit, PlainValidator(SetEdit.parse, json_schema_input_type=_ListedTexts), _said(SetEdit)]
    blank: Annotated[BlankEdit, PlainValidator(BlankEdit.parse, json_schema_input_type=_Names), _said(BlankEdit)]
    remove: Annotated[RemoveEdit, PlainValidator(RemoveEdit.parse, json_schema_input_type=_Names), _said(RemoveEdit)]
    copy: Annotated[CopyEdit, _said(CopyEdit)]
    replace: Annotated[ReplaceEdit, _said(ReplaceEdit)]
    pad: Annotated[PadEdit, _said(PadEdit)]
    prefix: Annotated[PrefixEdit, PlainValidator(PrefixEdit.parse, json_schema_input_type=_Texts), _said(PrefixEdit)]
    suffix: Annotated[SuffixEdit, PlainValidator(SuffixEdit.parse, json_schema_input_type=_Texts), _said(SuffixEdit)]
    strip: Annotated[StripEdit, PlainValidator(StripEdit.parse, json_schema_input_type=_Names), _said(StripEdit)]
    upper: Annotated[UpperEdit, PlainValidator(UpperEdit.parse, json_schema_input_type=_Names), _said(UpperEdit)]
    lower: Annotated[LowerEdit, PlainValidator(LowerEdit.parse, json_schema_input_type=_Names), _said(LowerEdit)]
    truncate: Annotated[
        TruncateEdit, PlainValidator(TruncateEdit.parse, json_schema_input_type=_Texts), _said(TruncateEdit)
    ]
    lookup: Annotated[LookupEdit, _said(LookupEdit)]
    new_uids: Annotated[
        NewUidsEdit, PlainValidator(NewUidsEdit.parse, json_schema_input_type=NewUidsEdit | bool), _said(NewUidsEdit)
    ]
    shift_dates: Annotated[
        ShiftDatesEdit,
        PlainValidator(ShiftDatesEdit.parse, json_schema_input_type=ShiftDatesEdit | int | bool),
        _said(ShiftDatesEdit),
    ]
    private: Annotated[
        PrivateEdit,
        PlainValidator(PrivateEdit.parse, json_schema_input_type=Literal["remove", "keep-safe", "keep"]),
        _said(PrivateEdit),
    ]
    anonymise: Annotated[
        AnonymiseEdit,
        PlainValidator(AnonymiseEdit.parse, json_schema_input_type=AnonymiseEdit | Literal["basic"]),
        _said(AnonymiseEdit),
    ]
    blank_pixels: Annotated[BlankPixelsEdit, _said(BlankPixelsEdit)]
    transcode: Annotated[
        TranscodeEdit,
        PlainValidator(TranscodeEdit.parse, json_schema_input_type=Literal[*TARGETS] | str),
        _said(TranscodeEdit),
    ]


_FORM: TypeAdapter[Any] = TypeAdapter(EditForm)
_NAMES = frozenset(EditForm.__annotations__)
_WITHOUT_OPTIONS = ("anonymise", "new_uids", "shift_dates")  # these may have none


def parse_edit(value: object) -> Edit:
    """One edit from the configuration. A pydantic ValidationError lists every mistake with its loc."""
    if isinstance(value, Edit):
        return value
    if not isinstance(value, Mapping) or len(value) != 1:
        if value in _WITHOUT_OPTIONS:
            raise refusal(f"{value!r} needs a colon after it: '{value}:'")
        raise refusal("an edit is a mapping with exactly one key, such as 'set: {InstitutionName: text}'")
    name = str(next(iter(value)))
    if name not in _NAMES:
        raise ValidationError.from_exception_data("edit", [_unknown(name)])
    edit: Edit = _FORM.validate_python(value)[name]
    return edit


def _unknown(name: str) -> InitErrorDetails:
    """The mistake of an edit that does not exist."""
    meant = closest(name, _NAMES)
    message = f"unknown edit {name!r}" + (f", did you mean {meant!r}?" if meant else "")
    return InitErrorDetails(type=refusal(message), loc=(name, "[key]"), input=name)


AnyEdit = Annotated[Edit, PlainValidator(parse_edit, json_schema_input_type=EditForm)]
