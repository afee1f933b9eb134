"""Sends lots over one connection of a destination, and notes each answer. Takes none itself, and has no thread."""

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, tzinfo

import structlog

from router.delivery.answers import settlement_of
from router.delivery.backoff import Retry
from router.delivery.clerk import Clerk, Lot
from router.delivery.delivery import Leased
from router.delivery.outcomes import DAMAGED, Kind, Outcome
from router.delivery.packing import Packer
from router.delivery.queue import Queue
from router.delivery.sender import DestinationError, Sender, Shipment
from rules import Window

AHEAD_SECONDS = 0.05  # so long before its end the lot after this one is leased
TELL_AGAIN_SECONDS = 60.0
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


class Sending:
    """One connection, opened when there is something to send; `settings` may be replaced, as a whole, at any time.

    `rests` says how often in a row it rested because the peer took another one only; a delivery ends that.
    """

    def __init__(
        self,
        settings: LineSettings,
        queue: Queue,
        clerk: Clerk,
        damaged: Callable[[int], None],
        crew: "set[Sending]",
        is_stopping: Callable[[], bool],
    ) -> None:
        """`crew` are those to this destination that have a connection just now, or try to; see `Line`."""
        self.settings = settings
        self.rests = 0
        self.used_at = 0.0
        self._queue = queue
        self._clerk = clerk
        self._damaged = damaged
        self._crew = crew
        self._is_stopping = is_stopping
        self._sender: Sender | None = None
        self._sender_settings = settings
        self._later_in_a_row = 0
        self._told_until = 0.0  # of files that cannot be read

    @property
    def is_alone(self) -> bool:
        """Whether no other one has a connection to the destination."""
        return self._crew <= {self}

    def send(self, lot: Lot) -> tuple[Outcome | None, bool]:
        """Send them; what is wrong with the destination as a whole, None if nothing is; whether it answered at all."""
        self._crew.add(self)
        left = {each.delivery_id: each for each in lot.leased}
        delivered = answered = 0
        refused: list[tuple[Leased, Outcome]] = []
        identities = self.settings.packer.identities(lot.leased, lot.stored)
        began = time.monotonic()
        try:
            with closing(self._open_sender().send(identities, self._packed(lot, refused))) as answers:
                for shipment, outcome in answers:
                    now = time.monotonic()
                    seconds, began, self.used_at = now - began, now, now
                    self.note(left.pop(shipment.delivery_id), outcome, seconds, shipment)
                    if not outcome.is_ours:
                        answered += 1
                        delivered += outcome.kind is Kind.DELIVERED
                        self._later_in_a_row = self._later_in_a_row + 1 if outcome.kind is Kind.LATER else 0
                        if self._later_in_a_row >= LATER_IN_A_ROW or (lot.is_probe and self._later_in_a_row):
                            return outcome, True
                    if self._is_stopping() or not self.settings.is_open(self._queue.now()):
                        break
                    if len(left) * seconds <= AHEAD_SECONDS and not lot.is_probe and self.is_alone:
                        self._clerk.lease_ahead(self.settings.packer, self.settings.retry)
        except DestinationError as error:
            self.hang_up()
            self._note_refused(refused)
            if error.outcome.kind is not Kind.LATER:
                for each in self._clerk.left(lot):
                    self.note(each, error.outcome, time.monotonic() - began, None)
            return None if delivered else error.outcome, bool(answered)
        finally:
            self.rests = 0 if delivered else self.rests
            self._note_refused(refused)
        return None, bool(answered)

    def note(self, leased: Leased, outcome: Outcome, seconds: float, shipment: Shipment | None) -> None:
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
        elif outcome.kind is Kind.LATER and outcome.is_ours and time.monotonic() >= self._told_until:
            self._told_until = time.monotonic() + TELL_AGAIN_SECONDS
            log.warning(
                "kept file cannot be read, trying again", destination=self.settings.name, delivery=leased.delivery_id
            )
        self._clerk.note(settlement)

    def hang_up(self) -> None:
        """Close the connection, if there is one."""
        sender, self._sender = self._sender, None
        self._crew.discard(self)
        if sender is not None:
            sender.close()

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
            self.note(leased, outcome, 0.0, None)

    def _open_sender(self) -> Sender:
        """The sender of the settings in force."""
        if self._sender_settings is not self.settings:
            self.hang_up()
        if self._sender is None:
            self._sender_settings = self.settings
            self._sender = self._sender_settings.open_sender()
        return self._sender
