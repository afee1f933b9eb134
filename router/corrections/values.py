"""Which attributes of a kept study a person may correct. Corrects nothing."""

from rules import Attribute, AttributeNameError

# What a patient or study has that is no free text; texts may be corrected at any level.
_OF_PATIENT_AND_STUDY = frozenset(
    {
        "PatientBirthDate",
        "PatientBirthTime",
        "PatientSex",
        "PatientAge",
        "PatientSize",
        "PatientWeight",
        "PatientSexNeutered",
        "SmokingStatus",
        "PregnancyStatus",
        "LastMenstrualDate",
        "TypeOfPatientID",
        "ResponsiblePersonRole",
        "StudyDate",
        "StudyTime",
    }
)
_TEXT_VRS = frozenset({"LO", "LT", "PN", "SH", "ST", "UC", "UT"})


def correctable(name: str) -> str | None:
    """Why the attribute of this name cannot be corrected, in plain words; None if it can."""
    try:
        attribute = Attribute.parse(name)
    except AttributeNameError as error:
        return f"{error}; did you mean {error.suggestion}?" if error.suggestion else str(error)
    if name in {"StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID"}:
        return f"{name} says which instance of which study it is: it cannot be corrected here"
    if name in _OF_PATIENT_AND_STUDY or attribute.vr in _TEXT_VRS:
        return None
    return f"{attribute.name} cannot be corrected by hand: only text, and what the patient or the study has"
