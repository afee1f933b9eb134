"""Verifies kept files, for the command and by the clock: what is damaged goes into quarantine, and comes out again.

The archive reads the files and knows what is wrong; here is written down what follows. No file is changed, none sent.
"""

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import sqlalchemy as sa
import structlog

from archive import Archive, Backlog, Fault, Finding, Kept, Round, VerificationStoppedError
from router.journal import Event, Journal

BATCH = 64
BATCH_BYTES = 256 << 20
NAMES = 1000  # looked at in a row, for files the index does not know
REST_SECONDS = 0.05  # after so many
STEP_SECONDS = 2.0  # of each look at what is due: what fell behind is made up for, but never without a rest
DAMAGED = "damaged"
WHOLE_AGAIN = "whole again"
ORPHANS = "orphans"
_TOLD = 100  # arrivals or files an event names

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Verified:
    """What became of one batch: what is not as it was kept, and what was damaged before and is whole again."""

    findings: Sequence[Finding]
    lifted: Sequence[Kept]


@dataclass(slots=True)
class _Told:
    """An event in the journal that grows as more of its study is found; `row` is None until it is written."""

    row: int | None = None
    faults: Counter[str] = field(default_factory=Counter)
    arrivals: list[str] = field(default_factory=list)

    def detail(self) -> Mapping[str, object]:
        return {
            "instances": self.faults.total(),
            "faults": dict(self.faults),
            "arrivals": self.arrivals[:_TOLD],
        }


class Verifier:
    """Verifies batches; of one run there is one event a study in the journal. Used by one thread."""

    def __init__(self, archive: Archive, journal: Journal) -> None:
        self.archive = archive
        self._journal = journal
        self._told: dict[tuple[str, int | None], _Told] = {}

    def begin(self) -> None:
        """What is found from here on is of another run."""
        self._told = {}

    def verify(
        self, batch: Sequence[Kept], is_stopped: Callable[[], bool] = lambda: False, to: Round | None = None
    ) -> Verified:
        """Read these files and write down, in one transaction, what follows and that it is verified up to `to`.

        VerificationStoppedError if `is_stopped` says so before the end; then nothing is written down.
        """
        findings, lifted = [], []
        for kept in batch:
            finding = self.archive.examine(kept, is_stopped)
            if finding is not None:
                findings.append(finding)
            elif kept.damage is not None:
                lifted.append(kept)
        if findings or lifted or to is not None:
            with self.archive.database.begin() as connection:
                self.archive.quarantine(connection, findings)
                self.archive.lift(connection, lifted)
                new = [each for each in findings if each.kept.damage is None and each.fault is not Fault.NOT_VERIFIED]
                self._tell(connection, DAMAGED, [(each.kept, str(each.fault)) for each in new])
                self._tell(connection, WHOLE_AGAIN, [(kept, WHOLE_AGAIN) for kept in lifted])
                if to is not None:
                    self.archive.set_round(connection, to)
        return Verified(findings, lifted)

    def _tell(self, connection: sa.Connection, kind: str, what: Sequence[tuple[Kept, str]]) -> None:
        touched: dict[int | None, _Told] = {}
        for kept, fault in what:
            told = touched[kept.study_id] = self._told.setdefault((kind, kept.study_id), _Told())
            told.faults[fault] += 1
            told.arrivals.append(kept.arrival)
        for study_id, told in touched.items():
            if told.row is None:
                told.row = self._journal.begin(connection, Event(kind, study_id, detail=told.detail()))
            else:
                self._journal.amend(connection, told.row, told.detail())

    def orphans(self, files: Sequence[str]) -> None:
        """Write down that the index does not know these files of the archive."""
        if files:
            with self.archive.database.begin() as connection:
                detail = {"files": len(files), "names": files[:_TOLD]}
                self._journal.write(connection, [Event(ORPHANS, detail=detail)])


class Rounds:
    """Verifies every file once in a period, a few now and then, in the order of their ids: the longest unseen first.

    At the end of a round it looks at what waits in hold and for files that the index does not know.
    How far it is, and when this round began, stands in the database; from that follows when the next ones are due.
    """

    def __init__(
        self,
        verifier: Verifier,
        now: Callable[[], datetime],
        every: Callable[[], float | None],
        backlog: Callable[[], Backlog],
    ) -> None:
        """`every` gives the period in seconds, None for never; `now` is the wall clock, aware.

        `backlog` says what waits to be filed: its files are known soon.
        """
        self._verifier = verifier
        self._archive = verifier.archive
        self._now = now
        self._every = every
        self._backlog = backlog

    def step(self, is_stopped: Callable[[], bool]) -> int:
        """Verify what is due, for a moment at most; how many files that were."""
        until = time.monotonic() + STEP_SECONDS
        done = 0
        try:
            while not is_stopped() and time.monotonic() < until:
                count = self._batch(is_stopped)
                if count is None:
                    break
                done += count
        except VerificationStoppedError:  # the batch is verified when the appliance runs again
            pass
        return done

    def _batch(self, is_stopped: Callable[[], bool]) -> int | None:
        """Verify one batch; how many, None if none is due."""
        round_ = self._due()
        if round_ is None:
            return None
        batch = _fitting(self._archive.instances_after(round_.after, BATCH))
        after = batch[-1].row if batch else round_.last
        if after < round_.last:
            tell(self._verifier.verify(batch, is_stopped, replace(round_, after=after)))
            return len(batch)
        held = self._hold(is_stopped)
        self._orphans(is_stopped)
        tell(self._verifier.verify(batch, is_stopped, replace(round_, after=round_.last)))
        return len(batch) + held

    def _due(self) -> Round | None:
        """The round with a batch that is due: the one under way, or a new one."""
        every, now = self._every(), self._now()
        if every is None:
            return None
        last = self._archive.last_round()
        if last is not None:
            if last.began_at > now:  # the clock was set back: no file is to wait for it to get there again
                last = replace(last, began_at=now - timedelta(seconds=every * last.share))
            is_over = last.after >= last.last
            if now < last.began_at + timedelta(seconds=every * last.share):
                return None
            if not is_over:
                return last
        self._verifier.begin()
        return Round(0, self._archive.newest(), now)

    def _hold(self, is_stopped: Callable[[], bool]) -> int:
        """What waits in hold, all of it, at the end of a round: it is little."""
        row = done = 0
        while batch := self._archive.held_after(row, BATCH):
            tell(self._verifier.verify(batch, is_stopped))
            row = batch[-1].row
            done += len(batch)
        return done

    def _orphans(self, is_stopped: Callable[[], bool]) -> None:
        """Look for files that the index does not know, at the end of a round: it reads names only."""
        found = []
        for number, (file, is_orphan) in enumerate(self._archive.files(self._backlog), start=1):
            if is_stopped():
                raise VerificationStoppedError
            if number % NAMES == 0:
                time.sleep(REST_SECONDS)
            if is_orphan:
                log.warning("file is not in the index", file=file)
                found.append(file)
        self._verifier.orphans(found)


def tell(verified: Verified) -> None:
    """Into the log."""
    for each in verified.findings:
        log.error("kept file is damaged", file=each.kept.file, fault=str(each.fault), reason=each.reason)
    for kept in verified.lifted:
        log.info("kept file is whole again", file=kept.file)


def _fitting(batch: Sequence[Kept]) -> Sequence[Kept]:
    """The first of them, as many as can be read in a moment; one at least."""
    room = BATCH_BYTES
    for number, kept in enumerate(batch):
        room -= kept.bytes
        if room < 0:
            return batch[: max(1, number)]
    return batch
