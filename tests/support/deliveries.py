"""A queue with a clock that the test sets, and deliveries to put into it."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from archive import Database
from router.delivery import Kind, Leased, NewDelivery, Outcome, Queue, Settlement, State
from router.delivery.stepping import SteadyClock
from router.delivery.tables import metadata
from rules import Dispatch, Priority

DELIVERED = Outcome(Kind.DELIVERED, 0x0000, "")
LATER = Outcome(Kind.LATER, 0xA700, "out of resources")
PARKED = Outcome(Kind.PARKED, 0xA900, "data set does not match SOP class")


class Clock:
    """The wall clock of a test, and beside it one that nobody sets."""

    def __init__(self) -> None:
        self.moment = datetime(2026, 3, 1, 12, tzinfo=UTC)
        self.seconds = 0.0

    def __call__(self) -> datetime:
        """The time it shows."""
        return self.moment

    def steady(self) -> float:
        """The clock that nobody sets, in seconds."""
        return self.seconds

    def advance(self, seconds: float) -> None:
        """Let it be later, or earlier."""
        self.moment += timedelta(seconds=seconds)

    def go_on(self, seconds: float) -> None:
        """Let time pass, by both clocks."""
        self.advance(seconds)
        self.seconds += seconds


@dataclass(frozen=True)
class GiveUp:
    """As in the configuration."""

    seconds: float | None = None
    attempts: int | None = None


@dataclass(frozen=True)
class Retry:
    """The configuration's defaults."""

    first: float = 30.0
    factor: float = 2.0
    longest: float = 3600.0
    give_up: GiveUp = GiveUp()


class Bench:
    """A queue on a database, driven by hand."""

    def __init__(self, database: Database, holder: str = "here") -> None:
        self.clock = Clock()
        self.database = database
        database.create(metadata)
        self.queue = Queue(database, holder, self.clock)

    def stepping(self, era: str = "this", told: list[tuple[float, int]] | None = None) -> Queue:
        """The same process's queue, which notices when the clock is set, and tells; `era`: the start of its machine."""
        steady = SteadyClock(self.clock.steady, era)
        tells = [] if told is None else told

        def stepped(_: sa.Connection, seconds: float, moved: int) -> None:
            tells.append((seconds, moved))

        return Queue(self.database, self.queue.holder, self.clock, steady=steady, stepped=stepped)

    def other(self, holder: str) -> Queue:
        """Another process's queue on the same database."""
        return Queue(self.database, holder, self.clock)

    def put(self, instances: Iterable[int], destination: str = "pacs", *, study: int = 1, **dispatch: object) -> int:
        """Enqueue one delivery an instance."""
        new = [delivery(instance, destination, study, **dispatch) for instance in instances]
        with self.database.begin() as connection:
            return self.queue.enqueue(connection, new)

    def states(self, destination: str | None = None) -> dict[int, State]:
        """The state of every delivery, by instance."""
        return {each.instance_id: each.state for each in self.queue.listing(destination=destination)}

    def settle(self, leased: Iterable[Leased], outcome: Outcome, wait_seconds: float = 0.0) -> int:
        """Settle all of these alike."""
        return self.queue.settle([settlement(each, outcome, self.clock(), wait_seconds) for each in leased])


def delivery(
    instance: int,
    destination: str = "pacs",
    study: int = 1,
    *,
    priority: Priority = Priority.NORMAL,
    scope: str = "instance",
    quiet: float = 0.0,
    late: str = "send",
    route: str = "all",
    series: int = 1,
) -> NewDelivery:
    """A delivery as filing makes it."""
    dispatch = Dispatch(destination, route, priority, scope, quiet, late)  # type: ignore[arg-type]
    return NewDelivery(instance, study, series, dispatch, "revision")


def settlement(leased: Leased, outcome: Outcome, at: datetime, wait_seconds: float = 0.0) -> Settlement:
    """What became of a lease."""
    return Settlement(leased.delivery_id, leased.token, outcome, at, wait_seconds=wait_seconds)
