"""What one connection makes of its batch, against real peers: what arrives, is tried again, is parked or held."""

import hashlib
import time
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filereader import read_dataset

from router.delivery import State
from tests.support.dcmtk import free_port, needs_dcmtk, storescp
from tests.support.departures import CT, EXPLICIT, IMPLICIT, Departures, Kept, one_peer, wait_until
from tests.support.part10 import read_part10
from tests.support.scripted import Script, scripted


def sent(folder: Path, script: Script, count: int, *states: State) -> tuple[Departures, list[Kept]]:
    """So many instances of a study, sent to a peer by this script until each delivery is in one of the states."""
    with scripted(script, [CT]) as port:
        departures = Departures(folder, one_peer(port))
        kept = departures.keep(count)
        departures.enqueue(kept, "pacs")
        with departures.sending():
            departures.wait_for(*states)
    return departures, kept


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


def test_an_edit_that_fails_while_another_is_on_the_wire_holds_its_own_delivery_only(folder: Path) -> None:
    """Of one lot the second and the last cannot be edited: the others leave, each once and edited."""
    script = Script()
    edit = "edit: [{set: {InstitutionName: '{AccessionNumber}'}}], to:"
    with scripted(script, [CT]) as port:
        departures = Departures(folder, one_peer(port).replace("to:", edit))
        kept = [
            one
            for number, there in enumerate([{"AccessionNumber": "A1"}, {}, {"AccessionNumber": "A3"}, {}], start=1)
            for one in departures.keep(1, study=f"1.2.{number}", **there)
        ]
        study_id = kept[0].recorded.study_id
        one_lot = [replace(each, recorded=replace(each.recorded, study_id=study_id)) for each in kept]
        departures.enqueue(one_lot, "pacs")
        with departures.sending():
            departures.wait_for(State.DELIVERED, State.HELD)
    assert departures.states() == [State.DELIVERED, State.HELD, State.DELIVERED, State.HELD]
    assert script.requests == [kept[0].sop_instance_uid, kept[2].sop_instance_uid]
    assert all(number in script.stored[uid] for number, uid in zip([b"A1", b"A3"], script.requests, strict=True))


def test_a_route_without_edits_reads_no_header(folder: Path) -> None:
    """What no rule looks at is not looked at: bytes that are no header are sent as they are kept."""
    script = Script()
    with scripted(script, [CT]) as port:
        departures = Departures(folder, one_peer(port))
        [kept] = departures.keep(1)
        departures.enqueue([kept], "pacs")
        stored = departures.archive.stored([kept.recorded.instance_id])[kept.recorded.instance_id]
        whole = stored.path.read_bytes()
        stored.path.chmod(0o640)
        content = b"?" * stored.bytes
        stored.path.write_bytes(whole[: stored.data_set_offset] + content)
        with departures.database.begin() as connection:  # kept so, as far as anybody knows
            digest = hashlib.sha256(content).hexdigest()
            connection.exec_driver_sql("UPDATE instances SET digest = ?, checksum = NULL", (digest,))
        with departures.sending():
            departures.wait_for(State.DELIVERED)
        received = script.requests
    assert received == [kept.sop_instance_uid]


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
    departures, _ = sent(folder, script, 3, State.DELIVERED, State.PARKED)
    assert departures.states() == [State.DELIVERED, state, State.DELIVERED]
    assert sorted(departures.listed(), key=lambda each: each.delivery_id)[1].status == status


@pytest.mark.parametrize("status", [0xA700, 0x0110])
def test_out_of_resources_is_tried_again(folder: Path, status: int) -> None:
    """An instance answered `later` is sent again after its wait, and only that one."""
    script = Script(answer=lambda number: status if number == 1 else 0)
    _, kept = sent(folder, script, 3, State.DELIVERED)
    assert Counter(script.requests) == {
        kept[0].sop_instance_uid: 2,
        kept[1].sop_instance_uid: 1,
        kept[2].sop_instance_uid: 1,
    }


def test_an_unknown_status_is_tried_three_times_and_parked(folder: Path) -> None:
    """What nobody can explain does not go round for ever."""
    script = Script(answer=lambda _: 0xD123)
    sent(folder, script, 1, State.PARKED)
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
    departures, _ = sent(folder, script, 5, State.DELIVERED)
    assert [each.attempts for each in departures.listed()] == [1] * 5
    assert departures.queue.overview()[0].failures == 0


@pytest.mark.parametrize("rejection", [(1, 1, 7), (1, 1, 3)])
def test_a_permanent_rejection_parks(folder: Path, rejection: tuple[int, int, int]) -> None:
    """A title that is not recognised will not be by waiting: parked, with the reason."""
    script = Script(rejects=100, rejection=rejection)
    departures, _ = sent(folder, script, 2, State.PARKED)
    assert "AE title not recognised" in departures.listed()[0].reason


def test_after_an_abort_only_what_was_not_answered_is_sent_again(folder: Path) -> None:
    """A peer that aborts at the fourth of ten gets the seven it has not answered, at once, and the three not again."""
    script = Script(answer=lambda number: None if number == 4 else 0)
    departures, kept = sent(folder, script, 10, State.DELIVERED)
    assert Counter(script.requests) == {each.sop_instance_uid: 2 if each is kept[3] else 1 for each in kept}
    assert sorted(each.attempts for each in departures.listed()) == [1] * 9 + [2]
    assert departures.queue.overview()[0].last_error is None, "some were delivered, so the line does not back off"


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
    _, kept = sent(folder, script, 3, State.DELIVERED)
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


def _read(content: bytes, syntax: str) -> Dataset:
    stream = DicomBytesIO(content)
    return read_dataset(stream, syntax == IMPLICIT, True)


def _later() -> datetime:
    return datetime.now(UTC) + timedelta(hours=1)
