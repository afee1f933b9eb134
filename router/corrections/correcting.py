"""Corrects or restores all instances of a kept study: new versions, index, history, queue and journal as one.

New files are on the disk before the one transaction that makes them those that are kept. A crash before it leaves the
old study, one after it the new; what the other had is removed by upkeep. It decides no value and sends nothing.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from archive import Archive, ChangedMeanwhileError, Kept, Revised, Version
from router.config import Configuration
from router.corrections.versions import Edition, edited, restored
from router.delivery import Queue
from router.delivery.transactions import write
from router.errors import RouterError
from router.ingest.judgement import IndexedAttributes
from router.journal import Event, Journal
from router.reading import read_header
from rules import RulesError

AT_ONCE = 64  # instances whose new headers are in memory
ATTEMPTS = 3
EDITED, UNDONE, RESENT = "edited", "undone", "resent"
_UIDS = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")


class CorrectionError(RouterError):
    """The study cannot be corrected."""


@dataclass(frozen=True, slots=True)
class Corrected:
    """What was done: how many instances are kept in another version, how many are sent again by destination."""

    instances: int
    resent: Mapping[str, int]


class Corrector:
    """Corrects studies in the name of the person `by`; `configuration` is the one in force."""

    def __init__(
        self,
        archive: Archive,
        queue: Queue,
        journal: Journal,
        configuration: Configuration,
        now: Callable[[], datetime],
        by: str,
    ) -> None:
        self._archive = archive
        self._queue = queue
        self._journal = journal
        self._configuration = configuration
        self._now = now
        self._by = by

    def edit(self, study_id: int, values: Mapping[str, str], *, resend: bool) -> Corrected:
        """Set these attributes, by keyword, in every instance of the study. CorrectionError, ArchiveError."""
        at = self._now().astimezone(self._configuration.zone)

        def edition(kept: Kept) -> Edition:
            return edited(self._archive.folder / kept.file, kept, self._configuration, values, at)

        detail = {"attributes": sorted(values)}
        return self._correct(study_id, EDITED, detail, lambda some: map(edition, some), resend=resend)

    def undo(self, study_id: int, *, resend: bool) -> Corrected:
        """Give every instance of the study the bytes it was received with. CorrectionError, ArchiveError."""

        def editions(some: Sequence[Kept]) -> Iterable[Edition]:
            applied = self._archive.applied(kept.row for kept in some)
            return (restored(self._archive.folder / kept.file, kept, applied.get(kept.row, [])) for kept in some)

        return self._correct(study_id, UNDONE, {}, editions, resend=resend)

    def resend(self, study_id: int) -> Mapping[str, int]:
        """Send the version of now to every destination that has an older one; how many instances, by destination."""
        every = self._archive.stored([kept.row for kept in self._archive.instances_of(study_id)])
        series_of = {row: each.series_id for row, each in every.items()}
        return write(self._archive.database, lambda connection: self._resend(connection, study_id, series_of))

    def _resend(self, connection: Connection, study_id: int, series_of: Mapping[int, int]) -> Mapping[str, int]:
        resent = self._queue.resend(connection, study_id, series_of)
        events = [
            Event(RESENT, study_id, destination=name, detail={"instances": count, "by": self._by})
            for name, count in resent.items()
        ]
        self._journal.write(connection, events)
        return resent

    def _correct(
        self,
        study_id: int,
        kind: str,
        detail: Mapping[str, object],
        editions: Callable[[Sequence[Kept]], Iterable[Edition]],
        *,
        resend: bool,
    ) -> Corrected:
        for _ in range(ATTEMPTS):
            present = self._archive.instances_of(study_id)
            self._refuse_damaged(present)
            revised: list[Revised] = []
            for start in range(0, len(present), AT_ONCE):
                some = present[start : start + AT_ONCE]
                revised += self._revised(some, list(self._told(some, editions)))
            try:
                return self._enter(study_id, kind, detail, revised, resend=resend)
            except ChangedMeanwhileError:
                continue
        raise CorrectionError("the study is changing: instances come in or somebody else corrects it; try again later")

    def _refuse_damaged(self, present: Sequence[Kept]) -> None:
        damaged = sum(kept.damage is not None for kept in present)
        if damaged:
            raise CorrectionError(f"{damaged} of its files are damaged; micropacs verify tells which, and what to do")

    def _told(self, some: Sequence[Kept], editions: Callable[[Sequence[Kept]], Iterable[Edition]]) -> Iterable[Edition]:
        """The editions; what goes wrong says with which instance, and nothing of it is kept."""
        made = iter(editions(some))
        for kept in some:
            try:
                yield next(made)
            except RulesError as error:
                raise CorrectionError(f"instance {kept.uids[1]}: {error}") from error
            except OSError as error:
                raise CorrectionError(f"instance {kept.uids[1]}: its file cannot be read: {error.strerror}") from error

    def _revised(self, some: Sequence[Kept], made: Sequence[Edition]) -> Iterable[Revised]:
        """The instances in their new versions, whose files are on the disk, or as they are."""
        changed = [(kept, each) for kept, each in zip(some, made, strict=True) if each.prefix is not None]
        versions = [Version(kept.file, kept.digest, each.prefix or b"", each.resume) for kept, each in changed]
        written = dict(zip((kept.row for kept, _ in changed), self._archive.rewrite(versions), strict=True))
        for kept, each in zip(some, made, strict=True):
            new = written.get(kept.row)
            before = self._attributes(kept.file, kept.data_set_offset or 0, kept)
            after = self._attributes(new.placed.file, new.placed.data_set_offset, kept) if new else before
            if any(before.get(uid) != after.get(uid) for uid in _UIDS):
                reason = "a rule gave it another UID on arrival; undone it would belong to another study or series"
                raise CorrectionError(f"instance {kept.uids[1]}: {reason}")
            if each.is_original and (new.placed.digest if new else kept.digest) != kept.received_digest:
                raise CorrectionError(
                    f"instance {kept.uids[1]}: what was received cannot be made again from what is kept"
                )
            yield Revised(kept, after, new, each.amendment, len(each.prefix or b""), each.undone)

    def _attributes(self, file: str, offset: int, kept: Kept) -> Mapping[str, str]:
        header = read_header(self._archive.folder / file, offset, kept.uids[2])
        return dict(IndexedAttributes(header))

    def _enter(
        self, study_id: int, kind: str, detail: Mapping[str, object], revised: Sequence[Revised], *, resend: bool
    ) -> Corrected:
        changed = [each.kept.row for each in revised if each.rewritten is not None]

        def enter(connection: Connection) -> None:
            self._archive.revise(connection, study_id, revised, self._by)
            self._queue.outdate(connection, study_id, changed)
            told = {"instances": len(changed), **detail, "by": self._by}
            event = Event(kind, study_id, revision=self._configuration.revision, detail=told)
            self._journal.write(connection, [event])

        if changed:
            write(self._archive.database, enter)
        return Corrected(len(changed), self.resend(study_id) if resend else {})
