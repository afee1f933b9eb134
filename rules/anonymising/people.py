"""Whose an instance is: a patient ID with its issuer, or the study where there is no ID. It makes no pseudonym."""

from rules.attribute import Attribute
from rules.facts import Readable

_PATIENT_ID, _ISSUER = Attribute.parse("PatientID"), Attribute.parse("IssuerOfPatientID")
_STUDY_UID = Attribute.parse("StudyInstanceUID")


def person(patient_id: str, issuer: str) -> str:
    """Whom an ID means. Given by two issuers (0010,0021) it is two people's; without an issuer it stands for itself.

    A backslash separates values, so it is in neither.
    """
    return f"{patient_id}\\{issuer}" if patient_id and issuer else patient_id


def person_of(header: Readable) -> str:
    """Whom an instance is of; each study without a patient ID is of somebody else."""
    return person(first(header, _PATIENT_ID), first(header, _ISSUER)) or first(header, _STUDY_UID)


def first(header: Readable, attribute: Attribute) -> str:
    """The first value of an attribute, "" if there is none."""
    return (header.values(attribute) or ("",))[0].strip()
