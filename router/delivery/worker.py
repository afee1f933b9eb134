"""One connection of one destination's line: lease, pack, send, settle, and again. Knows no protocol and no SQL."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime, tzinfo

import structlog
from sqlalchemy.exc import SQLAlchemyError

from router.delivery.backoff import UNKNOWN_STATUS_ATTEMPTS, Retry, reason_to_give_up, wait_seconds
from router.delivery.delivery import Leased, Settlement
from router.delivery.outbox import Outbox
from router.delivery.outcomes import Kind, Outcome
from router.delivery.packing import Packer
from router.delivery.queue import Queue
from router.delivery.sender import DestinationError, Sender, Shipment
from rules import Window

BATCH = 64  # and so at most 128 presentation contexts, two an instance (PS3.8 9.3.2.2)
IDLE_SECONDS = 0.5  # between two looks into the queue; whoever enqueues wakes the line earlier
GATHER_SECONDS = 0.03  # after being woken: what is filed in the same moment goes in one lease
WINDOW_SECONDS = 1.0
TROUBLE_SECONDS = 2.0
REUSE_SECONDS = 2.0  # an open connection is kept so long for what may come
LATER_IN_A_ROW = 3  # then it is not the instances, it is the destination

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class LineSettings:
    """What the configuration says of one destination; `zone` is the site's time zone, None the machine's."""

    name: str
    connections: int
    retry: Retry
    window: Window | None
    zone: tzinfo | None
    packer: Packer
    open_sender: Callable[[], Sender]

    def is_open(self, now: datetime) -> bool:
        """Whether the destination may be sent to at this time of day."""
        return self.window is None or self.window.contains(now.astimezone(self.zone))


class Line:
    """A thread that sends to one destination; its settings are replaced as a whole by `settings`."""

    def __init__(self, settings: LineSettings, queue: Queue, outbox: Outbox, crew: "set[Line] | None" = None) -> None:
        """`crew` are the lines to this destination that have a connection just now, or try to."""
        self.settings = settings
        self._crew = crew if crew is not None else set()
        self.outbox = outbox
        self._queue = queue
        self._sender: Sender | None = None
        self._sender_settings = settings
        self._used_at = 0.0
        self._in_hand: Mapping[int, Leased] = {}
        self._later_in_a_row = 0
        self._rests = 0  # of this connection in a row, while there was another one
        self._rests_until = 0.0
        self._stopping = threading.Event()
        self._awake = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"line {settings.name}", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def wake(self) -> None:
        """Look into the queue now."""
        self._awake.set()

    def stop(self) -> None:
        """End after the instance that is on the wire; see `join`."""
        self._stopping.set()
        self._awake.set()

    def join(self, seconds: float) -> bool:
        """Wait until it has ended; False if it has not."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def renew(self) -> None:
        """Prolong the leases of what is in hand; any thread may call this."""
        self._queue.renew(list(self._in_hand.values()))

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                rest = self._turn()
            except SQLAlchemyError as error:
                log.warning("database cannot be reached", destination=self.settings.name, error=type(error).__name__)
                rest = TROUBLE_SECONDS
            except Exception:  # the border of a work loop
                log.exception("delivery interrupted, trying again", destination=self.settings.name)
                rest = TROUBLE_SECONDS
                self._clear_up()
            if rest:
                self._awake.wait(rest)
                self._stopping.wait(GATHER_SECONDS)
            self._awake.clear()
        self._hang_up()
        try:
            self._settle_up()
        except SQLAlchemyError:  # the ledger keeps the answers, and the next start enters them
            log.exception("answers left in the ledger", destination=self.settings.name)
        self.outbox.close()

    def _turn(self) -> float:
        """Send one lease; how many seconds to rest before the next."""
        self._settle_up()
        settings = self.settings
        if not settings.is_open(self._queue.now()) or time.monotonic() < self._rests_until:
            self._hang_up()
            return WINDOW_SECONDS
        leased = self._queue.lease(settings.name, BATCH, settings.retry.longest)
        if not leased:
            if time.monotonic() - self._used_at > REUSE_SECONDS:
                self._hang_up()
            return IDLE_SECONDS
        self._in_hand = {each.delivery_id: each for each in leased}
        self._crew.add(self)
        shipments, refused = settings.packer.pack(leased)
        for each, outcome in refused:
            self._note(each, outcome, 0.0, None)
        failure, is_answered = self._send(shipments, leased[0].is_probe) if shipments else (None, False)
        self._settle_up()
        if failure is not None:
            self._failed(failure, leased[0])
        elif leased[0].is_probe and is_answered:
            self._queue.destination_ok(settings.name)
        elif leased[0].is_probe:  # its edits could not be made, or its file not read: nothing was found out
            self._queue.probe_again(settings.name)
        return 0.0

    def _send(self, shipments: Sequence[Shipment], is_probe: bool) -> tuple[Outcome | None, bool]:
        """Send them; what is wrong with the destination as a whole, None if nothing is; whether it answered at all."""
        in_hand = self._in_hand
        delivered = answered = 0
        began = time.monotonic()
        try:
            with closing(self._open_sender().send(shipments)) as answers:
                for shipment, outcome in answers:
                    self._note(in_hand[shipment.delivery_id], outcome, time.monotonic() - began, shipment)
                    began = self._used_at = time.monotonic()
                    if not outcome.is_ours:
                        answered += 1
                        delivered += outcome.kind is Kind.DELIVERED
                        self._later_in_a_row = self._later_in_a_row + 1 if outcome.kind is Kind.LATER else 0
                        if self._later_in_a_row >= LATER_IN_A_ROW or (is_probe and self._later_in_a_row):
                            return outcome, True
                    if self._stopping.is_set() or not self.settings.is_open(self._queue.now()):
                        break
        except DestinationError as error:
            self._hang_up()
            if error.outcome.kind is not Kind.LATER:
                for each in list(self._in_hand.values()):
                    self._note(each, error.outcome, time.monotonic() - began, None)
            return None if delivered else error.outcome, bool(answered)
        finally:
            self._rests = 0 if delivered else self._rests
        return None, bool(answered)

    def _note(self, leased: Leased, outcome: Outcome, seconds: float, shipment: Shipment | None) -> None:
        """Put on file what became of a delivery; it is then no longer in hand."""
        now = self._queue.now()
        retry = self.settings.retry
        attempts = leased.attempts + 1
        if outcome.kind is Kind.LATER:
            why = reason_to_give_up(retry, attempts + leased.line_failures, leased.due_since, now)
            if outcome.is_unknown and attempts >= UNKNOWN_STATUS_ATTEMPTS:
                why = f"gave up after {attempts} attempts"
            if why:
                outcome = replace(outcome, kind=Kind.PARKED, reason=f"{why}: {outcome.reason}")
        if outcome.kind in {Kind.PARKED, Kind.HELD}:
            log.warning(
                f"delivery {outcome.kind}",
                destination=self.settings.name,
                delivery=leased.delivery_id,
                status=outcome.status,
                reason=outcome.reason,
            )
        settlement = Settlement(
            leased.delivery_id,
            leased.token,
            outcome,
            now,
            seconds,
            digest=shipment.digest if shipment else None,
            size=shipment.size if shipment else None,
            wait_seconds=wait_seconds(retry, attempts) if outcome.kind is Kind.LATER else 0.0,
        )
        self._in_hand = {key: each for key, each in self._in_hand.items() if key != leased.delivery_id}
        self.outbox.note(settlement)

    def _settle_up(self) -> None:
        """Enter the answers, give back what was not tried."""
        self.outbox.flush()
        self._queue.give_back(list(self._in_hand.values()))
        self._in_hand = {}

    def _blame_first(self) -> None:
        """Count an attempt for what failed unexpectedly, so that it cannot hold up its line for ever."""
        for each in list(self._in_hand.values())[:1]:
            try:
                self._note(each, Outcome(Kind.LATER, None, "failed unexpectedly; see the log"), 0.0, None)
            except SQLAlchemyError:
                log.exception("answer left in the ledger", destination=self.settings.name)

    def _clear_up(self) -> None:
        """After what nobody expected: begin again. Never raises, for the thread has to go on."""
        try:
            self._hang_up()
            self._blame_first()
        except Exception:  # the border of a work loop
            log.exception("trouble goes on", destination=self.settings.name)

    def _failed(self, failure: Outcome, first: Leased) -> None:
        """The whole line waits; while there is another connection only this one does: the peer may take no more."""
        settings = self.settings
        if self._crew <= {self} or first.is_probe or failure.kind is not Kind.LATER:
            self._line_failed(failure, first)
            return
        self._rests += 1
        rest = wait_seconds(settings.retry, self._rests)
        self._rests_until = time.monotonic() + rest
        log.info("connection rests, there is another", destination=settings.name, seconds=rest, reason=failure.reason)

    def _line_failed(self, failure: Outcome, first: Leased) -> None:
        name, reason = self.settings.name, failure.reason
        log.warning("destination failed", destination=name, status=failure.status, reason=reason)
        parked = self._queue.destination_failed(name, reason, self.settings.retry, first.line_failures_in_a_row)
        if parked:
            log.error("deliveries given up", destination=name, deliveries=parked, reason=reason)

    def _open_sender(self) -> Sender:
        """The sender of the settings in force."""
        if self._sender_settings is not self.settings:
            self._hang_up()
        if self._sender is None:
            self._sender_settings = self.settings
            self._sender = self._sender_settings.open_sender()
        return self._sender

    def _hang_up(self) -> None:
        sender, self._sender = self._sender, None
        self._crew.discard(self)
        if sender is not None:
            sender.close()
