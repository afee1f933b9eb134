"""Held instances put together by study and cause, since a person decides about them at once. Asks no rule."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from archive import Held
from router.ingest import UID

FEW = 3


@dataclass(frozen=True, slots=True)
class Group:
    """The instances of one study (and one patient ID) that one rule holds for one reason, oldest first.

    What a person has corrected in them is the same, too.
    """

    study_uid: str | None
    members: tuple[Held, ...]
    is_whole_study: bool  # nothing else of the study is held

    @property
    def first(self) -> Held:
        """The one that stands for all."""
        return self.members[0]

    @property
    def name(self) -> str:
        """What to call them by in a command: their arrivals if they are few, else the study where that means them.

        What was received as a UID and is none is no word of a command: a shell might take it for more than one.
        """
        arrivals = [each.arrival for each in self.members]
        if len(arrivals) > 1 and self.is_whole_study and UID.fullmatch(self.study_uid or ""):
            return str(self.study_uid)
        return " ".join(arrivals[:FEW]) + (" …" if len(arrivals) > FEW else "")


def grouped(held: Sequence[Held]) -> list[Group]:
    """The groups, in the order of their oldest. What has no Study Instance UID stands alone."""
    found: dict[tuple[str | None, ...], list[Held]] = {}
    for each in held:
        study_uid = each.attributes.get("StudyInstanceUID")
        alone = None if study_uid else each.arrival
        key = (
            study_uid,
            alone,
            each.corrected.get("PatientID"),
            each.rule,
            each.reason,
            repr(sorted(each.fixes.items())),
        )
        found.setdefault(key, []).append(each)
    parts = Counter(key[0] for key in found)
    return [Group(key[0], tuple(members), parts[key[0]] == 1) for key, members in found.items()]
