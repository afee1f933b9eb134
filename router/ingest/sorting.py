"""Sorts what was judged: new, here already, or to be held, also because another has its UID. Writes nothing."""

from collections.abc import Mapping, Sequence

from archive import Archive, Entry, Hold, InstanceKey, Known
from router.config import Configuration, DicomDestination
from router.delivery import Queue, State
from router.ingest.batch import Batch
from router.ingest.judgement import Judgement
from rules import Verdict

SAME_UID_DIFFERS = Verdict(None, "the archive holds another instance with this SOP Instance UID and other content")
SENT_THERE = "which was sent this study: does it send back what it gets?"


class Sorter:
    """Sorts the batches of one Filer; asks archive and queue, and changes neither."""

    def __init__(self, archive: Archive, queue: Queue) -> None:
        self._archive = archive
        self._queue = queue

    def sort(
        self,
        judged: Sequence[Judgement],
        fresh: frozenset[str],
        configuration: Configuration,
        known: Mapping[InstanceKey, Known],
    ) -> Batch:
        """`fresh` are the arrivals that no person has released, `known` what the archive has under their keys."""
        batch = Batch()
        seen: set[InstanceKey | str] = set()
        to_hold: list[Hold] = []
        for judgement in judged:
            entry, key = judgement.entry, judgement.key
            if (key or entry.digest) in seen:
                continue  # twice in one batch: the second is compared with the first when that is filed
            seen.add(key or entry.digest)
            before = known.get(key) if key else None
            if key is None:
                to_hold.append(_hold(judgement, configuration.revision))
            elif before is None:
                batch.new.append(judgement)
            elif before.arrival == entry.arrival:
                batch.done.append(entry)
            elif entry.digest in {before.received_digest, before.digest}:  # as it came, or as we keep it and send it on
                batch.duplicate(entry)
            else:
                reason = self._why_differs(entry, before, configuration)
                to_hold.append(Hold(entry, reason, None, configuration.revision, "held", judgement.attributes))
        self._hold_once(batch, to_hold, fresh)
        return batch

    def _why_differs(self, entry: Entry, before: Known, configuration: Configuration) -> str:
        """The reason of a hold, and whether it is our own copy that comes back from where we sent it."""
        callers = [
            name
            for name, each in configuration.settings.destinations.items()
            if isinstance(each, DicomDestination) and each.ae_title == entry.origin.calling_ae
        ]
        stored = self._archive.stored([before.instance_id]).get(before.instance_id) if callers else None
        for receipt in self._queue.receipts(stored.study_id) if stored else ():
            states = receipt["states"]
            if receipt["destination"] in callers and isinstance(states, Mapping) and states.get(State.DELIVERED):
                return f"{SAME_UID_DIFFERS.reason}; it comes from destination {receipt['destination']!r}, {SENT_THERE}"
        return SAME_UID_DIFFERS.reason

    def _hold_once(self, batch: Batch, to_hold: Sequence[Hold], fresh: frozenset[str]) -> None:
        """A scanner that sends again what is in hold already does not fill the hold."""
        held_before = self._archive.held_before([hold.entry for hold in to_hold if hold.entry.arrival in fresh])
        for hold in to_hold:
            if hold.entry.arrival in held_before:
                batch.duplicate(hold.entry)
            else:
                batch.holds.append(hold)


def _hold(judgement: Judgement, revision: str) -> Hold:
    verdict = judgement.rejected or judgement.held
    assert verdict is not None
    state = "rejected" if judgement.rejected else "held"
    return Hold(judgement.entry, verdict.reason, verdict.rule, revision, state, judgement.attributes)
