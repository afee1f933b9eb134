"""Goes through every element at every depth of a draft and does to it what the profile says. It searches no result."""

from dataclasses import dataclass

from rules.anonymising.dates import shifted
from rules.anonymising.dummies import EMPTY_PDF, dummy_bytes, dummy_text
from rules.anonymising.identifiers import Identifiers, names_a_class
from rules.anonymising.parts import drop_private
from rules.anonymising.people import person
from rules.anonymising.pseudonyms import Pseudonyms
from rules.anonymising.sound import may_be_voice, silence
from rules.anonymising.text import without_identity, without_words
from rules.attribute import SPECIFIC_CHARACTER_SET, tag_vr
from rules.charset import UnencodableError, defined
from rules.decoding import TEXT_VRS
from rules.encoding import encode_values
from rules.errors import EditError, EditHeldError
from rules.overlay import EditedLevel, Replacement
from rules.profiles import Action, Profile, SafePrivate

_PATIENT_NAME, _PATIENT_ID, _ISSUER_OF_PATIENT_ID = 0x00100010, 0x00100020, 0x00100021
_ENCAPSULATED_DOCUMENT, _DOCUMENT_LENGTH = 0x00420011, 0x00420015
_WAVEFORM_DATA, _SAMPLE_INTERPRETATION = 0x54001010, 0x54001006
_FIRST_GROUP = 0x0008  # of a data set
_TIMES = frozenset({"DA", "DT", "TM"})
_FREE_TEXT = frozenset({"LT", "ST", "UC", "UT"})
_TREES = frozenset({0x0040A730, 0x00400555, 0x0040B020, 0x00700001})  # their codes are terms, only their text is free


@dataclass(frozen=True, slots=True)
class Within:
    """What is done to text of some VRs in the items of a sequence that must say nothing, or is to be cleaned."""

    action: Action
    vrs: frozenset[str]


