"""Which patients of the index a header may mean whose patient ID is not known. It guesses and decides nothing.

Every question is answered by an index and gives a bounded number of rows, however much is kept.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, and_, or_, select

from archive.attributes import ATTRIBUTES, fitted, folded_name
from archive.records import in_parts
from archive.tables import studies

MOST = 5
LEAST_SCORE = 30
_MOST_ROWS = 2000  # of one question
_LONGEST_ID = 16  # characters, of which every way to mistype one is looked for
_SAME_NUMBER, _ONE_DIFFERS, _TWO_DIFFER = 60, 45, 25
_SAME_NAME, _SAME_BIRTH_DATE, _OTHER_BIRTH_DATE, _SAME_DAY = 35, 20, -25, 10
_BIRTH_DATE, _STUDY_DATE = (
    next(each for each in ATTRIBUTES if each.keyword == keyword) for keyword in ("PatientBirthDate", "StudyDate")
)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A patient who may be meant: `score` up to 99, and in words what speaks for and against."""

    patient_id: str
    patient_name: str
    birth_date: str
    score: int
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Sought:
    """What the header says."""

    patient_id: str
    name: str  # folded
    birth_date: str
    study_date: str


def patients_like(connection: Connection, attributes: Mapping[str, str]) -> list[Candidate]:
    """At most `MOST` patients, the most likely first."""
    sought = _Sought(
        attributes.get("PatientID", "").strip(),
        folded_name(attributes.get("PatientName", "")),
        fitted(_BIRTH_DATE, attributes.get("PatientBirthDate", "")),
        fitted(_STUDY_DATE, attributes.get("StudyDate", "")),
    )
    best: dict[str, Candidate] = {}
    for question in _questions(sought):
        for row in connection.execute(_ROWS.where(question, studies.c.instances > 0).limit(_MOST_ROWS)):
            found = _judged(sought, *(each or "" for each in row))
            if found and found.score >= LEAST_SCORE and found.score > best.get(found.patient_id, _NOBODY).score:
                best[found.patient_id] = found
    return sorted(best.values(), key=lambda each: (-each.score, each.patient_id))[:MOST]


_NOBODY = Candidate("", "", "", 0, ())
_ROWS = select(
    studies.c.patient_id,
    studies.c.patient_name,
    studies.c.patient_name_folded,
    studies.c.patient_birth_date,
    studies.c.study_date,
)


def _questions(sought: _Sought) -> Iterator[ColumnElement[bool]]:
    """Conditions on one indexed column each."""
    if first := sought.name.partition("=")[0]:
        column = studies.c.patient_name_folded
        yield or_(column == first, and_(column >= f"{first}=", column < f"{first}>"))
    patient_id = sought.patient_id
    if not patient_id:
        return
    for some in in_parts(sorted(_written_otherwise(patient_id))):
        yield studies.c.patient_id.in_(some)
    if len(patient_id) > 4:
        prefix = patient_id[:-2]
        yield and_(studies.c.patient_id >= prefix, studies.c.patient_id < f"{prefix}\N{REPLACEMENT CHARACTER}")


def _written_otherwise(patient_id: str) -> set[str]:
    """The ID with other leading zeros, without its letters, and with one mistake of typing anywhere."""
    found: set[str] = set()
    number = _number(patient_id)
    if number:
        found |= {number.zfill(width) for width in range(len(number), _LONGEST_ID + 1)}
    if len(patient_id) <= _LONGEST_ID:
        letters = {*"0123456789", *patient_id}
        for index in range(len(patient_id) + 1):
            before, after = patient_id[:index], patient_id[index:]
            found.add(before + after[1:])
            found.add(before + after[1:2] + after[:1] + after[2:])
            found |= {before + letter + after for letter in letters}
            found |= {before + letter + after[1:] for letter in letters}
    return found - {patient_id, ""}


def _judged(sought: _Sought, patient_id: str, name: str, folded: str, born: str, studied: str) -> Candidate | None:
    """What speaks for and against one study's patient; None for the very ID that is not known."""
    if not patient_id or patient_id == sought.patient_id:
        return None
    points: list[tuple[int, str]] = []
    distance = edit_distance(sought.patient_id, patient_id)
    if sought.patient_id and _number(sought.patient_id) == _number(patient_id) != "":
        points.append((_SAME_NUMBER, "the same number"))
    elif sought.patient_id and distance == 1:
        points.append((_ONE_DIFFERS, "one mistake of typing in the ID"))
    elif sought.patient_id and distance == 2:
        points.append((_TWO_DIFFER, "two mistakes of typing in the ID"))
    is_same_name = bool(sought.name) and sought.name.partition("=")[0] == folded.partition("=")[0] != ""
    if is_same_name:
        points.append((_SAME_NAME, "the same name"))
    if sought.birth_date and born:
        is_same = sought.birth_date == born
        points.append((_SAME_BIRTH_DATE, "the same birth date") if is_same else (_OTHER_BIRTH_DATE, "other birth date"))
    if is_same_name and sought.study_date and sought.study_date == studied:
        points.append((_SAME_DAY, "a study of the same day"))
    score = min(sum(each for each, _ in points), 99)
    return Candidate(patient_id, name, born, score, tuple(reason for _, reason in points))


def _number(patient_id: str) -> str:
    """The digits of an ID without leading zeros."""
    return "".join(character for character in patient_id if character in "0123456789").lstrip("0")


def edit_distance(one: str, other: str, most: int = 2) -> int:
    """How many characters are put in, left out, exchanged or swapped with their neighbour; `most` + 1 if more."""
    if abs(len(one) - len(other)) > most:
        return most + 1
    before_last: list[int] = []
    last = list(range(len(other) + 1))
    for row, character in enumerate(one, start=1):
        current = [row]
        for column, wanted in enumerate(other, start=1):
            cost = min(last[column] + 1, current[-1] + 1, last[column - 1] + (character != wanted))
            if row > 1 and column > 1 and character == other[column - 2] and one[row - 2] == wanted:
                cost = min(cost, before_last[column - 2] + 1)
            current.append(cost)
        before_last, last = last, current
    return min(last[-1], most + 1)
