"""The thread of one connection: takes a lot, has it sent, rests after trouble, and again. Knows no protocol, no SQL."""

import threading
import time
from collections.abc import Callable, Collection

import structlog
from sqlalchemy.exc import SQLAlchemyError

from router.delivery.backoff import wait_seconds
from router.delivery.clerk import Clerk, Lot
from router.delivery.delivery import Leased
from router.delivery.outbox import Outbox
from router.delivery.outcomes import Kind, Outcome
from router.delivery.queue import Queue
from router.delivery.sending import LineSettings, Sending
from router.telemetry import reason_of

IDLE_SECONDS = 1.0  # between two looks into the queue; whoever enqueues or orders wakes the line earlier
GATHER_SECONDS = 0.03  # after being woken, unless by an order: what is filed in the same moment goes in one lease
WINDOW_SECONDS = 1.0
TROUBLE_SECONDS = 2.0
REUSE_SECONDS = 2.0  # an open connection is kept so long for what may come

log = structlog.get_logger(__name__)


class Line:
    """A thread that sends to one destination; its settings are replaced as a whole by `settings`."""

    def __init__(
        self,
        settings: LineSettings,
        queue: Queue,
        outbox: Outbox,
        damaged: Callable[[int], None],
        crew: set[Sending] | None = None,
    ) -> None:
        """`crew` are the lines to this destination that have a connection just now, or try to.

        `damaged` is told the id of an instance that was not sent because it is not what was kept.
        """
        self._queue = queue
        self._clerk = Clerk(settings.name, queue, outbox)
        self._stopping = threading.Event()
        self._awake = threading.Event()
        self._at_once = threading.Event()  # woken by an order
        self._sending = Sending(
            settings, queue, self._clerk, damaged, crew if crew is not None else set(), self._stopping.is_set
        )
        self._rests_until = 0.0
        self._is_after_trouble = False
        self._lot: Lot | None = None  # what is sent, or was last
        self._thread = threading.Thread(target=self._run, name=f"line {settings.name}", daemon=True)

    @property
    def settings(self) -> LineSettings:
        """What the configuration says of its destination."""
        return self._sending.settings

    @settings.setter
    def settings(self, settings: LineSettings) -> None:
        self._sending.settings = settings

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def wake(self, *, at_once: bool = False) -> None:
        """Look into the queue; `at_once` where nothing more is about to come into it."""
        if at_once:
            self._at_once.set()
        self._awake.set()

    def stop(self) -> None:
        """End after the instance that is on the wire; see `join`."""
        self._stopping.set()
        self.wake(at_once=True)

    def join(self, seconds: float) -> bool:
        """Wait until it has ended; False if it has not."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def renew(self) -> None:
        """Prolong the leases of what is in hand; any thread may call this."""
        self._clerk.renew()

    def flush_if_old(self) -> None:
        """Enter answers that have waited long enough; any thread may call this."""
        self._clerk.flush_if_old()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                rest = self._turn()
            except SQLAlchemyError as error:
                log.warning("database cannot be reached", destination=self.settings.name, reason=reason_of(error))
                rest, self._is_after_trouble = TROUBLE_SECONDS, True
            except Exception:  # the border of a work loop
                log.exception("delivery interrupted, trying again", destination=self.settings.name)
                rest, self._is_after_trouble = TROUBLE_SECONDS, True
                self._clear_up()
            if rest and self._awake.wait(rest):
                self._at_once.wait(GATHER_SECONDS)
            self._awake.clear()
            self._at_once.clear()
        self._sending.hang_up()
        try:
            self._clerk.settle_up()
        except SQLAlchemyError as error:  # the ledger keeps the answers, and the next start enters them
            reason = reason_of(error)
            log.warning("answers left in the ledger for the next start", destination=self.settings.name, reason=reason)
        self._clerk.close()

    def _turn(self) -> float:
        """Send one lot; how many seconds to rest before the next."""
        settings = self.settings
        if self._is_after_trouble:
            self._clerk.settle_up()  # what was not tried would stay in hand for as long as the line is busy
            self._is_after_trouble = False
        if not settings.is_open(self._queue.now()) or time.monotonic() < self._rests_until:
            self._clerk.settle_up()
            self._sending.hang_up()
            return WINDOW_SECONDS
        lot = self._lot = self._clerk.lot(settings.packer, settings.retry)
        if lot is None:
            self._clerk.settle_up()
            if time.monotonic() - self._sending.used_at > REUSE_SECONDS:
                self._sending.hang_up()
            return IDLE_SECONDS
        failure, is_answered = self._sending.send(lot)
        left = self._clerk.left(lot)
        if lot.is_probe or left:
            self._clerk.settle_up()
        if failure is not None:
            self._failed(failure, lot.leased[0], [each.delivery_id for each in lot.leased if each not in left])
        elif lot.is_probe and is_answered:
            self._queue.destination_ok(settings.name)
        elif lot.is_probe:  # its edits could not be made, or its file not read: nothing was found out
            self._queue.probe_again(settings.name)
        return 0.0

    def _blame_first(self) -> None:
        """Count an attempt for what failed unexpectedly, so that it cannot hold up its line for ever."""
        for each in self._clerk.left(self._lot)[:1] if self._lot else ():
            try:
                self._sending.note(each, Outcome(Kind.LATER, None, "failed unexpectedly; see the log"), 0.0, None)
            except SQLAlchemyError:
                log.exception("answer left in the ledger", destination=self.settings.name)

    def _clear_up(self) -> None:
        """After what nobody expected: begin again. Never raises, for the thread has to go on."""
        try:
            self._sending.hang_up()
            self._blame_first()
        except Exception:  # the border of a work loop
            log.exception("trouble goes on", destination=self.settings.name)

    def _failed(self, failure: Outcome, first: Leased, tried: Collection[int]) -> None:
        """The whole line waits; while there is another connection only this one does: the peer may take no more."""
        settings = self.settings
        if self._sending.is_alone or first.is_probe or failure.kind is not Kind.LATER:
            self._line_failed(failure, first, tried)
            return
        self._sending.rests += 1
        rest = wait_seconds(settings.retry, self._sending.rests)
        self._rests_until = time.monotonic() + rest
        log.info("connection rests, there is another", destination=settings.name, seconds=rest, reason=failure.reason)

    def _line_failed(self, failure: Outcome, first: Leased, tried: Collection[int]) -> None:
        name, reason = self.settings.name, failure.reason
        log.warning("destination failed", destination=name, status=failure.status, reason=reason)
        parked = self._queue.destination_failed(
            name, reason, self.settings.retry, first.line_failures_in_a_row, tried=tried
        )
        if parked:
            log.error("deliveries given up", destination=name, deliveries=parked, reason=reason)
