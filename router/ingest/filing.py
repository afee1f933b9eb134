"""Filing: sealed spool entries, in order of arrival, into the archive, the index, the queue and the journal.

One batch is one transaction. A crash anywhere leaves the spool entries, and filing them again changes nothing.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial

import sqlalchemy as sa
import structlog

from archive import (
    Archive,
    Database,
    Entry,
    EntryUnreadableError,
    Filing,
    InstanceKey,
    Known,
    Record,
    Spool,
)
from router.config import Configuration
from router.delivery import NewDelivery, Queue
from router.errors import RouterError
from router.ingest.batch import Batch
from router.ingest.corrected import amendment, corrected
from router.ingest.filed import FiledStudies
from router.ingest.judgement import Judgement, judge, unrouted_key
from router.ingest.pace import Pace
from router.ingest.people import of_another
from router.ingest.reader import Outcome, Reader
from router.ingest.sorting import Sorter
from router.ingest.warning import warn
from router.journal import Journal
from router.sources import Naming
from rules import RulesError, Verdict

BATCH = 128
NOT_FILED = Verdict(None, "its values cannot be indexed; see the log")
UNFIT = (RulesError, sa.exc.DataError)  # what one instance brings upon a batch, unlike what befalls the database

log = structlog.get_logger(__name__)


class OvertakenError(RouterError):
    """Another machine filed an instance of this batch a moment ago; the batch is judged again."""


class Filer:
    """Files what the spool holds; one Filer a spool, since order of arrival is kept by there being one."""

    def __init__(
        self,
        database: Database,
        spool: Spool,
        archive: Archive,
        queue: Queue,
        journal: Journal,
        configuration: Callable[[], Configuration],
        reader: Reader | None = None,
    ) -> None:
        self._database = database
        self._spool = spool
        self._archive = archive
        self._queue = queue
        self._journal = journal
        self._configuration = configuration
        self._naming = Naming()
        self._sorter = Sorter(archive, queue)
        self._reader = reader or Reader(spool)
        self.pace = Pace(spool)

    def file_arrivals(self, limit: int = BATCH) -> int:
        """File the oldest sealed entries, at most `limit`; the number taken off the spool.

        An entry the disk does not give back is set aside, so that it does not keep the others waiting.
        """
        waiting = self._spool.sealed(2 * limit)
        gently = self.pace.is_gentle(waiting)
        entries = self._readable(self._reader.read(waiting, limit, ahead=not gently))
        try:
            batch = self._file([(entry, None, None, None) for entry in entries], gently=gently)
        except EntryUnreadableError as error:
            if error.arrival is None:
                raise
            self._set_aside(error.arrival, error)
            return 1
        except UNFIT:
            batch = self._file_one(entries[0])
        settled = [*batch.filed, *(hold.entry.arrival for hold in batch.holds)]
        self._spool.remove(settled)
        return len(settled)

    def file_released(self) -> int:
        """File what a person released from the hold; the number filed. What the rules hold again stays there."""
        released = self._archive.released(BATCH)
        try:
            batch = self._file(released)
        except EntryUnreadableError as error:
            if error.arrival is None:
                raise
            self._archive.put_back(error.arrival, str(error))
            return 1
        except UNFIT:
            try:
                batch = self._file(released[:1])
            except UNFIT:
                self._archive.put_back(released[0].entry.arrival, NOT_FILED.reason)
                return 1
        self._archive.remove_held_files(batch.filed)
        return len(batch.filed)

    def _readable(self, found: Sequence[Outcome]) -> list[Entry]:
        """Those that could be read; the others are set aside."""
        for outcome in found:
            if isinstance(outcome, EntryUnreadableError):
                assert outcome.arrival is not None
                self._set_aside(outcome.arrival, outcome)
        return [outcome for outcome in found if isinstance(outcome, Entry)]

    def _file_one(self, entry: Entry) -> Batch:
        """Only this one, after a batch with it was refused: so the one at fault is found, held, and stops no other."""
        try:
            return self._file([(entry, None, None, None)])
        except UNFIT as error:
            log.error("instance cannot be filed, it is held", arrival=entry.arrival, error=type(error).__name__)  # noqa: TRY400 - the text may hold patient data
            held = Judgement(entry, {}, held=NOT_FILED)
            return self._file_judged([held], frozenset({entry.arrival}), self._configuration(), {})

    def _set_aside(self, arrival: str, error: EntryUnreadableError) -> None:
        log.error("spool entry set aside, it cannot be read back", arrival=arrival, reason=str(error))
        with suppress(FileNotFoundError):
            self._spool.set_aside(arrival)

    def _file(
        self,
        entries: Sequence[tuple[Entry, Mapping[str, str] | None, str | None, str | None]],
        *,
        gently: bool = False,
    ) -> Batch:
        """Judge, place and record `entries`; a second one of a key is left for the next batch."""
        if not entries:
            return Batch()
        configuration = self._configuration()  # once a batch: no instance sees half of two configurations
        ruleset, zone = configuration.ruleset, configuration.zone
        studies = FiledStudies(self._archive) if ruleset.asks_for_filed_series else None
        judged = []
        judges: list[Callable[..., Judgement]] = []
        for entry, fixes, let_by, held_by in entries:
            before = studies.series_of(entry) if studies else ()
            asked = self._named(entry, configuration), ruleset, zone, fixes, let_by, before, held_by
            judges.append(partial(judge, *asked))
            judged.append(judges[-1]())
            if studies:
                studies.add(judged[-1])
        fresh = frozenset(entry.arrival for entry, fixes, *_ in entries if fixes is None)
        known = self._judge_again(judged, judges)
        return self._file_judged(judged, fresh, configuration, known, gently=gently)

    def _judge_again(
        self, judged: list[Judgement], judges: Sequence[Callable[..., Judgement]]
    ) -> Mapping[InstanceKey, Known]:
        """Judge anew what is new in a study that corrections stand for; what the archive has under all their keys."""
        keys = [each.key or unrouted_key(each) for each in judged]
        known, standing = self._archive.known_and_standing([key for key in keys if key])
        for number, key in enumerate(keys) if standing else ():
            if key and key in standing and (key not in known or judged[number].key is None):
                again = judges[number](standing=standing[key])
                if again.key is None or again.key.study_uid == key.study_uid:  # else rules gave it to another study
                    judged[number] = again
        return known

    def _named(self, entry: Entry, configuration: Configuration) -> Entry:
        origin = self._naming.named(entry.origin, configuration)
        return entry if origin is entry.origin else replace(entry, origin=origin)

    def _file_judged(
        self,
        judged: Sequence[Judgement],
        fresh: frozenset[str],
        configuration: Configuration,
        known: Mapping[InstanceKey, Known],
        *,
        gently: bool = False,
    ) -> Batch:
        """Place and record what was judged; `fresh` are the arrivals that no person has released.

        `known` is what the archive has under their keys; `gently` as for `Archive.place`.
        """
        batch = self._sorter.sort(judged, fresh, configuration, known)
        filings = [_filing(judgement) for judgement in batch.new]
        placed = self._archive.place(filings, gently=gently)
        self._archive.place_held([hold.entry for hold in batch.holds])
        records = [
            Record(
                filing, place, judgement.attributes, amendment(judgement, configuration.revision), judgement.standing
            )
            for filing, place, judgement in zip(filings, placed, batch.new, strict=True)
        ]
        with self._database.begin() as connection:
            studies = self._record(connection, records, batch.new, configuration)
            self._archive.hold(connection, batch.holds)
            self._archive.settle_released(connection, batch.filed)
            self._journal.write(connection, batch.events(studies, configuration.revision))
        return batch

    def _record(
        self, connection: sa.Connection, records: Sequence[Record], new: Sequence[Judgement], by: Configuration
    ) -> Counter[tuple[int, str | None]]:
        revision, made_from = by.revision, by.ruleset.made_from
        recorded = self._archive.record(connection, records)
        if any(row.arrival != record.filing.entry.arrival for row, record in zip(recorded, records, strict=True)):
            raise OvertakenError
        deliveries = [
            NewDelivery(row.instance_id, row.study_id, row.series_id, dispatch, revision, made_from(dispatch.route))
            for row, judgement in zip(recorded, new, strict=True)
            for dispatch in (judgement.decision.dispatches if judgement.decision else ())
        ]
        self._queue.enqueue(connection, deliveries)
        warned = [
            (row.study_id, judgement.entry.origin.source, verdict)
            for row, judgement in zip(recorded, new, strict=True)
            for verdict in (judgement.decision.warnings if judgement.decision else ())
        ]
        warned += [
            (row.study_id, judgement.entry.origin.source, of_another(row.of_another))
            for row, judgement in zip(recorded, new, strict=True)
            if row.of_another
        ]
        warn(self._journal, connection, warned, revision)
        late = [(row.study_id, each) for row, each in zip(recorded, new, strict=True) if each.standing]
        self._journal.write(connection, corrected(late, revision))
        return Counter(
            (row.study_id, judgement.entry.origin.source) for row, judgement in zip(recorded, new, strict=True)
        )


def _filing(judgement: Judgement) -> Filing:
    assert judgement.key is not None
    assert judgement.decision is not None
    splice = judgement.decision.splice
    return Filing(judgement.entry, judgement.key, splice.prefix if splice else None, splice.resume if splice else 0)
