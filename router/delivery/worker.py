"""One connection of one destination's line: takes a lot, sends, notes, and again. Knows no protocol and no SQL."""

import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, tzinfo

import structlog
from sqlalchemy.exc import SQLAlchemyError

from router.delivery.answers import settlement_of
from router.delivery.backoff import Retry, wait_seconds
from router.delivery.clerk import Clerk, Lot
from router.delivery.delivery import Leased
from router.delivery.outbox import Outbox
from router.delivery.outcomes import DAMAGED, Kind, Outcome
from router.delivery.packing import Packer
from router.delivery.queue import Queue
from router.delivery.sender import DestinationError, Sender, Shipment
from router.telemetry import reason_of
from rules import Window

AHEAD = 32  # so many before its end the lot after this one is leased
IDLE_SECONDS = 1.0  # between two looks into the queue; whoever enqueues or orders wakes the line earlier
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

    def __init__(
        self,
        settings: LineSettings,
        queue: Queue,
        outbox: Outbox,
        damaged: Callable[[int], None],
        crew: "set[Line] | None" = None,
    ) -> None:
        """`crew` are the lines to this destination that have a connection just now, or try to.

        `damaged` is told the id of an instance that was not sent because it is not what was kept.
        """
        self.settings = settings
        self._damaged = damaged
        self._crew = crew if crew is not None else set()
        self._queue = queue
        self._clerk = Clerk(settings.name, queue, outbox)
        self._sender: Sender | None = None
        self._sender_settings = settings
        self._used_at = 0.0
        self._later_in_a_row = 0
        self._rests = 0  # of this connection in a row, while there was another one
        self._rests_until = 0.0
        self._lot: Lot | None = None  # what is sent, or was last
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
                rest = TROUBLE_SECONDS
            except Exception:  # the border of a work loop
                log.exception("delivery interrupted, trying again", destination=self.settings.name)
                rest = TROUBLE_SECONDS
                self._clear_up()
            if rest and self._awake.wait(rest):
                self._stopping.wait(GATHER_SECONDS)
            self._awake.clear()
        self._hang_up()
        try:
            self._clerk.settle_up()
        except SQLAlchemyError as error:  # the ledger keeps the answers, and the next start enters them
            reason = reason_of(error)
            log.warning("answers left in the ledger for the next start", destination=self.settings.name, reason=reason)
        self._clerk.close()

    def _turn(self) -> float:
        """Send one lot; how many seconds to rest before the next."""
        settings = self.settings
        if not settings.is_open(self._queue.now()) or time.monotonic() < self._rests_until:
            self._clerk.settle_up()
            self._hang_up()
            return WINDOW_SECONDS
        lot = self._lot = self._clerk.lot(settings.packer, settings.retry)
        if lot is None:
            self._clerk.settle_up()
            if time.monotonic() - self._used_at > REUSE_SECONDS:
                self._hang_up()
            return IDLE_SECONDS
        self._crew.add(self)
        failure, is_answered = self._send(lot)
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

    def _send(self, lot: Lot) -> tuple[Outcome | None, bool]:
        """Send them; what is wrong with the destination as a whole, None if nothing is; whether it answered at all."""
        left = {each.delivery_id: each for each in lot.leased}
        delivered = answered = 0
        refused: list[tuple[Leased, Outcome]] = []
        identities = self.settings.packer.identities(lot.leased, lot.stored)
        began = time.monotonic()
        try:
            with closing(self._open_sender().send(identities, self._packed(lot, refused))) as answers:
                for shipment, outcome in answers:
                    self._note(left.pop(shipment.delivery_id), outcome, time.monotonic() - began, shipment)
                    began = self._used_at = time.monotonic()
                    if not outcome.is_ours:
                        answered += 1
                        delivered += outcome.kind is Kind.DELIVERED
                        self._later_in_a_row = self._later_in_a_row + 1 if outcome.kind is Kind.LATER else 0
                        if self._later_in_a_row >= LATER_IN_A_ROW or (lot.is_probe and self._later_in_a_row):
                            return outcome, True
                    if self._stopping.is_set() or not self.settings.is_open(self._queue.now()):
                        break
                    if len(left) <= AHEAD and not lot.is_probe and self._crew <= {self}:
                        self._clerk.lease_ahead(self.settings.packer, self.settings.retry)
        except DestinationError as error:
            self._hang_up()
            self._note_refused(refused)
            if error.outcome.kind is not Kind.LATER:
                for each in self._clerk.left(lot):
                    self._note(each, error.outcome, time.monotonic() - began, None)
            return None if delivered else error.outcome, bool(answered)
        finally:
            self._rests = 0 if delivered else self._rests
            self._note_refused(refused)
        return None, bool(answered)

    def _packed(self, lot: Lot, refused: list[tuple[Leased, Outcome]]) -> Iterator[Shipment]:
        """The lot's shipments, each made when the sender asks for it; those that cannot be made are put aside.

        They are not noted here: the sender asks while it waits for the answer to another.
        """
        packer = self.settings.packer
        for each in lot.leased:
            packed = packer.pack(each, lot.stored.get(each.instance_id))
            if isinstance(packed, Outcome):
                refused.append((each, packed))
            else:
                yield packed

    def _note_refused(self, refused: list[tuple[Leased, Outcome]]) -> None:
        while refused:
            leased, outcome = refused.pop(0)
            self._note(leased, outcome, 0.0, None)

    def _note(self, leased: Leased, outcome: Outcome, seconds: float, shipment: Shipment | None) -> None:
        """Put on file what became of a delivery; it is then no longer in hand."""
        if outcome is DAMAGED:
            self._damaged(leased.instance_id)
        settlement = settlement_of(leased, outcome, self.settings.retry, self._queue.now(), seconds, shipment)
        outcome = settlement.outcome
        if outcome.kind in {Kind.PARKED, Kind.HELD}:
            log.warning(
                f"delivery {outcome.kind}",
                destination=self.settings.name,
                delivery=leased.delivery_id,
                status=outcome.status,
                reason=outcome.reason,
            )
        self._clerk.note(settlement)

    def _blame_first(self) -> None:
        """Count an attempt for what failed unexpectedly, so that it cannot hold up its line for ever."""
        for each in self._clerk.left(self._lot)[:1] if self._lot else ():
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

    def _failed(self, failure: Outcome, first: Leased, tried: Collection[int]) -> None:
        """The whole line waits; while there is another connection only this one does: the peer may take no more."""
        settings = self.settings
        if self._crew <= {self} or first.is_probe or failure.kind is not Kind.LATER:
            self._line_failed(failure, first, tried)
            return
        self._rests += 1
        rest = wait_seconds(settings.retry, self._rests)
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