@dataclass(frozen=True, slots=True)
class Cleaner:
    """One patient's data sets under one profile; `pseudonym` stands for the patient, `days` moves all dates."""

    profile: Profile
    pseudonyms: Pseudonyms
    safe_private: SafePrivate
    sop_class_uid: str | None
    pseudonym: str
    patient_id: str
    issuer: str
    days: int
    known: Identifiers

    def clean(self, level: EditedLevel, within: Within | None = None) -> None:
        """Every element of the level and of its items. EditError where one cannot be made safe."""
        if level.level.repeated:  # only the last of two is ever read, here and by the search of the result
            raise EditError("the header has an element twice")
        for tag in drop_private(level, self.safe_private):
            vr = level.vr(tag)
            self._act(level, tag, vr, self._private_action(vr))
        for tag in level.tags:
            if tag >> 16 & 1 or self._settles(level, tag):
                continue
            vr = level.vr(tag)
            action = self.profile.action(tag, self.sop_class_uid if level.parent is None else None)
            if action is None and within is not None and vr in within.vrs:
                action = within.action
            self._act(level, tag, vr, action or self._unlisted(tag, vr), within)
            if action is None and vr in TEXT_VRS:
                self._forget(level, tag, vr)

    def _settles(self, level: EditedLevel, tag: int) -> bool:
        """Whether an element is one that neither the table nor a VR says enough of; it is dealt with then."""
        group = tag >> 16
        if group < _FIRST_GROUP or _is_in_plane(group) or tag & 0xFFFF == 0:  # group lengths are retired
            level.put(tag, None)
        elif tag == SPECIFIC_CHARACTER_SET:
            _keep_defined_terms(level)
        elif tag == _WAVEFORM_DATA and may_be_voice(self.sop_class_uid):
            _silence(level)
        else:
            return False
        return True

    def _unlisted(self, tag: int, vr: str) -> Action:
        """What is done to an attribute that the table does not list, by what its VR shows it to be.

        What the dictionary does not know either goes, whatever VR it is sent with: nobody can tell what it is.
        """
        if tag_vr(tag) is None:
            return "X"
        if vr in {"PN", "UR"}:
            return "D"
        if vr in {"DA", "DT"}:
            return self._dates or "D"
        if vr == "UI":
            return "K" if names_a_class(tag) or "uids" in self.profile.options else "U"
        return "X" if vr == "UN" else "K"

    @property
    def _dates(self) -> Action | None:
        """What an option does to dates."""
        if "full-dates" in self.profile.options:
            return "K"
        return "C" if "modified-dates" in self.profile.options else None

    def _act(self, level: EditedLevel, tag: int, vr: str, action: Action, within: Within | None = None) -> None:
        """Do it; sequences that stay are gone into, whatever keeps them."""
        if action == "X":
            level.put(tag, None)
        elif action == "Z" and tag not in {_PATIENT_NAME, _PATIENT_ID}:
            level.put(tag, Replacement(level.put_vr(tag), vr, ()))
        elif vr == "SQ":
            if action in {"C", "D"}:
                within = Within(action, _FREE_TEXT if action == "C" or tag in _TREES else TEXT_VRS)
            for item in level.children(tag):
                self.clean(item, within)
        elif action == "U":
            self._write(level, tag, vr, [self.pseudonyms.uid(uid) for uid in level.text(tag) or ()])
        elif action == "C":
            self._clean_value(level, tag, vr)
        elif action != "K":
            self._dummy(level, tag, vr)

    def _clean_value(self, level: EditedLevel, tag: int, vr: str) -> None:
        """A date is moved, a time stays, text loses what identifies; anything else cannot be cleaned and goes."""
        values = level.text(tag) or ()
        if vr in {"DA", "DT"}:
            moved = [shifted(value, vr, self.days) if value else "" for value in values]
            texts = [text for text in moved if text is not None]
            self._write(level, tag, vr, texts) if len(texts) == len(moved) else self._dummy(level, tag, vr)
        elif vr in TEXT_VRS and vr != "PN":
            self._write(level, tag, vr, [without_identity(value, self.known.texts) for value in values])
        elif vr not in _TIMES and vr not in {"AS", "CS", "DS", "IS"}:
            level.put(tag, None)

    def _forget(self, level: EditedLevel, tag: int, vr: str) -> None:
        """Text that the table lets stay loses what is known to identify."""
        values = level.text(tag) or ()
        cleaned = [without_words(value, self.known.texts) for value in values]
        if tuple(cleaned) != values:
            self._write(level, tag, vr, cleaned)

    def _dummy(self, level: EditedLevel, tag: int, vr: str) -> None:
        """A value that says nothing; the patient's own name and number become the pseudonym."""
        values = level.text(tag)
        if tag in {_PATIENT_NAME, _PATIENT_ID}:
            self._write(level, tag, vr, [self._patient(level, tag)])
        elif vr == "UI":
            self._write(level, tag, vr, [self.pseudonyms.uid(uid) for uid in values or ()])
        elif (texts := dummy_text(vr, len(values or ()))) is not None:
            self._write(level, tag, vr, texts)
        elif tag == _ENCAPSULATED_DOCUMENT:
            level.put(tag, Replacement(level.put_vr(tag), vr, ("",), raw=EMPTY_PDF + b"\n" * (len(EMPTY_PDF) & 1)))
            if level.has(_DOCUMENT_LENGTH):
                self._write(level, _DOCUMENT_LENGTH, "UL", [str(len(EMPTY_PDF))])
        else:
            level.put(tag, Replacement(level.put_vr(tag), vr, ("",), raw=dummy_bytes(vr)))

    def _patient(self, level: EditedLevel, tag: int) -> str:
        """The pseudonym; of another patient's number in an item one of its own."""
        own, issuer = _first(level, tag), _first(level, _ISSUER_OF_PATIENT_ID)
        if level.parent is None or not own or tag == _PATIENT_NAME:
            return self.pseudonym
        if own == self.patient_id and (issuer == self.issuer or not issuer or not self.issuer):
            return self.pseudonym
        return self.pseudonyms.patient(person(own, issuer))

    def _write(self, level: EditedLevel, tag: int, vr: str, values: "list[str] | tuple[str, ...]") -> None:
        """Put values; what cannot be written in the data set's character set becomes a dummy."""
        given = tuple(values)
        if not any(given):
            given = ()
        try:
            little = level.level.layout.little or level.put_vr(tag) == "UN"
            encode_values(given, vr, little=little, charset=level.charset)
        except (UnencodableError, EditError):
            given = dummy_text(vr) or ()
        level.put(tag, Replacement(level.put_vr(tag), vr, given))

    def _private_action(self, vr: str) -> Action:
        """What is done to a private element of the safe list."""
        actions: dict[str, Action] = {"PN": "D", "UI": "K" if "uids" in self.profile.options else "U"}
        return actions.get(vr) or ((self._dates or "X") if vr in _TIMES else "K")


def _keep_defined_terms(level: EditedLevel) -> None:
    """The terms of the character set in force here, as the standard writes them. EditHeldError where one is another.

    Text whose character set nobody knows cannot be searched for names either. What is converted has the right one.
    """
    if level.converted:
        return
    terms = defined(level.charset.terms)
    if terms is None:
        raise EditHeldError(
            "SpecificCharacterSet has a term that the standard does not know, so that text cannot be searched for "
            "names; set the right one before (set: {SpecificCharacterSet: ...})"
        )
    level.put(SPECIFIC_CHARACTER_SET, Replacement("CS", "CS", terms if any(terms) else ()))


def _silence(level: EditedLevel) -> None:
    """Samples of which nothing is heard, as many as there are."""
    length = len(level.level.raw(_WAVEFORM_DATA) or b"")
    raw = silence(length, _first(level, _SAMPLE_INTERPRETATION))
    level.put(_WAVEFORM_DATA, Replacement(level.put_vr(_WAVEFORM_DATA), "OB", ("",), raw=raw))


def _first(level: EditedLevel, tag: int) -> str:
    return (level.text(tag) or ("",))[0].strip()


def _is_in_plane(group: int) -> bool:
    """Whether a group is a curve or an overlay, of which none stays: nobody can tell what is written in it."""
    return group & 0xFF00 in {0x5000, 0x6000}
