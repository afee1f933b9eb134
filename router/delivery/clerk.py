"""A connection's dealings with the queue, while it sends: leases the next lot, enters answers. It sends nothing."""

import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from archive import Stored
from router.delivery.backoff import Retry
from router.delivery.delivery import Leased, Settlement
from router.delivery.outbox import Outbox
from router.delivery.packing import Packer
from router.delivery.queue import Queue

BATCH = 64  # and so at most 128 presentation contexts, two an instance (PS3.8 9.3.2.2)


@dataclass(frozen=True, slots=True)
class Lot:
    """Deliveries leased together, one or more, of one study, and what the archive has of them by the instance's id."""

    leased: Sequence[Leased]
    stored: Mapping[int, Stored]

    @property
    def is_probe(self) -> bool:
        """Whether it is to find out how a destination is that failed before."""
        return self.leased[0].is_probe


class Clerk:
    """What one connection has in hand; used by its line's thread but for `renew` and `flush_if_old`.

    The desk is one thread of its own: leasing and entering are done there, one after the other.
    """

    def __init__(self, name: str, queue: Queue, outbox: Outbox) -> None:
        """`name` is the destination's."""
        self._name = name
        self._queue = queue
        self._outbox = outbox
        self._in_hand: dict[int, Leased] = {}
        self._lock = threading.Lock()  # of what is in hand
        self._desk = ThreadPoolExecutor(1, thread_name_prefix=f"desk {name}")
        self._ahead: Future[Lot | None] | None = None
        self._entering: Future[None] | None = None

    def lot(self, packer: Packer, retry: Retry) -> Lot | None:
        """The next lot: the one leased ahead, else what is due now; None if nothing is. SQLAlchemyError."""
        ahead, self._ahead = self._ahead, None
        return (ahead and ahead.result()) or self._lease(packer, retry)

    def lease_ahead(self, packer: Packer, retry: Retry) -> None:
        """Have the answers entered and the lot after this one leased meanwhile; one only."""
        if self._ahead is None:
            self._ahead = self._desk.submit(self._enter_and_lease, packer, retry)

    def _enter_and_lease(self, packer: Packer, retry: Retry) -> Lot | None:
        self._outbox.flush()
        return self._lease(packer, retry)

    def _lease(self, packer: Packer, retry: Retry) -> Lot | None:
        leased = self._queue.lease(self._name, BATCH, retry.longest)
        if not leased:
            return None
        with self._lock:
            self._in_hand |= {each.delivery_id: each for each in leased}
        return Lot(leased, packer.stored(leased))

    def left(self, lot: Lot) -> list[Leased]:
        """Those of a lot that are in hand still, nothing being known of what becomes of them."""
        return [each for each in lot.leased if each.delivery_id in self._in_hand]

    def note(self, settlement: Settlement) -> None:
        """Put on file what became of a delivery; it is then no longer in hand. SQLAlchemyError of an earlier entry."""
        with self._lock:
            self._in_hand.pop(settlement.delivery_id, None)
        if self._outbox.note(settlement) and (self._entering is None or self._entering.done()):
            entered, self._entering = self._entering, self._desk.submit(self._outbox.flush)
            if entered is not None:
                entered.result()

    def settle_up(self) -> None:
        """Enter all answers, give back what was not tried, the lot leased ahead as well. SQLAlchemyError."""
        ahead, self._ahead = self._ahead, None
        if ahead is not None:
            ahead.exception()  # waited for; what it leased is in hand
        self._outbox.flush()
        self._queue.give_back(list(self._in_hand.values()))
        self._in_hand = {}

    def renew(self) -> None:
        """Prolong the leases of what is in hand; any thread may call this. SQLAlchemyError."""
        with self._lock:
            in_hand = list(self._in_hand.values())
        self._queue.renew(in_hand)

    def flush_if_old(self) -> None:
        """Enter answers that have waited long enough; any thread may call this. SQLAlchemyError."""
        self._outbox.flush_if_old()

    def close(self) -> None:
        """Leave the desk and the ledger, which is kept if there is something in it."""
        self._desk.shutdown()
        self._outbox.close()
