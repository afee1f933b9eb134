"""Reads the spool's entries for filing, and the next ones while those are filed. Sets nothing aside."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import accumulate

from archive import Entry, EntryUnreadableError, Spool

BATCH_BYTES = 32 << 20  # of data sets that are read at a time

Outcome = Entry | EntryUnreadableError


class Reader:
    """Used by one thread; what is read ahead is read, checked and digested by a second one."""

    def __init__(self, spool: Spool, at_first: Callable[[], None] | None = None) -> None:
        """`at_first` is what the second thread does before anything else."""
        self._spool = spool
        self._helper = ThreadPoolExecutor(1, "reading", at_first)
        self._ahead: Future[dict[str, Outcome]] | None = None

    def read(self, waiting: Sequence[str], limit: int, *, ahead: bool) -> list[Outcome]:
        """The first `limit` that wait, as far as memory allows: each, or why it cannot be read (with its arrival).

        With `ahead` the reading of those that come after them begins. What was read ahead last and is not wanted now
        is forgotten.
        """
        arrivals = self._fitting(waiting[:limit])
        known = self._ahead.result() if self._ahead else {}
        self._ahead = None
        found = [known.get(arrival) or self._read(arrival) for arrival in arrivals]
        following = self._fitting(waiting[len(arrivals) :][:limit])
        if ahead and following:
            self._ahead = self._helper.submit(lambda: {arrival: self._read(arrival) for arrival in following})
        return found

    def _fitting(self, arrivals: Sequence[str]) -> Sequence[str]:
        """As many of them as memory allows at a time, at least one."""
        sizes = accumulate(map(self._spool.content_bytes, arrivals))
        return arrivals[: max(1, sum(1 for size in sizes if size <= BATCH_BYTES))]

    def _read(self, arrival: str) -> Outcome:
        try:
            return self._spool.read(arrival)
        except EntryUnreadableError as error:
            error.arrival = arrival
            return error
