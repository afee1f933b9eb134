"""The state machine: whatever happens in whatever order, only allowed transitions are seen."""

import tempfile
from pathlib import Path

import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from archive import Database
from router.delivery import Leased, State
from router.delivery.states import SETTLED, TRANSITIONS, sources_of
from router.delivery.tables import deliveries
from tests.support.deliveries import DELIVERED, LATER, PARKED, Bench, GiveUp, Retry

ORDERS = st.one_of(
    st.tuples(st.just("put"), st.sampled_from(["instance", "study"]), st.sampled_from(["send", "hold", "ignore"])),
    st.tuples(st.just("lease"), st.integers(1, 4)),
    st.tuples(st.just("settle"), st.integers(0, 5), st.sampled_from([DELIVERED, LATER, PARKED])),
    st.tuples(st.just("give back"), st.integers(0, 5)),
    st.tuples(st.just("advance"), st.sampled_from([1.0, 61.0, 130.0, 4000.0, -100.0])),
    st.tuples(
        st.sampled_from(["release", "rescue", "restart", "retry", "cancel", "fail", "recover", "pause", "resume"])
    ),
)


def test_every_state_has_its_transitions_and_what_is_settled_stays_settled() -> None:
    """The table speaks of each state, and no settled one leads back to one that is not."""
    assert set(TRANSITIONS) == set(State)
    assert all(TRANSITIONS[state] <= SETTLED for state in SETTLED)
    assert sources_of(State.LEASED) == [State.DUE]


@settings(max_examples=40, deadline=None)
@given(st.lists(ORDERS, min_size=5, max_size=40))
def test_only_allowed_transitions(orders: list[tuple[object, ...]]) -> None:
    """No order of events, repeated, late or out of turn, moves a delivery along a way that is not in the table."""
    with tempfile.TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{Path(folder) / 'queue.db'}")
        machine = _Machine(Bench(database))
        try:
            for order in orders:
                machine.obey(*order)
        finally:
            database.dispose()


class _Machine:
    """Obeys one order after the other and looks at every delivery after each."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.hands: list[list[Leased]] = []
        self.seen: dict[int, State] = {}
        self.instances = 0
        self.failures = 0
        bench.queue.configure(["pacs"])

    def obey(self, order: str, *values: object) -> None:
        getattr(self, order.replace(" ", "_"))(*values)
        with self.bench.database.read() as connection:
            rows = connection.execute(sa.select(deliveries.c.id, deliveries.c.state, deliveries.c.lease_until)).all()
        for row in rows:
            state, before = State(row.state), self.seen.get(row.id)
            assert before in {None, state} or state in TRANSITIONS[before]  # type: ignore[index]
            assert (row.lease_until is not None) == (state is State.LEASED)
            self.seen[row.id] = state

    def put(self, scope: str, late: str) -> None:
        self.instances += 1
        quiet = 60.0 if scope == "study" else 0.0
        self.bench.put([self.instances], scope=scope, quiet=quiet, late=late, study=self.instances % 2)

    def lease(self, limit: int) -> None:
        self.hands.append(self.bench.queue.lease("pacs", limit))

    def settle(self, hand: int, outcome: object) -> None:
        if hand < len(self.hands):
            self.bench.settle(self.hands[hand], outcome, wait_seconds=30)  # type: ignore[arg-type]

    def give_back(self, hand: int) -> None:
        if hand < len(self.hands):
            self.bench.queue.give_back(self.hands[hand])

    def advance(self, seconds: float) -> None:
        self.bench.clock.advance(seconds)

    def release(self) -> None:
        self.bench.queue.release_quiet()

    def rescue(self) -> None:
        self.bench.queue.rescue()

    def restart(self) -> None:
        self.bench.queue.rescue(own=True)

    def retry(self) -> None:
        self.bench.queue.retry()

    def cancel(self) -> None:
        self.bench.queue.cancel("anna")

    def fail(self) -> None:
        self.bench.queue.destination_failed("pacs", "no answer", Retry(give_up=GiveUp(attempts=2)), self.failures)
        self.failures += 1

    def recover(self) -> None:
        self.bench.queue.destination_ok("pacs")
        self.failures = 0

    def pause(self) -> None:
        self.bench.queue.pause("pacs", "")

    def resume(self) -> None:
        self.bench.queue.resume("pacs")
