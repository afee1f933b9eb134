"""The sent ledger: each answer is on file the moment it comes, and entered into the queue in groups. It sends nothing.

A process that dies between an answer and its entry leaves the answer here, and it is entered at the next start before
any lease is freed: what was answered is not sent again. Not synchronised: it outlives the process, not the power.
"""

import json
import os
import threading
import time
from contextlib import nullcontext
from dataclasses import asdict
from datetime import datetime
from functools import lru_cache
from io import FileIO
from pathlib import Path
from typing import Any

import structlog

from router.delivery.delivery import Settlement
from router.delivery.outcomes import Kind, Outcome
from router.delivery.queue import Queue

GROUP = 96  # more than a lot: those of one are entered when the next but one is leased
GROUP_SECONDS = 0.5
_OUTCOMES = 64  # that are kept encoded
MOST_BYTES = 1 << 20  # of a ledger; then the next answer waits until all are entered

log = structlog.get_logger(__name__)


class Outbox:
    """The answers one connection has had and not entered yet, in memory and in the ledger file at `path`."""

    def __init__(self, path: Path, queue: Queue) -> None:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
        self._path = path
        self._file = FileIO(path, "a", opener=lambda name, flags: os.open(name, flags, 0o640))
        self._bytes = 0
        self._queue = queue
        self._pending: list[Settlement] = []
        self._since = 0.0
        self._lock = threading.Lock()  # of what is pending and of the file, held for moments
        self._entering = threading.Lock()  # held by who talks to the queue

    def note(self, settlement: Settlement) -> bool:
        """Put an answer on file; whether there are enough now to enter them (`flush`)."""
        with self._lock:
            if not self._pending:
                self._since = time.monotonic()
            self._pending.append(settlement)
            try:
                self._bytes += self._file.write(_encode(settlement))
            except OSError:  # a full disk: then the database is the only ledger left
                log.exception("sent ledger cannot be written", ledger=self._path.name)
                is_on_file = False
            else:
                is_on_file = True
        if not is_on_file:
            self.flush()
        return len(self._pending) >= GROUP

    def flush_if_old(self) -> None:
        """Enter the answers if the first has waited long enough; any thread may call this."""
        if self._pending and time.monotonic() - self._since >= GROUP_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Enter all answers there are; any thread may call this, and more answers may come meanwhile.

        If the database fails they stay on file and pending, and its error is raised.
        """
        with self._entering:
            is_long = self._bytes > MOST_BYTES
            with self._lock if is_long else nullcontext():
                entered = self._pending[:]
                if not entered:
                    return
                accepted = self._queue.settle(entered)
                if accepted < len(entered):
                    log.warning("answers came after their leases had ended", answers=len(entered) - accepted)
                with nullcontext() if is_long else self._lock:
                    self._forget(len(entered))

    def _forget(self, count: int) -> None:
        """Drop the first answers, and the ledger once they are all."""
        del self._pending[:count]
        self._since = time.monotonic()
        if self._pending:
            return  # the file keeps those entered too: entering one twice is harmless
        if self._file.closed:
            self._path.unlink(missing_ok=True)
        else:
            self._file.truncate(0)
            self._bytes = 0

    def close(self) -> None:
        """Let the ledger go: removed when all is entered, else left for the next start."""
        with self._lock:
            self._file.close()
            if not self._pending:
                self._path.unlink(missing_ok=True)


def ledger_path(folder: Path, holder: str, number: int) -> Path:
    """Where the connection `number` of this holder keeps its ledger."""
    return folder / f"{holder}-{number}.log"


def recover(folder: Path, queue: Queue) -> int:
    """Enter what the last life of this holder was answered and had not entered; how many deliveries that settled."""
    settled = 0
    for path in sorted(folder.glob(f"{queue.holder}-*.log")):
        try:
            lines = path.read_bytes().splitlines()
        except OSError as error:  # rather send something twice than nothing ever again
            log.error("sent ledger cannot be read", ledger=path.name, reason=error.strerror)  # noqa: TRY400
            continue
        settlements = [settlement for line in lines if (settlement := _decode(line))]
        for start in range(0, len(settlements), GROUP):
            settled += queue.settle(settlements[start : start + GROUP])
        path.unlink()
    return settled


def _encode(settlement: Settlement) -> bytes:
    """One line of JSON, put together by hand: the peer waits for the next instance meanwhile."""
    return (
        f'{{"delivery_id": {settlement.delivery_id}, "token": {settlement.token}, '
        f'"outcome": {_encoded(settlement.outcome)}, "at": "{settlement.at.isoformat()}", '
        f'"seconds": {settlement.seconds!r}, "digest": {_text(settlement.digest)}, '
        f'"size": {settlement.size or "null"}, "check": {_text(settlement.check)}, '
        f'"wait_seconds": {settlement.wait_seconds!r}}}\n'
    ).encode("ascii")


@lru_cache(_OUTCOMES)
def _encoded(outcome: Outcome) -> str:
    return json.dumps(asdict(outcome))


def _text(value: str | None) -> str:
    return "null" if value is None else f'"{value}"'  # of digits only


def _decode(line: bytes) -> Settlement | None:
    """None for a line that was not written to its end."""
    try:
        fields: dict[str, Any] = json.loads(line)
        outcome = fields.pop("outcome")
        at = datetime.fromisoformat(fields.pop("at"))
        return Settlement(outcome=Outcome(**outcome | {"kind": Kind(outcome["kind"])}), at=at, **fields)
    except (ValueError, TypeError, KeyError):
        log.warning("sent ledger: a line is not whole")
        return None
