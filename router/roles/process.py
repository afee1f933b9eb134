"""What every role's process shares: when to stop, and which configuration is in force. Knows no role's work."""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import structlog
from sqlalchemy.exc import InterfaceError, OperationalError

from archive import ArchiveError
from router.config import Configuration, Snapshot
from router.errors import RouterError
from router.telemetry import reason_of

LOOK_AT_CONFIGURATION_SECONDS = 0.5
TELL_AGAIN_SECONDS = 60.0
AGAIN_SECONDS = 2.0  # after a configuration could not be taken up, for example because the database is away

log = structlog.get_logger(__name__)


def stop_when_told() -> threading.Event:
    """An event that is set when the supervisor closes our standard input, dies, or somebody sends SIGTERM.

    Standard input is the leash: it works the same on Windows, and no role outlives a killed supervisor.
    """
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to the whole group; the supervisor tells us in its turn
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, signal.SIG_IGN)

    def watch() -> None:
        while os.read(sys.stdin.fileno(), 4096):
            pass
        stop.set()

    threading.Thread(target=watch, name="leash", daemon=True).start()
    return stop


class Trouble:
    """Tells what goes wrong again and again: at first, when it changes, and once a minute while it lasts."""

    def __init__(self, **bound: str) -> None:
        self._log = log.bind(**bound)
        self._told = ""
        self._again = 0.0  # when (monotonic)

    def tell(self, what: str, error: Exception) -> None:
        """It has gone wrong; where it was no disk and no database, the log gets to know where."""
        reason = reason_of(error)
        if reason == self._told and time.monotonic() < self._again:
            return
        self._told, self._again = reason, time.monotonic() + TELL_AGAIN_SECONDS
        is_outside = isinstance(error, OSError | OperationalError | InterfaceError | ArchiveError | RouterError)
        self._log.error(what, error=type(error).__name__, reason=reason, exc_info=None if is_outside else error)

    def end(self) -> None:
        """It has gone well."""
        if self._told:
            self._told = ""
            self._log.info("the trouble is over")


class ActiveConfiguration:
    """The configuration the supervisor accepted last, replaced whole by one reference when it accepts another."""

    def __init__(self, data: Path) -> None:
        self._snapshot = Snapshot(data)
        self._current = self._snapshot.read()

    def __call__(self) -> Configuration:
        """The configuration in force now."""
        return self._current

    def follow(self, stop: threading.Event, accept: Callable[[Configuration], None]) -> None:
        """Until `stop`, call `accept` with each new configuration; it is in force once `accept` returns.

        One that `accept` fails on is tried again: the supervisor has accepted it, so every role has to follow.
        """
        is_refused = False
        while not stop.wait(AGAIN_SECONDS if is_refused else LOOK_AT_CONFIGURATION_SECONDS):
            if not is_refused and not self._snapshot.changed():
                continue
            try:
                configuration = self._snapshot.read()
                accept(configuration)
            except Exception:  # the border of a work loop: the last good configuration stays until this one can be had
                log.exception("new configuration not taken up, the last good one stays, trying again")
                is_refused = True
                continue
            is_refused = False
            self._current = configuration
            log.info("configuration taken up", revision=configuration.revision)
