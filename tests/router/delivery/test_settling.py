"""Answers, orders of people and give-up: what becomes of deliveries and of their line."""

from datetime import timedelta

import sqlalchemy as sa

from router.delivery import Kind, Outcome, Settlement, State
from router.delivery.orders import Retried
from router.delivery.tables import attempts, deliveries
from tests.support.deliveries import DELIVERED, LATER, PARKED, Bench, GiveUp, Retry


def test_an_answer_is_entered_with_its_attempt(bench: Bench) -> None:
    """A delivery remembers what it was answered and what was sent, and each attempt is a row."""
    bench.put([1])
    [leased] = bench.queue.lease("pacs", 1)
    bench.settle([leased], LATER, wait_seconds=30)
    bench.clock.advance(30)
    [leased] = bench.queue.lease("pacs", 1)
    warning = Outcome(Kind.DELIVERED, 0xB006, "warning: elements discarded")
    bench.queue.settle([Settlement(leased.delivery_id, leased.token, warning, bench.clock(), 0.5, "ab" * 32, 1234)])
    with bench.database.read() as connection:
        row = connection.execute(sa.select(deliveries)).one()
        tried = connection.execute(sa.select(attempts).order_by(attempts.c.id)).all()
    assert (row.state, row.attempts, row.status, row.reason) == ("delivered", 2, 0xB006, warning.reason)
    assert (row.digest_sent, row.bytes_sent, row.settled_at) == ("ab" * 32, 1234, bench.clock())
    assert [(each.outcome, each.status, each.seconds) for each in tried] == [
        ("later", 0xA700, 0),
        ("delivered", 0xB006, 0.5),
    ]
    assert bench.queue.overview()[0].counts == {State.DELIVERED: 1}


def test_later_has_its_own_due_time_and_holds_up_nobody(bench: Bench) -> None:
    """An instance answered `later` waits by itself; the others of its line go on."""
    bench.put([1, 2])
    bench.settle(bench.queue.lease("pacs", 1), LATER, wait_seconds=30)
    assert [each.instance_id for each in bench.queue.lease("pacs", 10)] == [2]
    bench.clock.advance(29)
    assert bench.queue.lease("pacs", 10) == []
    bench.clock.advance(1)
    assert [(each.instance_id, each.attempts) for each in bench.queue.lease("pacs", 10)] == [(1, 1)]


def test_a_failed_destination_costs_no_attempts_but_its_probe(bench: Bench) -> None:
    """While a destination is down nothing is leased but one probe at a time, and no delivery's attempts are counted."""
    bench.queue.configure(["pacs", "other"])
    bench.put(range(100))
    bench.put([1], "other")
    leased = bench.queue.lease("pacs", 64)
    for failures, wait in enumerate([30, 60, 120, 240]):
        bench.queue.give_back(leased)
        assert bench.queue.destination_failed("pacs", "no answer", Retry(), failures) == 0
        assert bench.queue.lease("pacs", 64) == []
        bench.clock.advance(wait - 1)
        assert bench.queue.lease("pacs", 64) == []
        bench.clock.advance(1)
        leased = bench.queue.lease("pacs", 64)
        assert [(each.is_probe, each.attempts) for each in leased] == [(True, 0)]
        assert bench.queue.lease("pacs", 64) == [], "a second connection does not probe too"
    assert [each.is_probe for each in bench.queue.lease("other", 64)] == [False]
    bench.settle(leased, DELIVERED)
    bench.queue.destination_ok("pacs")
    assert len(bench.queue.lease("pacs", 64)) == 64


def test_two_connections_that_fail_together_count_once(bench: Bench) -> None:
    """One outage seen by two connections is one failure of the line."""
    bench.queue.configure(["pacs"])
    bench.queue.destination_failed("pacs", "no answer", Retry(), 0)
    bench.queue.destination_failed("pacs", "no answer", Retry(), 0)
    assert bench.queue.overview()[0].failures == 1


def test_a_probe_that_a_crash_cut_short_is_made_again_at_once(bench: Bench) -> None:
    """Nobody waits until the probe of a life that is over would have been given up; another machine's is left alone."""
    bench.queue.configure(["pacs", "other"])
    bench.put(range(1, 5))
    bench.put(range(11, 15), "other")
    for queue, name in ((bench.queue, "pacs"), (bench.other("there"), "other")):
        queue.destination_failed(name, "refused", Retry(), 0)
        bench.clock.advance(30)
        assert [each.is_probe for each in queue.lease(name, 64)] == [True]
    assert bench.queue.rescue(own=True) == 1
    assert [each.is_probe for each in bench.queue.lease("pacs", 64)] == [True]
    assert bench.queue.lease("other", 64) == []


