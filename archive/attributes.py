"""The attributes the index keeps of an instance, by level. The file has them all; these are for finding and listing."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from hashlib import sha256
from typing import Literal, overload

from sqlalchemy import RowMapping

Level = Literal["study", "series", "instance"]
Matching = Literal["text", "name", "uid", "date", "time", "number"]

UID_LENGTH = 64
_REMEMBERED = 4096  # values; the instances of a study share most of theirs
_NUMBER = re.compile(r"[+-]?[0-9]{1,12}")  # IS, PS3.5 6.2


@dataclass(frozen=True, eq=False)
class Indexed:
    """One indexed attribute: where it belongs, how it matches (PS3.4 C.2.2.2), characters kept."""

    keyword: str
    level: Level
    matching: Matching = "text"
    length: int = 64

    @cached_property
    def column(self) -> str:
        """The name of its column: PatientID is patient_id."""
        return re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", self.keyword).lower()


ATTRIBUTES = (
    Indexed("PatientID", "study"),
    Indexed("IssuerOfPatientID", "study"),
    Indexed("PatientName", "study", "name", 255),
    Indexed("PatientBirthDate", "study", "date", 18),
    Indexed("PatientSex", "study", length=16),
    Indexed("StudyInstanceUID", "study", "uid", UID_LENGTH),
    Indexed("StudyDate", "study", "date", 18),
    Indexed("StudyTime", "study", "time", 28),
    Indexed("AccessionNumber", "study", length=64),
    Indexed("StudyID", "study"),
    Indexed("StudyDescription", "study", length=255),
    Indexed("ReferringPhysicianName", "study", "name", 255),
    Indexed("SeriesInstanceUID", "series", "uid", UID_LENGTH),
    Indexed("Modality", "series", length=16),
    Indexed("SeriesNumber", "series", "number", 16),
    Indexed("SeriesDescription", "series", length=255),
    Indexed("SeriesDate", "series", "date", 18),
    Indexed("SeriesTime", "series", "time", 28),
    Indexed("BodyPartExamined", "series", length=64),
    Indexed("ProtocolName", "series", length=255),
    Indexed("StationName", "series", length=64),
    Indexed("Manufacturer", "series", length=255),
    Indexed("ManufacturerModelName", "series", length=255),
    Indexed("InstitutionName", "series", length=255),
    Indexed("SOPInstanceUID", "instance", "uid", UID_LENGTH),
    Indexed("SOPClassUID", "instance", "uid", UID_LENGTH),
    Indexed("InstanceNumber", "instance", "number", 16),
    Indexed("NumberOfFrames", "instance", "number", 16),
    Indexed("Rows", "instance", "number", 16),
    Indexed("Columns", "instance", "number", 16),
    Indexed("ContentDate", "instance", "date", 18),
)
INDEXED = tuple(each.keyword for each in ATTRIBUTES)


@cache
def at_level(level: Level) -> tuple[Indexed, ...]:
    """The indexed attributes that belong to this level itself."""
    return tuple(each for each in ATTRIBUTES if each.level == level)


def row_values(level: Level, attributes: Mapping[str, str]) -> dict[str, str | None]:
    """The level's columns and their values for a header's attributes; absent and empty are both None."""
    return {each.column: fitted(each, attributes.get(each.keyword, "")) or None for each in at_level(level)}


def attributes_of(level: Level, row: RowMapping) -> dict[str, str]:
    """The level's attributes that a row of the index has, by keyword."""
    return {each.keyword: row[each.column] for each in at_level(level) if row[each.column] is not None}


@lru_cache(_REMEMBERED)
def fitted(indexed: Indexed, value: str) -> str:
    """The value as the index keeps it, and as a key must be before it is compared with the index."""
    plain = plain_text(value)
    if not plain:
        return ""
    match indexed.matching:
        case "uid":
            return fitted_uid(plain)
        case "date":
            return plain.replace(".", "")[: indexed.length]  # 2026.11.22 is how it was written before 1993
        case "time":
            return plain.replace(":", "")[: indexed.length]
        case "number" if _NUMBER.fullmatch(plain):
            return str(int(plain))
        case _:
            return plain[: indexed.length]


@overload
def plain_text(value: str, length: int | None = None) -> str: ...
@overload
def plain_text(value: str | None, length: int | None = None) -> str | None: ...
def plain_text(value: str | None, length: int | None = None) -> str | None:
    """Text that every database takes: without NUL, lone surrogates and outer spaces, at most `length` characters."""
    if value is None:
        return None
    if not value.isascii():
        value = value.encode("utf-8", "replace").decode("utf-8")
    return value.replace("\0", "").strip()[:length]


@lru_cache(_REMEMBERED)
def fitted_uid(uid: str) -> str:
    """The UID itself up to 64 characters (PS3.5 9.1); a longer one is cut, but two that differ stay two."""
    plain = plain_text(uid)
    if len(plain) <= UID_LENGTH:
        return plain
    return f"{plain[:31]}~{sha256(plain.encode()).hexdigest()[:32]}"


def folded_name(name: str) -> str:
    """A person name as it is compared: without regard to case and to `^` at the end of a component group."""
    return "=".join(group.strip().rstrip("^").strip() for group in name.casefold().split("=")).rstrip("=")
