"""Replays all that was chosen, in parts, by several processes where that is worth it. Decides and shows nothing."""

import os
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from datetime import datetime
from multiprocessing import get_context
from pathlib import Path

from archive import Database, Past, PastArrivals
from router.config import Configuration, load_texts
from router.replay.comparing import Comparison
from router.replay.tally import Tally

PART = 250  # arrivals
MOST_PROCESSES = 8
WORTH_PROCESSES = 3000  # arrivals; to start a process takes as long as to replay some hundreds
NICENESS = 10  # scanners wait for the appliance, which may run beside

Part = tuple[bool, Sequence[int]]  # whether they are in hold, and their row numbers


@dataclass(frozen=True, slots=True)
class Choice:
    """Which past arrivals: what came `since` then, of one study, at most `limit` and the newest of them."""

    since: datetime | None = None
    study_uid: str | None = None
    limit: int | None = None


@dataclass(frozen=True, slots=True)
class _Rules:
    """A configuration as another process can make it again; `data` is the folder it is tried in."""

    texts: Mapping[str, str]
    path: Path
    data: Path

    def loaded(self) -> Configuration:
        return load_texts(self.texts, self.path, tried_in=self.data)


class _Replayer:
    """Takes parts of what has arrived, and gives their tallies."""

    def __init__(self, past: PastArrivals, comparison: Comparison) -> None:
        self._past = past
        self._comparison = comparison

    def tally(self, part: Part) -> Tally:
        """What differs for these."""
        is_in_hold, numbers = part
        arrivals: list[Past] = self._past.held(numbers) if is_in_hold else self._past.filed(numbers)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pydicom's quote the values they complain of
            return self._comparison.tally(arrivals)


def replay(
    database: Database,
    in_force: Configuration,
    new: Configuration,
    choice: Choice,
    *,
    most: int,
    processes: int | None = None,
    begun: Callable[[int], None] = lambda _: None,
    advanced: Callable[[int], None] = lambda _: None,
) -> Tally:
    """What of the chosen arrivals would differ; of each difference at most so many examples.

    `database` is that of `in_force`. `begun` is told how many there are, `advanced` how many more are done.
    """
    past = PastArrivals(database, in_force.data / "archive")
    filed, in_hold = past.newest(choice.since, choice.study_uid, choice.limit)
    total = len(filed) + len(in_hold)
    begun(total)
    if processes is None:
        processes = min(os.cpu_count() or 1, MOST_PROCESSES) if total >= WORTH_PROCESSES else 1
    parts = [*_parts(False, filed), *_parts(True, in_hold)]
    tally = Tally(most)
    done = 0
    if processes > 1:
        for each in _by_processes(parts, processes, database, in_force, new, most):
            tally.merge(each)
            advanced(len(parts[done][1]))
            done += 1
    replayer = _Replayer(past, Comparison(in_force, new, most))
    for part in parts[done:]:
        tally.merge(replayer.tally(part))
        advanced(len(part[1]))
    return tally


def _parts(is_in_hold: bool, numbers: Sequence[int]) -> Iterator[Part]:
    return ((is_in_hold, numbers[start : start + PART]) for start in range(0, len(numbers), PART))


def _by_processes(
    parts: Sequence[Part], processes: int, database: Database, in_force: Configuration, new: Configuration, most: int
) -> Iterator[Tally]:
    """The tallies of the parts, in order; where processes cannot be started, or die, there are fewer than parts."""
    url = database.engine.url.render_as_string(hide_password=False)
    pair = [_Rules(each.texts, each.path, in_force.data) for each in (in_force, new)]
    spawn = get_context("spawn")
    try:
        pool = ProcessPoolExecutor(processes, mp_context=spawn, initializer=_begin, initargs=(url, pair, most))
    except (OSError, NotImplementedError):  # no semaphores here
        return
    try:
        yield from pool.map(_tally, parts)
    except BrokenProcessPool:
        return
    finally:
        pool.shutdown(cancel_futures=True)


_replayer: _Replayer | None = None  # of a process that was started by `_by_processes`


def _begin(url: str, pair: Sequence[_Rules], most: int) -> None:
    """What such a process does first."""
    global _replayer
    if hasattr(os, "nice"):
        os.nice(NICENESS)
    in_force, new = (each.loaded() for each in pair)
    past = PastArrivals(Database(url, read_only=True), in_force.data / "archive")
    _replayer = _Replayer(past, Comparison(in_force, new, most))


def _tally(part: Part) -> Tally:
    assert _replayer is not None
    return _replayer.tally(part)
