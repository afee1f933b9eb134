"""How instances in hold are named and told: groups, advice, candidates. It decides nothing."""

import dataclasses
from collections.abc import Sequence
from typing import Any

from archive import Archive, Candidate, Held
from router.cli.output import console, printable, table
from router.config import Configuration
from router.inbox import Group, Remedy, remedy

COLUMNS = ("arrival", "instances", "since", "source", "PatientID", "Modality", "study", "rule", "why")


def chosen(archive: Archive, names: list[str]) -> list[str]:
    """The arrivals that are meant by arrivals, studies or `all`, each once."""
    if not any(name == "all" or "." in name for name in names):
        return list(dict.fromkeys(names))
    held = archive.held()
    meant: list[str] = []
    for name in names:
        found = [each.arrival for each in held if name in {"all", each.attributes.get("StudyInstanceUID")}]
        meant += found if name == "all" else found or [name]
    return list(dict.fromkeys(meant))


def advised(archive: Archive, loaded: Configuration, group: Group) -> tuple[Remedy, list[Candidate]]:
    """What would fix a group, and who may be meant where the patient ID is what is not known."""
    advice = remedy(group.first, loaded, group.name)
    asks_who = advice.missing is not None and advice.missing.keyword == "PatientID"
    return advice, archive.patients_like(group.first.corrected) if asks_who else []


def row_of(group: Group) -> tuple[object, ...]:
    """A group as a line of the table, by COLUMNS."""
    first = group.first
    modalities = sorted({each.attributes.get("Modality", "") for each in group.members} - {""})
    return (
        first.arrival,
        len(group.members),
        first.held_at,
        first.origin.source,
        first.corrected.get("PatientID"),
        ", ".join(modalities),
        group.study_uid,
        first.rule,
        first.reason,
    )


def tell_corrections(each: Held) -> None:
    """What a person has corrected, for people."""
    if each.fixes:
        told = ", ".join(f"{keyword}={value}" for keyword, value in sorted(each.fixes.items()))
        console.print(f"    corrected by hand, and so at the next release: {printable(told)}", markup=False)


def as_plain(each: Held, advice: Remedy, candidates: Sequence[Candidate]) -> dict[str, Any]:
    """An instance for programs."""
    return {
        **dataclasses.asdict(each),
        "study": each.attributes.get("StudyInstanceUID"),
        "remedy": advice.text,
        "missing": advice.missing._asdict() if advice.missing else None,
        "candidates": [dataclasses.asdict(candidate) for candidate in candidates],
    }


def tell_candidates(candidates: Sequence[Candidate]) -> None:
    """Who may be meant, for people."""
    if candidates:
        rows = [
            (each.score, each.patient_id, each.patient_name, each.birth_date, ", ".join(each.reasons))
            for each in candidates
        ]
        table(("score", "PatientID", "PatientName", "born", "why"), rows, title="    who may be meant")
