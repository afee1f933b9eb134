"""Corrects or restores all instances of a kept study: new versions, index, history, queue and journal as one.

New files are on the disk before the one transaction that makes them those that are kept. A crash before it leaves the
old study, one after it the new; what the other had is removed by upkeep. A correction stands: filing gives it to what
arrives for the study later, until the study is restored. It decides no value and sends nothing.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection

from archive import Archive, ChangedMeanwhileError, InstanceKey, Kept, Revised, Standing, Version
from router.config import Configuration
from router.corrections.versions import Edition, edited, restored
from router.delivery import Digests, Queue
from router.delivery.transactions import write
from router.errors import RouterError
from router.ingest.corrected import EDITED
from router.ingest.judgement import KEY, IndexedAttributes, fault_of
from router.journal import Event, Journal
from router.reading import read_header
from rules import Attribute, RulesError

AT_ONCE = 64  # instances whose new headers are in memory
ATTEMPTS = 3
UNDONE, RESENT = "undone", "resent"


class CorrectionError(RouterError):
    """The study cannot be corrected."""


@dataclass(frozen=True, slots=True)
class Corrected:
    """What was done: how many instances are kept in another version, how many are sent again by destination.

    `moved` are those that belong to another study now, by its id. `is_for_later`: what arrives later is to get other
    corrections than it was to get before.
    """

    instances: int
    resent: Mapping[str, int]
    moved: Mapping[int, int] = field(default_factory=dict)
    is_for_later: bool = False


class Corrector:
    """Corrects studies in the name of the person `by`; `configuration` is the one in force."""

    def __init__(
        self,
        archive: Archive,
        queue: Queue,
        digests: Digests,
        journal: Journal,
        configuration: Configuration,
        now: Callable[[], datetime],
        by: str,
    ) -> None:
        self._archive = archive
        self._queue = queue
        self._digests = digests
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
        new = [Standing(keyword, value, self._by, at) for keyword, value in values.items()]
        return self._correct(study_id, EDITED, detail, lambda some: map(edition, some), new, resend=resend)

    def undo(self, study_id: int, *, resend: bool) -> Corrected:
        """Give every instance of the study the bytes it was received with. CorrectionError, ArchiveError."""

        def editions(some: Sequence[Kept]) -> Iterable[Edition]:
            applied = self._archive.applied(kept.row for kept in some)
            return (
                restored(self._archive.folder / kept.file, kept.data_set_offset or 0, applied.get(kept.row, []))
                for kept in some
            )

        return self._correct(study_id, UNDONE, {}, editions, None, resend=resend)

    def resend(self, study_id: int) -> Mapping[str, int]:
        """Send the version of now to every destination that has an older one; how many instances, by destination."""
        every = self._archive.stored([kept.row for kept in self._archive.instances_of(study_id)])
        series_of = {row: each.series_id for row, each in every.items()}
        resent = write(self._archive.database, lambda connection: self._resend(connection, study_id, series_of))
        self._queue.ring()
        return resent

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
        standing: Sequence[Standing] | None,
        *,
        resend: bool,
    ) -> Corrected:
        """Give the study these editions; `standing` is what stands for it besides what does, None ends all that."""
        self._digests.complete(study_id)  # of what was sent: afterwards the archive has another version
        for _ in range(ATTEMPTS):
            present = self._archive.instances_of(study_id)
            self._refuse_damaged(present)
            revised: list[Revised] = []
            for start in range(0, len(present), AT_ONCE):
                some = present[start : start + AT_ONCE]
                revised += self._revised(some, list(self._told(some, editions)))
            try:
                return self._enter(study_id, kind, detail, revised, standing, resend=resend)
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
            with _naming(kept):
                edition = next(made)
            yield edition

    def _revised(self, some: Sequence[Kept], made: Sequence[Edition]) -> Iterable[Revised]:
        """The instances in their new versions, whose files are on the disk, or as they are."""
        changed = [(kept, each) for kept, each in zip(some, made, strict=True) if each.prefix is not None]
        attributes = {kept.row: self._attributes(kept, each) for kept, each in zip(some, made, strict=True)}
        keys = {kept.row: self._other_key(kept, attributes[kept.row]) for kept, _ in changed}
        versions = [
            Version(kept.file, kept.digest, each.prefix or b"", each.resume, key.study_uid if key else None)
            for kept, each in changed
            for key in (keys[kept.row],)
        ]
        written = dict(zip((kept.row for kept, _ in changed), self._archive.rewrite(versions), strict=True))
        for kept, each in zip(some, made, strict=True):
            new = written.get(kept.row)
            if each.is_original and (new.placed.digest if new else kept.digest) != kept.received_digest:
                raise CorrectionError(
                    f"instance {kept.uids[1]}: what was received cannot be made again from what is kept"
                )
            length = len(each.prefix or b"")
            yield Revised(kept, attributes[kept.row], new, each.amendment, length, each.undone, keys.get(kept.row))

    def _attributes(self, kept: Kept, edition: Edition) -> Mapping[str, str]:
        """What its header says as it is to be."""
        start = (kept.data_set_offset or 0) + edition.resume
        with _naming(kept):
            header = read_header(self._archive.folder / kept.file, start, kept.uids[2], edition.prefix or b"")
            return dict(IndexedAttributes(header))

    def _other_key(self, kept: Kept, after: Mapping[str, str]) -> InstanceKey | None:
        """What it is kept under from now on, None if that is as before."""
        before = self._attributes(kept, Edition())
        if all(before.get(keyword) == after.get(keyword) for keyword in KEY):
            return None
        study, series, instance = (after.get(keyword, "") for keyword in KEY)
        key = InstanceKey(study, series, instance or kept.uids[1])
        if fault := fault_of(key):
            raise CorrectionError(f"instance {kept.uids[1]}: as it was received {fault.reason}: it belongs to no study")
        if before.get("SOPInstanceUID") != after.get("SOPInstanceUID"):
            raise CorrectionError(f"instance {kept.uids[1]}: it would be another instance")
        return key

    def _enter(
        self,
        study_id: int,
        kind: str,
        detail: Mapping[str, object],
        revised: Sequence[Revised],
        standing: Sequence[Standing] | None,
        *,
        resend: bool,
    ) -> Corrected:
        changed = [each.kept.row for each in revised if each.rewritten is not None]
        is_for_later = False

        def enter(connection: Connection) -> Counter[int]:
            nonlocal is_for_later
            before = self._archive.standing(connection, study_id)
            after = _standing(before, standing)
            is_for_later = after != before
            if not (changed or is_for_later):
                return Counter()
            places = self._archive.revise(connection, study_id, revised, self._by)
            self._archive.stand(connection, study_id, after)
            self._queue.outdate(connection, study_id, changed)
            self._queue.move(connection, study_id, places)
            moved = Counter(place.study_id for place in places.values() if place.study_id != study_id)
            told = {"instances": len(changed), **detail, "by": self._by}
            events = [(study_id, {**told, **({"moved": sum(moved.values())} if moved else {})})]
            events += [
                (to, {**told, "instances": count, "from": revised[0].kept.study_uid}) for to, count in moved.items()
            ]
            of = self._configuration.revision
            self._journal.write(connection, [Event(kind, study, revision=of, detail=each) for study, each in events])
            return moved

        moved = write(self._archive.database, enter)
        resent: Counter[str] = Counter()
        for each in (study_id, *moved) if resend else ():
            resent.update(self.resend(each))
        return Corrected(len(changed), resent, moved, is_for_later)


def _standing(before: Sequence[Standing], new: Sequence[Standing] | None) -> tuple[Standing, ...]:
    """What stands after a correction; of each attribute the last one, and what says the same as before as it was."""
    if new is None:
        return ()
    said = {(each.attribute, each.value) for each in before}
    others = [each for each in new if (each.attribute, each.value) not in said]
    named = {Attribute.parse(each.attribute).steps for each in others}
    return (*(each for each in before if Attribute.parse(each.attribute).steps not in named), *others)


@contextmanager
def _naming(kept: Kept) -> Iterator[None]:
    """What goes wrong with an instance says which one it is."""
    try:
        yield
    except RulesError as error:
        raise CorrectionError(f"instance {kept.uids[1]}: {error}") from error
    except OSError as error:
        raise CorrectionError(f"instance {kept.uids[1]}: its file cannot be read: {error.strerror}") from error