def test_a_wait_that_is_no_probe_outlasts_a_restart(bench: Bench) -> None:
    """A restart with nothing in hand tries no failed destination early."""
    bench.queue.configure(["pacs"])
    bench.put(range(1, 5))
    bench.queue.destination_failed("pacs", "refused", Retry(), 0)
    assert bench.queue.rescue(own=True) == 0
    assert bench.queue.lease("pacs", 64) == []


def test_an_instance_that_breaks_every_association_is_not_the_probe_for_ever(bench: Bench) -> None:
    """The probe is the delivery that failed least, so that others get their turn."""
    bench.queue.configure(["pacs"])
    bench.put([1, 2])
    bench.settle(bench.queue.lease("pacs", 1), LATER)
    bench.queue.destination_failed("pacs", "aborted", Retry(), 0)
    bench.clock.advance(30)
    assert [each.instance_id for each in bench.queue.lease("pacs", 64)] == [2]


def test_give_up_after_attempts_counts_failures_of_the_line_while_due(bench: Bench) -> None:
    """With `give_up: 3 attempts` a delivery is parked by the third failure it was due for, not by older ones."""
    bench.queue.configure(["pacs"])
    retry = Retry(give_up=GiveUp(attempts=3))
    bench.put([1])
    assert bench.queue.destination_failed("pacs", "no answer", retry, 0) == 0
    bench.put([2])
    assert bench.queue.destination_failed("pacs", "no answer", retry, 1) == 0
    assert bench.queue.destination_failed("pacs", "no answer", retry, 2) == 1
    assert bench.states() == {1: State.PARKED, 2: State.DUE}
    assert bench.queue.listing()[0].reason == "gave up after 3 attempts: no answer"
    assert bench.queue.destination_failed("pacs", "no answer", retry, 3) == 1


def test_an_attempt_that_made_the_line_fail_counts_once(bench: Bench) -> None:
    """What was tried has its own attempt for it; what only waited behind it has the failure of the line."""
    bench.queue.configure(["pacs"])
    retry = Retry(give_up=GiveUp(attempts=2))
    bench.put([1])
    bench.put([2], study=2)
    tried = bench.queue.lease("pacs", 1)
    bench.settle(tried, LATER)
    assert bench.queue.destination_failed("pacs", "aborted", retry, 0, tried=[tried[0].delivery_id]) == 0
    bench.clock.advance(30)
    assert [(each.attempts, each.line_failures) for each in bench.queue.lease("pacs", 1)] == [(0, 1)]
    bench.clock.advance(60)
    assert [(each.attempts, each.line_failures) for each in bench.queue.lease("pacs", 1)] == [(1, 0)]


def test_give_up_after_a_time_counts_from_when_it_became_due(bench: Bench) -> None:
    """With a duration the quiet time does not count."""
    bench.queue.configure(["pacs"])
    retry = Retry(give_up=GiveUp(seconds=3600))
    bench.put([1], scope="study", quiet=7200)
    bench.put([2], study=2)
    bench.clock.advance(7200)
    bench.queue.release_quiet()
    assert bench.queue.destination_failed("pacs", "no answer", retry, 0) == 1
    assert bench.states() == {1: State.DUE, 2: State.PARKED}


def test_72_hours_of_outage_lose_nothing_and_drain_in_order(bench: Bench) -> None:
    """After three days down everything is still due, at no cost in attempts, and leaves oldest first."""
    bench.queue.configure(["pacs"])
    bench.put(range(300))
    failures = 0
    end = bench.clock() + timedelta(hours=72)
    while bench.clock() < end:
        bench.clock.advance(3600)
        leased = bench.queue.lease("pacs", 64)
        bench.queue.give_back(leased)
        bench.queue.destination_failed("pacs", "no answer", Retry(), failures)
        failures += 1
    bench.clock.advance(3600)
    order = []
    while leased := bench.queue.lease("pacs", 64):
        order += [each.instance_id for each in leased]
        assert all(each.attempts == 0 for each in leased)
        bench.settle(leased, DELIVERED)
        bench.queue.destination_ok("pacs")
    assert order == list(range(300))


