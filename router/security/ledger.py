"""Notes security events without a database: counted in memory, a line each in a file soon after. Journals nothing."""

import os
import threading
import time
from datetime import UTC, datetime
from io import FileIO
from pathlib import Path

import structlog

from router.security.event import ANYBODY, SecurityEvent, fit_title

LEDGER_NAME = "events.log"
WRITE_SECONDS = 0.5
AGAIN_SECONDS = 5.0  # between two lines of the same event
MOST_ADDRESSES = 256  # told apart at a time
MOST_BYTES = 1_000_000  # of the file, while nobody takes it up

log = structlog.get_logger(__name__)


def ledger_folder(data: Path) -> Path:
    """Where in the data folder the ledger lies."""
    return data / "security"


class Ledger:
    """Appends to the file that the work role takes up; any thread may note, one of its own writes.

    A flood costs a line every few seconds, not one each: what comes meanwhile is counted.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / LEDGER_NAME
        self._guard = threading.Lock()
        self._noted: dict[tuple[str, str], SecurityEvent] = {}
        self._written: dict[tuple[str, str], float] = {}  # when (monotonic); who stands here waits for the next line
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="security ledger", daemon=True)

    def note(self, what: str, host: str, calling_ae: str = "") -> None:
        """Something happened now; neither waits nor raises."""
        now = datetime.now(UTC)
        with self._guard:
            is_known = (what, host) in self._noted
            named = host if is_known or len(self._noted) < MOST_ADDRESSES else ANYBODY
            event = SecurityEvent(what, named, now, now, calling_ae=fit_title(calling_ae))
            before = self._noted.get(event.key)
            self._noted[event.key] = before.plus(event) if before else event

    def start(self) -> None:
        """Begin to write what is noted."""
        self._thread.start()

    def stop(self) -> None:
        """Write what is left."""
        self._stop.set()
        self._thread.join()
        self.write(is_last=True)

    def write(self, *, is_last: bool = False) -> None:
        """Append what was noted, except what was written a moment ago unless this is the last time."""
        now = time.monotonic()
        with self._guard:
            self._written = {key: at for key, at in self._written.items() if now - at < AGAIN_SECONDS}
            events = [event for key, event in self._noted.items() if is_last or key not in self._written]
            if not events or not self._append(events):
                return
            for event in events:
                del self._noted[event.key]
                self._written[event.key] = now
        for event in events:
            log.warning("security event", what=str(event.what), host=event.host, count=event.count)

    def _append(self, events: list[SecurityEvent]) -> bool:
        """False when they could not be written: they are counted on."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
            with FileIO(self._path, "a", opener=lambda name, flags: os.open(name, flags, 0o640)) as file:
                if file.tell() > MOST_BYTES:
                    return False
                file.write(b"".join(event.line() for event in events))
        except OSError as error:
            log.error("security events cannot be written", reason=error.strerror)  # noqa: TRY400
            return False
        return True

    def _run(self) -> None:
        while not self._stop.wait(WRITE_SECONDS):
            self.write()
