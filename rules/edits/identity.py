"""`new_uids`, `shift_dates` and `private`: single steps of de-identification. All of it at once is `anonymise`."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, PlainValidator

from rules.anonymising import drop_private, everywhere, person_of, replace_uids, shift_dates
from rules.attribute import Attribute
from rules.draft import Draft
from rules.edits.edit import Edit, EditContext
from rules.edits.secret import SecretEdit
from rules.profiles import safe_private
from rules.values import refusal, text_of

_FARTHEST_DAYS = 36_525  # a century
_UIDS = tuple(map(Attribute.parse, ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "FrameOfReferenceUID")))
_DATES = tuple(map(Attribute.parse, ("StudyDate", "SeriesDate", "AcquisitionDate", "ContentDate", "PatientBirthDate")))


def _days(value: object) -> int:
    text = text_of(value).strip()
    try:
        days = int(text)
    except ValueError:
        days = 0
    if not 1 <= abs(days) <= _FARTHEST_DAYS:
        raise refusal(f"{text!r} is not a number of days such as -30")
    return days


def _is_bare(value: object) -> bool:
    """Whether an edit stands without options."""
    return value is None or str(value).strip().lower() in {"true", "yes"}


class NewUidsEdit(SecretEdit):
    """New UIDs for study, series, instance and all references, the same for the same at any time."""

    is_for_copies: ClassVar[bool] = True

    @classmethod
    def parse(cls, value: object) -> Self:
        """A mapping with a secret, or nothing more than `true`."""
        return cls() if _is_bare(value) else cls.model_validate(value)

    def apply(self, draft: Draft, context: EditContext) -> None:
        """Replace them at every depth."""
        replace_uids(draft.top, self.pseudonyms(context))

    def writes(self) -> tuple[Attribute, ...]:
        """The best known of them."""
        return _UIDS


class ShiftDatesEdit(SecretEdit):
    """Move every date by whole days, for a patient always as many; times stay. A date that is none is emptied."""

    days: Annotated[int | None, PlainValidator(_days, json_schema_input_type=int | str)] = Field(
        default=None,
        description="By how many days; without it, by a number made from the secret, the patient ID and its issuer.",
    )

    @property
    def needs_secret(self) -> bool:
        """Unless it names its own, or the number of days."""
        return self.secret is None and self.days is None

    @classmethod
    def parse(cls, value: object) -> Self:
        """A mapping, the number of days alone, or nothing more than `true`."""
        if _is_bare(value):
            return cls()
        return cls.model_validate({"days": value} if isinstance(value, str | int) else value)

    def apply(self, draft: Draft, context: EditContext) -> None:
        """Move them at every depth."""
        days = self.days
        if days is None:
            days = self.pseudonyms(context).days(person_of(draft))
        shift_dates(draft.top, days)

    def writes(self) -> tuple[Attribute, ...]:
        """The best known of them."""
        return _DATES


class PrivateEdit(Edit):
    """Private attributes: remove all, keep-safe those known to hold no identity (PS3.15 E.3.10), or keep all."""

    which: Literal["remove", "keep-safe", "keep"]

    @classmethod
    def parse(cls, value: object) -> Self:
        """One of the three words."""
        text = text_of(value)
        if text not in {"remove", "keep-safe", "keep"}:
            raise refusal(f"{text!r} is none of remove, keep-safe and keep")
        return cls.model_validate({"which": text})

    def apply(self, draft: Draft, context: EditContext) -> None:  # noqa: ARG002
        """Take away what shall not be there, at every depth."""
        if self.which != "keep":
            safe = safe_private() if self.which == "keep-safe" else frozenset()
            for level in everywhere(draft.top):
                drop_private(level, safe)

    def writes(self) -> tuple[Attribute, ...]:
        """None that has a name."""
        return ()
