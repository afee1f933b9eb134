"""`anonymise`: the whole header de-identified after PS3.15 Annex E, with the options a rule chooses."""

from typing import ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from rules.anonymising import Cleaner, Egress, first, identifiers, kept_by, mark, person_of, why_look
from rules.attribute import Attribute
from rules.draft import Draft
from rules.edits.edit import Edit, EditContext
from rules.edits.secret import SecretEdit
from rules.errors import EditError, EditHeldError, RulesError
from rules.header import Header
from rules.profiles import profile, safe_private

Keep = Literal["uids", "device", "institution", "patient-characteristics", "safe-private"]
Clean = Literal["descriptors", "structured-content", "graphics"]

_BURNED_IN = Attribute.parse("BurnedInAnnotation")
_WRITES = ("PatientName", "PatientID", "PatientBirthDate", "AccessionNumber", "StudyDate", "SOPInstanceUID")
_DATES = {"remove": (), "shift": ("modified-dates",), "keep": ("full-dates",)}


class PseudonymSettings(BaseModel):
    """Pseudonyms from a table rather than from the secret."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    table: str = Field(min_length=1, description="A table under tables: whose key is the patient ID.")
    column: str | None = Field(default=None, description="The column of the pseudonym; the first after the key.")


class AnonymiseEdit(SecretEdit):
    """De-identify after PS3.15 Annex E: the basic profile with the options named here."""

    is_whole: ClassVar[bool] = True
    is_for_copies: ClassVar[bool] = True

    profile: Literal["basic"] = Field(default="basic", description="The Basic Application Confidentiality Profile.")
    keep: tuple[Keep, ...] = Field(default=(), description="What is kept though the basic profile would not.")
    clean: tuple[Clean, ...] = Field(default=(), description="What is cleaned of identity rather than removed.")
    dates: Literal["remove", "shift", "keep"] = Field(
        default="remove", description="shift: by whole days, for a patient always as many; times are kept."
    )
    secret: str | None = Field(
        default=None, min_length=8, description="From this pseudonyms, UIDs and shifts are made; else from the site's."
    )
    pseudonym: PseudonymSettings | None = Field(default=None, description="Take the patient's pseudonym from a table.")
    burned_in: Literal["hold", "trust"] = Field(
        default="hold",
        description="hold: pictures that may have text in them, and videos, wait for a person. "
        "trust: this device writes no names and records no voices.",
    )

    @classmethod
    def parse(cls, value: object) -> Self:
        """A mapping of the options, the name of the profile alone, or nothing: the profile without any option."""
        options = {} if value is None else {"profile": value} if isinstance(value, str) else value
        return cls.model_validate(options)

    @property
    def options(self) -> frozenset[str]:
        """The options of the profile, named as the table names them."""
        return frozenset({*self.keep, *self.clean, *_DATES[self.dates]})

    def apply(self, draft: Draft, context: EditContext) -> None:
        """De-identify every element at every depth. EditHeldError where a person has to look first."""
        is_blanked = bool(draft.regions) and draft.header.pixel_tag is not None
        if self.burned_in == "hold" and (reason := why_look(draft.header, draft, is_blanked=is_blanked)):
            raise EditHeldError(reason)
        pseudonyms = self.pseudonyms(context)
        patient_id = _first(draft, "PatientID")
        who = person_of(draft)
        pseudonym = self._pseudonym(patient_id, context) or pseudonyms.patient(who)
        Cleaner(
            profile(self.options),
            pseudonyms,
            safe_private() if "safe-private" in self.keep else frozenset(),
            _first(draft, "SOPClassUID"),
            pseudonym,
            patient_id,
            _first(draft, "IssuerOfPatientID"),
            pseudonyms.days(who),
            identifiers(draft.header.top, kept_by(self.options), draft.top.declared_charset),
        ).clean(draft.top)
        for keyword in ("PatientName", "PatientID"):
            draft.set(Attribute.parse(keyword), (pseudonym,))
        if is_blanked:
            draft.set(_BURNED_IN, ("NO",))
        mark(draft.top, self.options | {"pixels"} if is_blanked else self.options)

    def check(self, before: Header, after: Header) -> None:
        """Search the result for what identified the patient. EditHeldError where something is left."""
        if found := Egress(before, profile(self.options), after.top.charset).findings(after):
            places = ", ".join(found[:5])
            raise EditHeldError(f"after de-identification something that identifies is left in {places}")

    def covers(self, earlier: Edit) -> bool:
        """Whether it keeps no more of a header; what is trusted in pictures, and the pseudonyms, may be others."""
        return isinstance(earlier, AnonymiseEdit) and self.options <= earlier.options

    def writes(self) -> tuple[Attribute, ...]:
        """The best known of all it may change."""
        return tuple(map(Attribute.parse, _WRITES))

    def table_names(self) -> tuple[str, ...]:
        """The table of pseudonyms."""
        return (self.pseudonym.table,) if self.pseudonym else ()

    def _pseudonym(self, patient_id: str, context: EditContext) -> str | None:
        """What the table says; EditHeldError for a patient it does not have."""
        if self.pseudonym is None:
            return None
        table = context.tables.get(self.pseudonym.table)
        if table is None:
            raise EditError(f"there is no table {self.pseudonym.table!r}")
        try:
            found = table.lookup(patient_id, self.pseudonym.column) if patient_id else None
        except RulesError as error:
            raise EditError(str(error)) from None
        if not found:
            raise EditHeldError(f"PatientID: the table {self.pseudonym.table!r} has no pseudonym for it")
        return found


def _first(draft: Draft, keyword: str) -> str:
    return first(draft, Attribute.parse(keyword))
