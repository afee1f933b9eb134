"""Lines as a whole against real peers: which one waits, what a reload changes, what a stop or a kill sends."""

import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from router.delivery import State, sending, worker
from router.delivery.clerk import BATCH
from tests.support.dcmtk import free_port
from tests.support.deliveries import Retry
from tests.support.departures import CT, Departures, one_peer, wait_until
from tests.support.figures import figure
from tests.support.scripted import Script, scripted


def test_a_dead_destination_holds_up_only_its_own_line(folder: Path) -> None:
    """While one destination is unreachable another gets everything at once."""
    script = Script()
    with scripted(script, [CT]) as port:
        departures = Departures(
            folder,
            f"destinations:\n  dead: {{ae_title: DEAD, host: 127.0.0.1, port: {free_port()}}}\n"
            f"  pacs: {{ae_title: PACS, host: 127.0.0.1, port: {port}}}\nroutes: [{{name: all, to: [dead, pacs]}}]",
        )
        departures.enqueue(departures.keep(30), "dead", "pacs")
        with departures.sending():
            departures.wait_for(State.DELIVERED, destination="pacs")
            wait_until(lambda: departures.queue.overview()[0].failures == 1)
    assert set(departures.states("dead")) == {State.DUE}
    assert {each.attempts for each in departures.listed("dead")} == {0}
    assert "cannot be reached" in departures.listed("dead")[0].reason


def test_an_association_is_used_again_for_the_next_batch(folder: Path) -> None:
    """What comes within two seconds, in contexts already proposed, goes over the open association."""
    script = Script()
    with scripted(script, [CT]) as port:
        departures = Departures(folder, one_peer(port))
        with departures.sending() as lines:
            for study in ("1.2.1", "1.2.2", "1.2.3"):
                departures.enqueue(departures.keep(5, study=study), "pacs")
                lines.wake()
                departures.wait_for(State.DELIVERED)
    assert (len(script.stored), script.associations) == (15, 1)


def test_a_peer_that_restarted_while_idle_costs_nothing(folder: Path) -> None:
    """An association that the peer ended between two batches is replaced without a failed attempt."""
    port = free_port()
    departures = Departures(folder, one_peer(port))
    with departures.sending() as lines:
        for study in ("1.2.1", "1.2.2"):
            with scripted(Script(), [CT], port):
                departures.enqueue(departures.keep(2, study=study), "pacs")
                lines.wake()
                departures.wait_for(State.DELIVERED)
    assert [each.attempts for each in departures.listed()] == [1] * 4


def test_an_order_is_obeyed_at_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line that gathers what is filed, or rests, goes on when a person asks for it."""
    for seconds in ("GATHER_SECONDS", "IDLE_SECONDS"):
        monkeypatch.setattr(worker, seconds, 3600.0)
    script = Script()
    with scripted(script, [CT]) as port:
        departures = Departures(folder, one_peer(port))
        with departures.sending() as lines:
            for study in ("1.2.1", "1.2.2"):
                departures.enqueue(departures.keep(2, study=study), "pacs")
                lines.wake()
                lines.wake(at_once=True)
                departures.wait_for(State.DELIVERED)
    assert len(script.stored) == 4


@pytest.mark.parametrize(("seconds", "lots"), [(0.0, 1), (3600.0, 2)])
def test_the_next_lot_is_leased_so_long_before_this_one_ends(
    folder: Path, monkeypatch: pytest.MonkeyPatch, seconds: float, lots: int
) -> None:
    """A slow destination takes nothing out of the queue that it will not be sent for a while."""
    monkeypatch.setattr(sending, "AHEAD_SECONDS", seconds)
    count = 3 * BATCH
    due: list[int] = []

    def answer(number: int) -> int:
        if number == BATCH - 1:
            due.append(count - lots * BATCH)
            wait_until(lambda: departures.states().count(State.DUE) == due[0], 10)
        return 0

    script = Script(answer=answer)
    with scripted(script, [CT]) as port:
        departures = Departures(folder, one_peer(port))
        departures.enqueue(departures.keep(count), "pacs")
        with departures.sending():
            departures.wait_for(State.DELIVERED)
    assert (len(script.stored), len(due)) == (count, 1)


def test_a_closed_window_sends_nothing(folder: Path) -> None:
    """Outside its window a destination's deliveries stay due."""
    hour = (time.localtime().tm_hour + 12) % 24
    script = Script()
    with scripted(script, [CT]) as port:
        departures = Departures(folder, one_peer(port, f"window: '{hour:02}:00-{(hour + 1) % 24:02}:00'"))
        departures.enqueue(departures.keep(1), "pacs")
        with departures.sending():
            time.sleep(1)
    assert departures.states() == [State.DUE]
    assert script.associations == 0


