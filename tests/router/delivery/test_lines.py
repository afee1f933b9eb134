"""Lines against real peers: what arrives, what is tried again, what waits, and what a restart sends."""

import hashlib
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filereader import read_dataset

from router.delivery import State
from tests.support.dcmtk import free_port, needs_dcmtk, storescp
from tests.support.deliveries import Retry
from tests.support.departures import CT, EXPLICIT, IMPLICIT, Departures, wait_until
from tests.support.part10 import read_part10
from tests.support.scripted import Script, scripted

ROUTES = "routes: [{name: all, to: [pacs]}]"
QUICK = "retry: {first: 0.1s, longest: 0.4s}"


def one_peer(port: int, more: str = "") -> str:
    """A configuration with one destination."""
    return f"destinations: {{pacs: {{ae_title: PACS, host: 127.0.0.1, port: {port}, {more or QUICK}}}}}\n{ROUTES}"


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Where the appliance of the test lives."""
    (tmp_path / "appliance").mkdir()
    return tmp_path / "appliance"


@pytest.mark.peer
@needs_dcmtk
def test_a_study_arrives_byte_for_byte(folder: Path, tmp_path: Path) -> None:
    """Without edits the destination gets exactly the bytes the archive keeps, and the digest of them is on record."""
    with storescp(tmp_path / "peer") as port:
        departures = Departures(folder, one_peer(port))
        kept = departures.keep(70)
        departures.enqueue(kept, "pacs")
        with departures.sending():
            departures.wait_for(State.DELIVERED)
    received = [read_part10(path) for path in (tmp_path / "peer").iterdir()]
    assert {each.sop_instance_uid: each.data_set for each in received if each} == {
        each.sop_instance_uid: each.data_set for each in kept
    }
    departures.queue.fold(_later())
    assert departures.queue.receipts(kept[0].recorded.study_id)[0]["states"] == {"delivered": 70}
    assert not list((folder / "outbox").iterdir())


def test_the_edits_of_a_route_are_made_on_the_copy_only(folder: Path) -> None:
    """The destination gets the edited header and the same pixels; the archive's file stays as it was."""
    script = Script()
    with scripted(script, [CT]) as port:
        departures = Departures(folder, one_peer(port).replace("to:", "edit: [{set: {PatientID: TRIAL-1}}], to:"))
        [kept] = departures.keep(1)
        departures.enqueue([kept], "pacs")
        with departures.sending():
            departures.wait_for(State.DELIVERED)
    sent = script.stored[kept.sop_instance_uid]
    assert b"TRIAL-1" in sent
    assert b"1234567" not in sent[:-4096]
    assert sent[-4096:] == kept.data_set[-4096:]
    stored = departures.archive.stored([kept.recorded.instance_id])[kept.recorded.instance_id]
    assert stored.path.read_bytes()[stored.data_set_offset :] == kept.data_set
    departures.queue.fold(_later())
    with departures.database.read() as connection:
        [detail] = connection.exec_driver_sql("SELECT detail FROM receipts").scalars()
    assert hashlib.sha256(sent).hexdigest() in detail


def test_an_edit_that_cannot_be_made_holds_the_delivery(folder: Path) -> None:
    """Nothing is sent un-edited: the delivery is held, the other one of the same batch leaves."""
    script = Script()
    edit = "edit: [{set: {InstitutionName: '{AccessionNumber}'}}], to:"
    with scripted(script, [CT]) as port:
        departures = Departures(folder, one_peer(port).replace("to:", edit))
        without = departures.keep(1)
        with_number = departures.keep(1, study="1.2.2", AccessionNumber="A1")
        departures.enqueue([*without, *with_number], "pacs")
        with departures.sending():
            departures.wait_for(State.DELIVERED, State.HELD)
    assert departures.states() == [State.HELD, State.DELIVERED]
    assert list(script.stored) == [with_number[0].sop_instance_uid]


@pytest.mark.parametrize(
    ("status", "state"),
    [
        (0xB000, State.DELIVERED),
        (0xA900, State.PARKED),
        (0xC000, State.PARKED),
        (0x0122, State.PARKED),
        (0x0124, State.PARKED),
    ],
)
def test_a_status_counts_for_its_instance_only(folder: Path, status: int, state: State) -> None:
    """What the second of three is answered decides about the second, whatever the others were answered."""
    script = Script(answer=lambda number: status if number == 2 else 0)
    with scripted(script, [CT]) as port:
        departures = Departures(folder, one_peer(port))
        departures.enqueue(departures.keep(3), "pacs")
        with departures.sending():
            departures.wait_for(State.DELIVERED, State.PARKED)
    assert departures.states() == [State.DELIVERED, state, State.DELIVERED]
    assert sorted(departures.listed(), key=lambda each: each.delivery_id)[1].status == status


@pytest.mark.parametrize("status", [0xA700, 0x0110])
def test_out_of_resources_is_tried_again(folder: Path, status: int) -> None:
    """An instance answered `later` is sent again after its wait, and only that one."""
    script = Script(answer=lambda number: status if number == 1 else 0)
    with scripted(script, [CT]) as port:
        departures = Departures(folder, one_peer(port))
        kept = departures.keep(3)
        departures.enqueue(kept, "pacs")
        with departures.sending():
            departures.wait_for(State.DELIVERED)
    assert Counter(script.requests) == {
        kept[0].sop_instance_uid: 2,
        kept[1].sop_instance_uid: 1,
        kept[2].sop_instance_uid: 1,
    }


