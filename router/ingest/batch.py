"""One batch of arrivals, sorted by what becomes of each, and what the journal is told of it. Sorts nothing itself."""

from collections import Counter
from dataclasses import dataclass, field

from archive import Entry, Hold
from router.ingest.judgement import Judgement
from router.journal import Event


@dataclass(slots=True)
class Batch:
    """One batch sorted by what becomes of its entries."""

    new: list[Judgement] = field(default_factory=list)
    holds: list[Hold] = field(default_factory=list)
    done: list[Entry] = field(default_factory=list)  # filed before, or a second copy of the same bytes
    duplicates: Counter[str] = field(default_factory=Counter)  # by source

    def duplicate(self, entry: Entry) -> None:
        """The bytes of `entry` are with us already."""
        self.done.append(entry)
        self.duplicates[entry.origin.source or ""] += 1

    @property
    def filed(self) -> list[str]:
        """The arrivals that need no more filing when the batch is recorded."""
        return [*(entry.arrival for entry in self.done), *(judgement.entry.arrival for judgement in self.new)]

    def events(self, studies: Counter[tuple[int, str | None]], revision: str) -> list[Event]:
        """What the journal is told; `studies` counts the new instances by study and source."""
        events = [
            Event("filed", study_id, source, revision=revision, detail={"instances": count})
            for (study_id, source), count in studies.items()
        ]
        events += [
            Event("duplicate", source=source or None, revision=revision, detail={"instances": count})
            for source, count in self.duplicates.items()
        ]
        events += [
            Event(
                hold.state,
                source=hold.entry.origin.source,
                revision=revision,
                detail={"arrival": hold.entry.arrival, "reason": hold.reason, "rule": hold.rule},
            )
            for hold in self.holds
        ]
        return events