def test_reload_moves_a_destination_and_removes_one(folder: Path) -> None:
    """After a reload a line sends to the new address, and what is left for a removed destination stays, saying why."""
    script = Script()
    dead = free_port()
    with scripted(script, [CT]) as port:
        departures = Departures(folder, one_peer(dead, "retry: {first: 1h}"))
        departures.enqueue(departures.keep(2), "pacs")
        with departures.sending() as lines:
            wait_until(lambda: departures.queue.overview()[0].failures == 1)
            lines.reconfigure(departures.configure(one_peer(port)))
            departures.queue.retry(destination="pacs")
            departures.wait_for(State.DELIVERED)
            other = one_peer(port).replace("pacs", "other")
            lines.reconfigure(departures.configure(other))
            departures.enqueue(departures.keep(1, study="1.2.2"), "pacs")
            lines.wake()
            time.sleep(0.7)
    assert departures.states() == [State.DELIVERED, State.DELIVERED, State.DUE]
    assert "destination is not configured" in {each.reason for each in departures.listed()}


def test_several_connections_share_a_line(folder: Path) -> None:
    """With `connections: 4` four associations send, and nothing is sent twice."""
    script = Script(answer=lambda _: time.sleep(0.005) or 0)  # type: ignore[func-returns-value]
    with scripted(script, [CT]) as port:
        departures = Departures(folder, one_peer(port, "connections: 4"))
        kept = departures.keep(300)
        departures.enqueue(kept, "pacs")
        with departures.sending():
            departures.wait_for(State.DELIVERED)
    assert Counter(script.requests) == {each.sop_instance_uid: 1 for each in kept}
    assert script.associations == 4


def test_stopping_in_the_middle_sends_nothing_twice(folder: Path) -> None:
    """A clean stop ends after the instance on the wire; the next start sends the rest, each once."""
    script = Script(answer=lambda _: time.sleep(0.01) or 0)  # type: ignore[func-returns-value]
    with scripted(script, [CT]) as port:
        departures = Departures(folder, one_peer(port))
        kept = departures.keep(100)
        departures.enqueue(kept, "pacs")
        while State.DUE in departures.states():
            with departures.sending():
                time.sleep(0.3)
            assert State.LEASED not in departures.states()
    assert Counter(script.requests) == {each.sop_instance_uid: 1 for each in kept}


def test_a_probe_that_cannot_be_packed_does_not_hold_up_its_line(folder: Path) -> None:
    """Where a probe cannot be edited, so that it finds nothing out, the next delivery is the probe at once."""
    port = free_port()
    edit = "edit: [{set: {InstitutionName: '{AccessionNumber}'}}], to:"
    departures = Departures(folder, one_peer(port).replace("to:", edit))
    departures.enqueue([*departures.keep(3), *departures.keep(2, study="1.2.2", AccessionNumber="A1")], "pacs")
    departures.queue.configure(["pacs"])
    departures.queue.destination_failed("pacs", "no answer", Retry(first=0.1), 0)
    with scripted(Script(), [CT], port), departures.sending():
        departures.wait_for(State.DELIVERED, State.HELD)
    assert departures.states() == [State.HELD] * 3 + [State.DELIVERED] * 2


def test_a_database_that_goes_away_and_comes_back_costs_nothing(folder: Path) -> None:
    """While the database is away answers wait in the ledger; afterwards everything is sent once."""
    script = Script(answer=lambda _: time.sleep(0.005) or 0)  # type: ignore[func-returns-value]
    with scripted(script, [CT]) as port:
        departures = Departures(folder, one_peer(port))
        kept = departures.keep(200)
        departures.enqueue(kept, "pacs")
        with departures.sending():
            wait_until(lambda: len(script.requests) > 70)
            with departures.database.begin() as connection:
                connection.exec_driver_sql("ALTER TABLE deliveries RENAME TO elsewhere")
            time.sleep(1)
            with departures.database.begin() as connection:
                connection.exec_driver_sql("ALTER TABLE elsewhere RENAME TO deliveries")
            departures.wait_for(State.DELIVERED)
    assert Counter(script.requests) == {each.sop_instance_uid: 1 for each in kept}


@pytest.mark.slow
def test_killed_in_the_middle_sends_nothing_twice_that_was_answered(folder: Path) -> None:
    """After each kill -9 at most the one instance that was on the wire goes again; nothing is lost."""
    script = Script(answer=lambda _: time.sleep(0.002) or 0)  # type: ignore[func-returns-value]
    kills = 3
    with scripted(script, [CT]) as port:
        departures = Departures(folder, one_peer(port))
        kept = departures.keep(400)
        departures.enqueue(kept, "pacs")
        for number in range(kills):
            before = len(script.requests)
            process = _start(folder)
            wait_until(lambda: len(script.requests) > before + 37 + number)  # noqa: B023
            process.send_signal(signal.SIGKILL)
            process.wait()
        assert _start(folder).wait(60) == 0
    requests = Counter(script.requests)
    assert set(requests) == {each.sop_instance_uid for each in kept}
    figure(
        f"n = {kills} kills -9 of the sender: 0 of {len(kept)} missing, {len(script.requests) - len(kept)} sent again"
    )
    assert len(script.requests) - len(kept) <= kills
    assert set(departures.states()) == {State.DELIVERED}


def _start(folder: Path) -> subprocess.Popen[bytes]:
    root = Path(__file__).resolve().parents[3]
    return subprocess.Popen([sys.executable, "-m", "tests.support.departures", str(folder)], cwd=root)
