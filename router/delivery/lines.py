"""All lines: as many connections for each destination as the configuration asks for, started, kept and drained."""

import threading
import time
from collections.abc import Callable, Mapping
from itertools import count
from pathlib import Path

import structlog
from sqlalchemy.exc import SQLAlchemyError

from archive import Archive
from router.config import Configuration, Destination
from router.delivery.outbox import Outbox, ledger_path, recover
from router.delivery.packing import Packer
from router.delivery.queue import Queue
from router.delivery.sender import Sender
from router.delivery.sending import LineSettings, Sending
from router.delivery.worker import Line
from router.pixels import Workshop
from router.telemetry import reason_of
from rules import Ruleset

FLUSH_SECONDS = 0.25
RENEW_SECONDS = 30.0

SenderFor = Callable[[Destination, Configuration], Callable[[], Sender]]

log = structlog.get_logger(__name__)


class Lines:
    """The lines of every destination of the configuration in force.

    `sender_for` gives what opens a sender to a destination; `outbox_folder` keeps the ledgers of what was sent.
    `damaged` is told the id of an instance that was not sent because it is not what was kept.
    """

    def __init__(
        self,
        queue: Queue,
        archive: Archive,
        rulesets: Callable[[str], Ruleset],
        configuration: Callable[[], Configuration],
        sender_for: SenderFor,
        outbox_folder: Path,
        damaged: Callable[[int], None],
    ) -> None:
        self._queue = queue
        self._archive = archive
        self._rulesets = rulesets
        self._configuration = configuration
        self._sender_for = sender_for
        self._outbox_folder = outbox_folder
        self._damaged = damaged
        self._workshop = Workshop()
        self._numbers = count(1)
        self._lines: dict[str, list[Line]] = {}
        self._leaving: list[Line] = []
        self._crews: dict[str, set[Sending]] = {}  # by destination, those with a connection
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._keeper = threading.Thread(target=self._keep, name="lines", daemon=True)

    def start(self) -> None:
        """Take up where the last life of this process ended, and begin: answers first, then its and expired leases."""
        self._queue.go_on()
        answered = recover(self._outbox_folder, self._queue)
        freed = self._queue.rescue(own=True) + self._queue.rescue()
        if answered or freed:
            log.info("took up unfinished deliveries", answered=answered, to_send_again=freed)
        self._queue.remember_clock()
        self.reconfigure(self._configuration())
        self._keeper.start()

    def reconfigure(self, configuration: Configuration) -> None:
        """Follow a new configuration: settings change between two leases, lines begin and end."""
        packer = Packer(self._archive, self._rulesets, configuration.zone, self._workshop)
        settings = {
            name: LineSettings(
                name=name,
                connections=destination.connections,
                retry=destination.retry,
                window=destination.window,
                zone=configuration.zone,
                packer=packer,
                open_sender=self._sender_for(destination, configuration),
            )
            for name, destination in configuration.settings.destinations.items()
        }
        self.apply(settings)

    def apply(self, settings: Mapping[str, LineSettings]) -> None:
        """Have exactly these lines."""
        self._queue.configure(list(settings))
        with self._lock:
            for name, lines in self._lines.items():
                wanted = settings[name].connections if name in settings else 0
                for line in lines[wanted:]:
                    line.stop()
                    self._leaving.append(line)
                del lines[wanted:]
                for line in lines:
                    line.settings = settings[name]
            for name, each in settings.items():
                lines = self._lines.setdefault(name, [])
                while len(lines) < each.connections:
                    lines.append(self._started(each))
        self.wake()

    def _started(self, settings: LineSettings) -> Line:
        path = ledger_path(self._outbox_folder, self._queue.holder, next(self._numbers))
        outbox, crew = Outbox(path, self._queue), self._crews.setdefault(settings.name, set())
        line = Line(settings, self._queue, outbox, self._damaged, crew)
        line.start()
        return line

    def wake(self, *, at_once: bool = False) -> None:
        """Something may be due: every line looks; see `Line.wake`."""
        for line in self._all():
            line.wake(at_once=at_once)

    def stop(self, seconds: float) -> bool:
        """End every line after the instance it is sending, at most so long; False if one had to be left behind."""
        self._stopping.set()
        lines = self._all()
        for line in lines:
            line.stop()
        deadline = time.monotonic() + seconds
        ended = [line.join(max(0.0, deadline - time.monotonic())) for line in lines]
        if self._keeper.is_alive():
            self._keeper.join(max(FLUSH_SECONDS, deadline - time.monotonic()))
        if all(ended):  # a line that was left behind may still wait for it
            self._workshop.close()
        return all(ended)

    def _all(self) -> list[Line]:
        with self._lock:
            return [*self._leaving, *(line for lines in self._lines.values() for line in lines)]

    def _keep(self) -> None:
        """Enter answers that have waited long enough, prolong leases, forget lines that have ended."""
        renew_at = time.monotonic() + RENEW_SECONDS
        while not self._stopping.wait(FLUSH_SECONDS):
            is_time_to_renew = time.monotonic() >= renew_at
            if is_time_to_renew:
                renew_at = time.monotonic() + RENEW_SECONDS
            with self._lock:
                self._leaving = [line for line in self._leaving if not line.join(0)]
            for line in self._all():
                try:
                    line.flush_if_old()
                    if is_time_to_renew:
                        line.renew()
                except SQLAlchemyError as error:
                    log.warning("database cannot be reached", reason=reason_of(error))
                except Exception:  # the border of a work loop: without it leases would end while they are at work
                    log.exception("lines not kept, trying again")