def test_pause_and_resume(bench: Bench) -> None:
    """A paused destination is sent nothing and says why; resumed it is sent to at once, even after failures."""
    bench.queue.configure(["pacs"])
    bench.put([1])
    bench.queue.destination_failed("pacs", "no answer", Retry(), 0)
    assert bench.queue.pause("pacs", "moving house")
    bench.clock.advance(3600)
    assert bench.queue.lease("pacs", 1) == []
    assert bench.queue.listing()[0].reason == "destination is paused: moving house"
    assert bench.queue.resume("pacs")
    assert len(bench.queue.lease("pacs", 1)) == 1
    assert not bench.queue.pause("nowhere", "")


def test_retry_frees_what_is_parked_held_or_waiting_for_its_attempt(bench: Bench) -> None:
    """A person's retry makes it due now and begins the count of attempts anew."""
    bench.put([1, 2, 3])
    first, second, third = bench.queue.lease("pacs", 3)
    bench.settle([first], PARKED)
    bench.settle([second], Outcome(Kind.HELD, None, "edit failed"))
    bench.settle([third], LATER, wait_seconds=3600)
    bench.put([4], study=2)
    assert bench.queue.retry(study_id=1) == Retried(due=3, held=0)
    assert [(each.instance_id, each.attempts) for each in bench.queue.lease("pacs", 10)] == [(1, 0), (2, 0), (3, 0)]


def test_cancelled_on_the_wire_but_delivered_says_delivered(bench: Bench) -> None:
    """What the destination has is the truth, also after a cancel; an attempt that failed stays cancelled."""
    bench.put([1, 2])
    leased = bench.queue.lease("pacs", 2)
    assert bench.queue.cancel("anna", destination="pacs") == 2
    assert bench.settle(leased[:1], DELIVERED) == 1
    assert bench.settle(leased[1:], LATER) == 0
    assert bench.states() == {1: State.DELIVERED, 2: State.CANCELLED}


def test_a_destination_no_longer_configured_keeps_its_deliveries(bench: Bench) -> None:
    """They stay due, visible and say why; when the destination comes back they are sent."""
    bench.queue.configure(["pacs"])
    bench.put([1])
    bench.queue.configure(["other"])
    [listed] = bench.queue.listing()
    assert (listed.state, listed.reason) == (State.DUE, "destination is not configured")
    assert [(line.destination, line.is_configured) for line in bench.queue.overview()] == [
        ("other", True),
        ("pacs", False),
    ]
    bench.queue.configure(["pacs"])
    assert len(bench.queue.lease("pacs", 1)) == 1


def test_every_waiting_delivery_says_why(bench: Bench) -> None:
    """The list gives a reason for each state a delivery can wait in."""
    bench.queue.configure(["pacs", "down"])
    bench.put([1], scope="study", quiet=60)
    bench.put([2, 3, 4, 5], study=2)
    leased = bench.queue.lease("pacs", 3)
    bench.settle(leased[:1], PARKED)
    bench.settle(leased[1:2], LATER, wait_seconds=30)
    bench.put([6], "down", study=3)
    bench.queue.destination_failed("down", "no answer", Retry(), 0)
    reasons = {each.instance_id: each.reason for each in bench.queue.listing()}
    assert reasons == {
        1: "waits until the study is quiet, at the earliest at 2026-03-01 12:01:00 UTC",
        2: "data set does not match SOP class",
        3: "out of resources, next attempt at 2026-03-01 12:00:30 UTC",
        4: "is being sent",
        5: "is due",
        6: "destination failed once: no answer, next attempt at 2026-03-01 12:00:30 UTC",
    }


def test_settled_deliveries_fold_into_one_receipt(bench: Bench) -> None:
    """A study's deliveries to a destination become one receipt once all are settled; an open one keeps them."""
    bench.put([1, 2])
    bench.put([3], study=2)
    bench.put([4], study=2)
    bench.settle(bench.queue.lease("pacs", 2), DELIVERED)
    bench.settle(bench.queue.lease("pacs", 1), DELIVERED)
    bench.clock.advance(10)
    before = bench.queue.receipts(1)
    assert bench.queue.fold(bench.clock()) == 2
    assert bench.states() == {3: State.DELIVERED, 4: State.DUE}
    assert bench.queue.receipts(1) == before
    assert before[0]["states"] == {"delivered": 2}
    assert bench.queue.fold(bench.clock()) == 0
