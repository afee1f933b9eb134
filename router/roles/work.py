"""The work role: spool to archive and queue, deliveries, upkeep. Waits for the database when it is away."""

import argparse
import os
import sys
import threading
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TypeVar

import structlog

from router.appliance import Appliance, utc_now
from router.config import Configuration
from router.delivery import Bell, Digests, Lines
from router.disks import look
from router.inbox import person
from router.ingest import BATCH_BYTES, Filer, Reader
from router.locking import FileLock
from router.repointed import tell_repointed
from router.roles.machine import (
    keep_freed_memory,
    keep_off_the_last_processor,
    keep_to_the_last_processor,
    take_long_slices,
)
from router.roles.process import ActiveConfiguration, Trouble, stop_when_told
from router.security import Folding, ledger_folder
from router.senders import sender_for
from router.telemetry import start_logging
from router.upkeep import DiskWatch, Doubt, Rounds, Upkeep, Verifier

FILING_SECONDS = 0.06
MANY = 64  # done in one step: more waits already
RELEASED_SECONDS = 0.2
READMITTED_SECONDS = 30.0  # at first; each look reads all that was set aside
QUIET_SECONDS = 0.1
SECURITY_SECONDS = 0.1
TROUBLE_SECONDS = 1.0
PREDECESSOR_SECONDS = 60.0
ANSWER_SECONDS = 8.0  # to end what is done just now; all of it may be left at any moment
DRAIN_SECONDS = 20.0
LAST_SECONDS = 22.0  # less than the supervisor waits
NICENESS = 10
LONGEST_BYTES = 8 << 20  # of one object; what is read of the spool in one piece is shorter
SWITCH_SECONDS = 0.0005  # a line that has its answer does not wait for a rule to be evaluated (Python: 0.005)

T = TypeVar("T")

log = structlog.get_logger(__name__)


def main() -> None:
    """Run the role until told to stop."""
    parser = argparse.ArgumentParser(prog="work")
    parser.add_argument("--data", type=Path, required=True)
    data = parser.parse_args().data
    start_logging("work")
    sys.setswitchinterval(SWITCH_SECONDS)
    keep_freed_memory(BATCH_BYTES + LONGEST_BYTES, LONGEST_BYTES)  # a batch is read, and the next one into its place
    if hasattr(os, "nice"):
        os.nice(NICENESS)  # what scanners wait for comes first
    stop = stop_when_told()
    threading.Thread(target=_leave_at_last, args=(stop,), name="last", daemon=True).start()
    active = ActiveConfiguration(data)
    lock = FileLock(data / "locks" / "work.lock")
    lock.acquire(PREDECESSOR_SECONDS)
    appliance = _insist(lambda: _opened(active()), stop)
    if appliance is not None:
        _work(appliance, active, stop)
        appliance.close()
    lock.release()


def _opened(configuration: Configuration) -> Appliance:
    appliance = Appliance.open(configuration)
    _take_up(appliance, configuration)
    return appliance


def _take_up(appliance: Appliance, configuration: Configuration) -> None:
    """Keep it, and warn of what is pending and goes elsewhere by it."""
    appliance.revisions.remember(configuration, person(None))
    tell_repointed(appliance.database, appliance.revisions, appliance.journal, configuration)


def _insist(step: Callable[[], T], stop: threading.Event) -> T | None:
    """What `step` gives once disk and database let it; None if told to stop before that."""
    trouble = Trouble()
    while not stop.is_set():
        try:
            found = step()
        except Exception as error:  # noqa: BLE001 - the border of a work loop; the spool keeps what scanners send
            trouble.tell("archive or database cannot be reached, trying again", error)
            stop.wait(TROUBLE_SECONDS)
            continue
        trouble.end()
        return found
    return None


