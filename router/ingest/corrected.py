"""What was changed in an instance on arrival, for its history: by rules, and by those who had corrected its study.

It changes nothing itself.
"""

from collections import Counter
from collections.abc import Iterable, Mapping

from archive import Amendment
from router.ingest.judgement import Judgement
from router.journal import Event
from rules import BY_HAND

EDITED = "edited"

Changes = list[dict[str, str | None]]


def amendment(judgement: Judgement, revision: str) -> Amendment | None:
    """What was changed in it and what undoes that, None if nothing was."""
    decision = judgement.decision
    if decision is None or decision.splice is None:
        return None
    return Amendment(revision, judgement.entry.origin.received_at, _changes(judgement), decision.splice.restore)


def _changes(judgement: Judgement) -> Changes:
    """The changes in their order; those that correct the whole study, which come last, say by whom and since when."""
    changes: Changes = [
        {"rule": change.rule, "attribute": change.attribute, "old": change.old, "new": change.new}
        for change in (judgement.decision.changes if judgement.decision else ())
    ]
    for each in judgement.standing:
        last = next((change for change in reversed(changes) if change["attribute"] == each.attribute), None)
        if last is not None and last["rule"] == BY_HAND:
            last |= {"by": each.by, "since": each.at.isoformat()}
    return changes


def corrected(late: Iterable[tuple[int, Judgement]], revision: str) -> list[Event]:
    """What the journal tells of instances, each with the id of its study, that were corrected as it had been."""
    attributes: dict[tuple[int, str], set[str]] = {}
    counts: Counter[tuple[int, str]] = Counter()
    for study_id, judgement in late:
        of_people: dict[str, set[str]] = {}
        for change in _changes(judgement):
            if (by := change.get("by")) and (name := change["attribute"]):
                of_people.setdefault(by, set()).add(name)
        for by, names in of_people.items():
            counts[study_id, by] += 1
            attributes.setdefault((study_id, by), set()).update(names)
    return [
        Event(EDITED, study_id, revision=revision, detail={"instances": count, **_told(attributes[study_id, by], by)})
        for (study_id, by), count in counts.items()
    ]


def _told(attributes: Iterable[str], by: str) -> Mapping[str, object]:
    return {"attributes": sorted(attributes), "by": by, "on_arrival": True}
