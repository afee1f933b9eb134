"""`anonymise`: the whole header de-identified after PS3.15 Annex E, with the options a rule chooses."""

from typing import ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from rules.anonymising import Cleaner, Egress, Pseudonyms, identifiers, kept_by, mark
from rules.attribute import Attribute
from rules.draft import Draft
from rules.edits.edit import Edit, EditContext
from rules.errors import EditError, EditHeldError, RulesError
from rules.header import Header
from rules.pixels import has_overlay_in_pixels
from rules.profiles import profile, safe_private

Keep = Literal["uids", "device", "institution", "patient-characteristics", "safe-private"]
Clean = Literal["descriptors", "structured-content", "graphics"]

_BURNED_IN = Attribute.parse("BurnedInAnnotation")
_WRITES = ("PatientName", "PatientID", "PatientBirthDate", "AccessionNumber", "StudyDate", "SOPInstanceUID")
_SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"  # and all classes below
_CARRIES_TEXT = frozenset({"DOC", "ECG", "ES", "IVUS", "OAM", "OT", "SC", "US", "XC"})  # modalities
_OVERLAY_LEFT = (
    "an overlay lies in bits of the pixels, and names may be written in it: taking its header away leaves it there; "
    "burned_in: trust, if this device writes none"
)
_DATES = {"remove": (), "shift": ("modified-dates",), "keep": ("full-dates",)}


class PseudonymSettings(BaseModel):
    """Pseudonyms from a table rather than from the secret."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    table: str = Field(min_length=1, description="A table under tables: whose key is the patient ID.")
    column: str | None = Field(default=None, description="The column of the pseudonym; the first after the key.")


class AnonymiseEdit(Edit):
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
        description="hold: pictures that may have text in them wait for a person. trust: this device writes none.",
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
        if self.burned_in == "hold":
            if draft.header.pixel_tag is not None and has_overlay_in_pixels(draft.header):
                raise EditHeldError(_OVERLAY_LEFT)
            if not is_blanked and (reason := _may_show_names(draft)):
                raise EditHeldError(reason)
        pseudonyms = Pseudonyms(context.secret_or(self.secret))
        patient_id = _first(draft, "PatientID")
        who = patient_id or _first(draft, "StudyInstanceUID")
        pseudonym = self._pseudonym(patient_id, context) or pseudonyms.patient(who)
        Cleaner(
            profile(self.options),
            pseudonyms,
            safe_private() if "safe-private" in self.keep else frozenset(),
            _first(draft, "SOPClassUID"),
            pseudonym,
            patient_id,
            pseudonyms.days(who),
            identifiers(draft.header.top, kept_by(self.options)),
        ).clean(draft.top)
        for keyword in ("PatientName", "PatientID"):
            draft.set(Attribute.parse(keyword), (pseudonym,))
        if is_blanked:
            draft.set(_BURNED_IN, ("NO",))
        mark(draft.top, self.options | {"pixels"} if is_blanked else self.options)

    def check(self, before: Header, after: Header) -> None:
        """Search the result for what identified the patient. EditHeldError where something is left."""
        if found := Egress(before, profile(self.options)).findings(after):
            places = ", ".join(found[:5])
            raise EditHeldError(f"after de-identification something that identifies is left in {places}")

    @property
    def own_secret(self) -> str | None:
        """What it names, None for the site's."""
        return self.secret

    @property
    def needs_secret(self) -> bool:
        """Unless it names its own: UIDs are made from it also where pseudonyms come from a table."""
        return self.secret is None

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


def _may_show_names(draft: Draft) -> str | None:
    """Why the pictures may have a name written into them, None if there is no reason to think so."""
    if draft.header.pixel_tag is None:
        return None
    burned_in = _first(draft, "BurnedInAnnotation").upper()
    if burned_in == "YES":
        return "BurnedInAnnotation is YES: names may be written into the picture; blank_pixels, or burned_in: trust"
    if burned_in == "NO":
        return None
    image_type = " ".join(draft.values(Attribute.parse("ImageType")) or ()).upper()
    if (
        _first(draft, "SOPClassUID").startswith(_SECONDARY_CAPTURE)
        or _first(draft, "Modality").upper() in _CARRIES_TEXT
        or "SCREEN" in image_type
    ):
        return "a picture of this kind may have names written into it; blank_pixels, or burned_in: trust"
    return None


def _first(draft: Draft, keyword: str) -> str:
    """The first value of an attribute, "" if there is none."""
    return (draft.values(Attribute.parse(keyword)) or ("",))[0].strip()