def _work(appliance: Appliance, active: ActiveConfiguration, stop: threading.Event) -> None:
    parts = appliance.database, appliance.spool, appliance.archive, appliance.queue, appliance.journal
    filer = Filer(*parts, active, Reader(appliance.spool, keep_off_the_last_processor))
    rulesets = appliance.revisions.ruleset
    doubt = Doubt(Verifier(appliance.archive, appliance.journal))
    lines = Lines(appliance.queue, appliance.archive, rulesets, active, sender_for, active().data / "outbox", doubt)
    rounds = Rounds(
        Verifier(appliance.archive, appliance.journal),
        utc_now,
        lambda: active().settings.archive.verify,
        appliance.spool.backlog,
    )
    disks = DiskWatch(lambda: look(active(), has_run=True), appliance.database, appliance.journal)
    digests = Digests(appliance.database, appliance.archive, rulesets, lambda: active().zone)
    upkeep = Upkeep(appliance.archive, appliance.queue, digests, rounds, disks)

    def accept(configuration: Configuration) -> None:
        _take_up(appliance, configuration)
        lines.reconfigure(configuration)

    appliance.archive.sweep()
    disks.begin()
    _insist(lines.start, stop)
    upkeep.start()
    threads = [
        _loop("filing", filer.file_arrivals, FILING_SECONDS, stop, lines.wake, _stand_back, filer.pace.rests),
        _loop("readmitted", lambda: _readmit(appliance), READMITTED_SECONDS, stop, lambda: None),
        _loop("released", filer.file_released, RELEASED_SECONDS, stop, lines.wake),
        _loop(
            "quiet", lambda: appliance.queue.release_quiet(_filed_through(appliance)), QUIET_SECONDS, stop, lines.wake
        ),
    ]
    folding = Folding(ledger_folder(active().data), appliance.database, appliance.journal, utc_now)
    threads.append(_loop("security", folding.fold, SECURITY_SECONDS, stop, lambda: None))
    log.info("working", revision=active().revision)
    _heed(appliance.bell, stop, partial(lines.wake, at_once=True))
    active.follow(stop, accept)
    told = time.monotonic()
    for thread in threads:
        thread.join(max(0.0, told + ANSWER_SECONDS - time.monotonic()))
    if any(thread.is_alive() for thread in threads):
        _leave()
    lines.stop(told + DRAIN_SECONDS - time.monotonic())
    upkeep.stop()


def _stand_back() -> None:
    """Of the thread that files: nobody waits for it."""
    keep_to_the_last_processor()
    take_long_slices()


def _heed(bell: Bell, stop: threading.Event, then: Callable[[], None]) -> None:
    """Do `then` whenever a command rings, where that can be heard."""
    try:
        bell.listen(then, stop)
    except OSError as error:
        log.info("commands are not heard at once", reason=type(error).__name__)


def _leave_at_last(stop: threading.Event) -> None:
    """A database that hangs lets go of no thread, not even, while it is connected to, of the first one."""
    stop.wait()
    time.sleep(LAST_SECONDS)
    _leave()


def _leave() -> None:
    """End as if killed: spool, ledgers and leases are there for the next start."""
    log.warning("ended in the middle of work, as database or destination do not answer; the next start goes on with it")
    os._exit(0)


def _readmit(appliance: Appliance) -> int:
    """Let entries be filed that the disk did not give back and does by now; how many."""
    readmitted = appliance.spool.readmit()
    if readmitted:
        log.info("spool entries set aside can be read again", instances=readmitted)
    return readmitted


def _filed_through(appliance: Appliance) -> datetime | None:
    """Up to when every arrival is filed, None if all are: what waits in the spool may break a study's quiet."""
    backlog = appliance.spool.backlog()
    if backlog.count and backlog.oldest is None:  # those looked at were filed meanwhile, and more may wait
        return datetime.min.replace(tzinfo=UTC)
    return backlog.oldest


def _loop(
    name: str,
    step: Callable[[], int],
    rest_seconds: float,
    stop: threading.Event,
    then: Callable[[], None],
    at_first: Callable[[], None] = lambda: None,
    rests_after: Callable[[float], Iterable[float]] | None = None,
) -> threading.Thread:
    """A thread that takes `step` again and again; trouble never ends it.

    It rests when there was nothing to do, or not much, and after many such rests ten times as long. After what took so
    many seconds it takes the rests that `rests_after` gives, where that is given.
    """

    def run() -> None:
        at_first()
        rest = rest_seconds
        trouble = Trouble(work=name)
        while not stop.is_set():
            began = time.monotonic()
            try:
                done = step()
                if done:
                    rest = rest_seconds
                    then()
                    for each in rests_after(time.monotonic() - began) if rests_after else ():
                        if stop.wait(each):
                            break  # nobody is looked for any more
            except Exception as error:  # noqa: BLE001 - the border of a work loop
                trouble.tell("work interrupted, trying again", error)
                stop.wait(TROUBLE_SECONDS)
                continue
            trouble.end()
            if not done or (done < MANY and not rests_after):
                stop.wait(rest)
                rest = min(rest * 1.1, 10 * rest_seconds)

    thread = threading.Thread(target=run, name=name)
    thread.start()
    return thread


if __name__ == "__main__":
    main()
