"""The queue's door: deliveries go in with the filing, are leased, settled, listed and ordered about. Sends nothing."""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime

import sqlalchemy as sa

from archive import Database, Place
from router.delivery import enqueueing, following, leasing, line_state, listing, orders, quiet, receipts, settling
from router.delivery.backoff import Retry
from router.delivery.bell import Bell
from router.delivery.delivery import Leased, LineState, Listed, NewDelivery, Settlement
from router.delivery.following import Holder
from router.delivery.orders import Retried
from router.delivery.redeciding import InForce
from router.delivery.states import State
from router.delivery.stepping import SteadyClock, SteppedClock
from router.delivery.transactions import write
from router.delivery.undecided import Undecided


class Queue:
    """Deliveries under way, in the database, shared by any number of threads, processes and machines.

    `holder` names this process's leases and stays the same after a restart; `now` is the wall clock, aware; `touch` is
    called, in the same transaction, with the studies of which something was settled; `steady` is a clock that nobody
    sets, by which it is noticed when the wall clock is (None: it is not), and `stepped` is then called (see
    `SteppedClock`); `bell` is rung when something is ordered.
    """

    def __init__(
        self,
        database: Database,
        holder: str,
        now: Callable[[], datetime],
        touch: Callable[[sa.Connection, Collection[int]], None] = lambda _connection, _study_ids: None,
        steady: SteadyClock | None = None,
        stepped: Callable[[sa.Connection, float, int], None] = lambda _connection, _seconds, _moved: None,
        bell: Bell | None = None,
    ) -> None:
        self._database = database
        self._touch = touch
        self._holder = holder
        self._now = now
        self._bell = bell
        self._undecided = Undecided(database, holder)
        self._clock = SteppedClock(database, holder, now, steady, stepped) if steady is not None else None
        self._due_now = self._clock.now if self._clock is not None else now

    @property
    def holder(self) -> str:
        """The name this process's leases are held under."""
        return self._holder

    def now(self) -> datetime:
        """The wall clock the queue goes by."""
        return self._now()

    def go_on(self) -> None:
        """At start, before anything is leased or enqueued: notice that the clock was set while nothing ran."""
        if self._clock is not None:
            self._clock.go_on()

    def remember_clock(self) -> None:
        """Let the next start know how the clock was."""
        if self._clock is not None:
            self._clock.remember()

    # in

    def enqueue(self, connection: sa.Connection, new: Sequence[NewDelivery]) -> int:
        """Insert, within the caller's transaction, those not yet in the queue; how many that were."""
        return enqueueing.enqueue(self._database, connection, new, self._now()) if new else 0

    def release_quiet(self, filed_through: datetime | None = None) -> int:
        """Make due what waited for quiet and has it; how many. See `quiet.release_quiet` for `filed_through`."""
        return quiet.release_quiet(self._database, self._due_now(), filed_through)

    # out

    def lease(self, destination: str, limit: int, horizon_seconds: float = leasing.HORIZON_SECONDS) -> list[Leased]:
        """Take what may be sent now, at most `limit` of one study. See `leasing.lease`; where it fails, `undecided`."""
        now = self._due_now()
        with self._undecided.leasing(destination, now):
            return leasing.lease(self._database, destination, limit, self._holder, now, horizon_seconds)

    def renew(self, leased: Sequence[Leased]) -> None:
        """Prolong these leases."""
        leasing.renew(self._database, leased, self._now())

    def give_back(self, leased: Sequence[Leased]) -> None:
        """Make due again what was leased and not tried; it costs no attempt."""
        leasing.give_back(self._database, leased)

    def settle(self, results: Sequence[Settlement]) -> int:
        """Enter what became of leased deliveries, in one transaction; how many were still ours."""
        if not results:
            return 0
        self._due_now()  # waits that begin with these answers are of the clock as it is

        def enter(connection: sa.Connection) -> int:
            settled = settling.settle(self._database, connection, results)
            if settled.study_ids:
                self._touch(connection, settled.study_ids)
            return settled.count

        return write(self._database, enter)

    def rescue(self, *, own: bool = False) -> int:
        """Make due again what expired leases hold; with `own` (at start only) what this holder's last life held."""
        return leasing.rescue(self._database, self._due_now(), self._holder if own else None)

    # destinations

    def configure(self, names: Collection[str]) -> None:
        """Say which destinations the configuration names now."""
        line_state.configure(self._database, names)

    def destination_failed(
        self, name: str, reason: str, retry: Retry, failures_before: int, *, tried: Collection[int] = ()
    ) -> int:
        """The destination as a whole failed: its line waits by `retry`; how many deliveries were given up (parked).

        It counts as an attempt of every delivery that was due, but for those `tried`, which have their own.
        """
        return line_state.failed(self._database, name, reason, retry, failures_before, self._due_now(), tried)

    def destination_ok(self, name: str) -> None:
        """The destination answers again."""
        line_state.recovered(self._database, name)

    def probe_again(self, name: str) -> None:
        """The probe found nothing out: another may be leased at once."""
        line_state.probe_again(self._database, name)

    def pause(self, destination: str, reason: str) -> bool:
        """Lease nothing to it until `resume`; False if there is no such destination."""
        return line_state.pause(self._database, destination, reason)

    def resume(self, destination: str) -> bool:
        """Lease to it again, at once; False if there is no such destination."""
        is_known = line_state.resume(self._database, destination)
        self.ring()
        return is_known

    # people

    def retry(
        self, destination: str | None = None, study_id: int | None = None, in_force: InForce | None = None
    ) -> Retried:
        """Try again now what is parked, held or waits for its next attempt. See `orders.retry` for `in_force`."""
        retried = orders.retry(self._database, self._now(), destination, study_id, in_force)
        self.ring()
        return retried

    def ring(self) -> None:
        """Have the lines of this machine look into the queue at once, whatever process they are in."""
        if self._bell is not None:
            self._bell.ring()

    def cancel(self, by: str, destination: str | None = None, study_id: int | None = None) -> int:
        """Send no more what is not delivered yet; how many."""
        return orders.cancel(self._database, self._now(), by, destination, study_id)

    def listing(
        self,
        *,
        destination: str | None = None,
        study_id: int | None = None,
        states: Collection[State] = (),
        limit: int = 1000,
    ) -> list[Listed]:
        """The deliveries chosen, in the order they would be sent, each with the reason why it waits."""
        return listing.listing(
            self._database, self._now(), destination=destination, study_id=study_id, states=states, limit=limit
        )

    def overview(self) -> list[LineState]:
        """Every destination with its state, counts and oldest undelivered."""
        return listing.overview(self._database)

    def unreadable(self) -> int:
        """How many deliveries are tried again later because the kept file could not be read."""
        return listing.unreadable(self._database)

    # corrections

    def outdate(self, connection: sa.Connection, study_id: int, instance_ids: Collection[int]) -> None:
        """In the caller's transaction: these instances of a study are kept in another version now."""
        following.outdate(connection, study_id, instance_ids)

    def move(self, connection: sa.Connection, study_id: int, places: Mapping[int, Place]) -> None:
        """In the caller's transaction: these instances of a study belong to another study or series now."""
        following.move(connection, study_id, places)

    def holders(self, study_id: int) -> list[Holder]:
        """Which destinations have an older version of instances of a study than the archive, or are just sent it."""
        return following.holders(self._database, study_id)

    def resend(self, connection: sa.Connection, study_id: int, series_of: Mapping[int, int]) -> Mapping[str, int]:
        """In the caller's transaction: these are sent the version of now; how many instances, by destination."""
        return following.resend(connection, study_id, series_of, self._now())

    # afterwards

    def fold(self, before: datetime, complete: Callable[[int, str], object] = lambda _study_id, _name: None) -> int:
        """Fold what was settled before into one receipt a study and destination; how many deliveries.

        `complete` enters the digests that are missing of a study's deliveries to a destination.
        """
        return receipts.fold(self._database, before, self._now(), complete)

    def receipts(self, study_id: int) -> list[Mapping[str, object]]:
        """What each destination got of a study, as plain data."""
        return receipts.receipts_of(self._database, study_id)