def test_an_unknown_status_is_tried_three_times_and_parked(folder: Path) -> None:
    """What nobody can explain does not go round for ever."""
    script = Script(answer=lambda _: 0xD123)
    with scripted(script, [CT]) as port:
        departures = Departures(folder, one_peer(port))
        departures.enqueue(departures.keep(1), "pacs")
        with departures.sending():
            departures.wait_for(State.PARKED)
    assert len(script.requests) == 3


def test_three_laters_in_a_row_are_about_the_destination(folder: Path) -> None:
    """A full PACS is not asked for every instance of a study: after three the line waits as a whole."""
    script = Script(answer=lambda _: 0xA700)
    with scripted(script, [CT]) as port:
        departures = Departures(folder, one_peer(port, "retry: {first: 1h}"))
        departures.enqueue(departures.keep(20), "pacs")
        with departures.sending():
            wait_until(lambda: departures.queue.overview()[0].failures == 1)
            time.sleep(0.5)
    assert len(script.requests) == 3
    assert [each.attempts for each in departures.listed()].count(0) == 17


def test_a_transient_rejection_costs_no_attempt(folder: Path) -> None:
    """Rejected for now twice, then accepted: everything arrives and no delivery has a failed attempt."""
    script = Script(rejects=2, rejection=(2, 3, 2))
    with scripted(script, [CT]) as port:
        departures = Departures(folder, one_peer(port))
        departures.enqueue(departures.keep(5), "pacs")
        with departures.sending():
            departures.wait_for(State.DELIVERED)
    assert [each.attempts for each in departures.listed()] == [1] * 5
    assert departures.queue.overview()[0].failures == 0


@pytest.mark.parametrize("rejection", [(1, 1, 7), (1, 1, 3)])
def test_a_permanent_rejection_parks(folder: Path, rejection: tuple[int, int, int]) -> None:
    """A title that is not recognised will not be by waiting: parked, with the reason."""
    script = Script(rejects=100, rejection=rejection)
    with scripted(script, [CT]) as port:
        departures = Departures(folder, one_peer(port))
        departures.enqueue(departures.keep(2), "pacs")
        with departures.sending():
            departures.wait_for(State.PARKED)
    assert "AE title not recognised" in departures.listed()[0].reason


def test_after_an_abort_only_what_was_not_answered_is_sent_again(folder: Path) -> None:
    """A peer that aborts at the fourth of ten gets the seven it has not answered, at once, and the three not again."""
    script = Script(answer=lambda number: None if number == 4 else 0)
    with scripted(script, [CT]) as port:
        departures = Departures(folder, one_peer(port))
        kept = departures.keep(10)
        departures.enqueue(kept, "pacs")
        with departures.sending():
            departures.wait_for(State.DELIVERED)
    assert Counter(script.requests) == {each.sop_instance_uid: 2 if each is kept[3] else 1 for each in kept}
    assert sorted(each.attempts for each in departures.listed()) == [1] * 9 + [2]
    assert departures.queue.overview()[0].last_error is None, "some were delivered, so the line does not back off"


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


def test_give_up_parks_and_tells(folder: Path) -> None:
    """`give_up: 2 attempts` parks everything that was due when the second attempt to reach the destination failed."""
    departures = Departures(folder, one_peer(free_port(), "retry: {first: 0.1s, give_up: 2 attempts}"))
    departures.enqueue(departures.keep(3), "pacs")
    with departures.sending():
        departures.wait_for(State.PARKED)
    assert departures.listed()[0].reason.startswith("gave up after 2 attempts: ")


def test_a_peer_that_takes_only_implicit_gets_implicit(folder: Path) -> None:
    """An uncompressed explicit data set is re-encoded for such a peer; values and pixels are the same."""
    script = Script(syntaxes=[IMPLICIT])
    with scripted(script, [CT]) as port:
        departures = Departures(folder, one_peer(port))
        kept = departures.keep(3)
        departures.enqueue(kept, "pacs")
        with departures.sending():
            departures.wait_for(State.DELIVERED)
    for each in kept:
        assert script.syntax_of[each.sop_instance_uid] == IMPLICIT
        assert _read(script.stored[each.sop_instance_uid], IMPLICIT) == _read(each.data_set, EXPLICIT)


def test_what_no_context_is_accepted_for_is_parked(folder: Path) -> None:
    """A compressed instance is not sent as something it is not, and not tried for ever; the others leave."""
    script = Script(syntaxes=[IMPLICIT, EXPLICIT])
    with scripted(script, [CT]) as port:
        departures = Departures(folder, one_peer(port))
        compressed = departures.keep(1, syntax="1.2.840.10008.1.2.4.70")
        departures.enqueue([*compressed, *departures.keep(1, study="1.2.2")], "pacs")
        with departures.sending():
            departures.wait_for(State.PARKED, State.DELIVERED)
    assert departures.states() == [State.PARKED, State.DELIVERED]
    assert "no accepted presentation context" in {each.reason for each in departures.listed()}


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
    assert len(script.requests) - len(kept) <= kills
    assert set(departures.states()) == {State.DELIVERED}


def _start(folder: Path) -> subprocess.Popen[bytes]:
    root = Path(__file__).resolve().parents[3]
    return subprocess.Popen([sys.executable, "-m", "tests.support.departures", str(folder)], cwd=root)


def _read(content: bytes, syntax: str) -> Dataset:
    stream = DicomBytesIO(content)
    return read_dataset(stream, syntax == IMPLICIT, True)


def _later() -> datetime:
    return datetime.now(UTC) + timedelta(hours=1)
