"""What identifies the patient in a header: names, numbers, dates and UIDs, from all its levels. It changes nothing."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from pydicom.datadict import keyword_for_tag, tag_for_keyword

from rules.charset import Charset
from rules.level import Level

_NUMBERS = """
    PatientID OtherPatientIDs AccessionNumber AdmissionID ServiceEpisodeID MedicalRecordLocator
    InsurancePlanIdentification PatientTelephoneNumbers PatientTelecomInformation FillerOrderNumberImagingServiceRequest
    PlacerOrderNumberImagingServiceRequest RequestedProcedureID ScheduledProcedureStepID PerformedProcedureStepID
    StudyID PatientAddress InstitutionAddress PhysicianTelephoneNumbers ReferringPhysicianTelephoneNumbers
    ReferringPhysicianAddress OrderCallbackPhoneNumber IssuerOfPatientID PersonAddress PersonTelephoneNumbers
    CurrentPatientLocation PatientInstitutionResidence ClinicalTrialSubjectID ContainerIdentifier SpecimenIdentifier
""".split()  # noqa: SIM905 - a table of names
DEVICE = frozenset(map(tag_for_keyword, ("DeviceSerialNumber", "DetectorID", "DeviceID")))
INSTITUTION = frozenset(map(tag_for_keyword, ("InstitutionName", "InstitutionAddress", "InstitutionalDepartmentName")))
_IDENTIFYING = frozenset(map(tag_for_keyword, _NUMBERS)) | DEVICE | INSTITUTION
_SHORTEST = {"name": 3, "number": 4, "bare number": 6}
_NAME_PARTS = re.compile(r"[\s^=,;./()\[\]-]+")
_NOBODY = frozenset(
    [
        "anon",
        "anonymous",
        "anonymised",
        "anonymized",
        "none",
        "unknown",
        "test",
        "phantom",
        "patient",
        "name",
        "the",
        "and",
        "von",
        "van",
    ]
)
_OF_CLASSES = ("ClassUID", "SyntaxUID", "CodingSchemeUID", "ContextUID", "MappingResourceUID", "TemplateUID")
_DATE = re.compile(r"\d{8}")


@dataclass(slots=True)
class Identifiers:
    """What was found, as text: whole values and, of names, their parts too."""

    words: set[str] = field(default_factory=set)  # of names, in lower case
    numbers: set[str] = field(default_factory=set)  # identifiers of people, orders, devices and places, in lower case
    dates: set[str] = field(default_factory=set)  # eight digits
    uids: set[str] = field(default_factory=set)

    @property
    def texts(self) -> set[str]:
        """All that may stand in a text."""
        return self.words | self.numbers | self.dates


def names_a_class(tag: int) -> bool:
    """Whether a UID attribute names a kind of thing rather than one thing."""
    return (keyword_for_tag(tag) or "").endswith(_OF_CLASSES)


def levels(level: Level) -> Iterator[Level]:
    """A level and all that lies within."""
    yield level
    for tag in level.offsets:
        for inner in level.children(tag):
            yield from levels(inner)


def kept_by(options: frozenset[str]) -> frozenset[int | None]:
    """The attributes that these options of the profile keep, whose values are no secret then."""
    return (DEVICE if "device" in options else frozenset()) | (INSTITUTION if "institution" in options else frozenset())


def identifiers(top: Level, kept: frozenset[int | None], declared: Charset) -> Identifiers:
    """All of a header, but what is `kept` anyway.

    Where an edit has `declared` another character set for its text, names are read in both ways.
    """
    found = Identifiers()
    for level in levels(top):
        for tag in level.offsets:
            element = level.element(tag)
            vr = level.vr(element) if element else "UN"
            if vr not in {"PN", "DA", "DT", "UI"} and tag not in _IDENTIFYING:
                continue
            if tag in kept or (vr == "UI" and names_a_class(tag)):
                continue
            values = level.text(tag) or ()
            if declared is not top.charset and level.charset is top.charset:
                values += level.text(tag, declared) or ()
            for value in values:
                _add(found, vr, value.strip())
    return found


def _add(found: Identifiers, vr: str, value: str) -> None:
    """One value, to where it belongs."""
    if vr == "UI":
        found.uids.add(value)
    elif vr in {"DA", "DT"}:
        digits = _DATE.match(value.replace(".", "") if vr == "DA" else value)
        if digits and digits[0] != "00000000":
            found.dates.add(digits[0])
    elif vr == "PN":
        for group in value.lower().split("="):
            _add_name(found, [part for part in _NAME_PARTS.split(group) if part])
    elif len(value) >= _SHORTEST["number"]:
        found.numbers.add(value.lower())
        if value.isdecimal() and len(bare := value.lstrip("0")) >= _SHORTEST["bare number"]:
            found.numbers.add(bare)  # as people write it who do not write leading zeros


def _add_name(found: Identifiers, parts: list[str]) -> None:
    """The parts of a name that say who it is; where each is too short for that, all of them together."""
    words = [part for part in parts if _tells(part)]
    found.words.update(words)
    if not words and len(parts) > 1 and _NOBODY.isdisjoint(parts):
        found.numbers.update(name for join in " ^" if len(name := join.join(parts)) >= _SHORTEST["number"])


def _tells(part: str) -> bool:
    """Whether a part of a name says who it is; an ideogram or two do."""
    long_enough = len(part) >= (_SHORTEST["name"] if part.isascii() else 2)
    return long_enough and part not in _NOBODY and not part.isdecimal()
