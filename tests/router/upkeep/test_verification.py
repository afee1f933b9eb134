"""What follows from a damaged file: nothing of it is sent, the journal says so, and a whole one goes on its way."""

import os
import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from archive import Backlog, Fault, VerificationStoppedError
from router import journal
from router.delivery import State
from router.journal import Journal
from router.upkeep import Rounds, Upkeep, Verifier, schedule, verification
from tests.support.appliance import wait_until
from tests.support.arrivals import overwrite
from tests.support.deliveries import Clock
from tests.support.departures import CT, PIXELS, QUICK, Departures, Kept, one_peer
from tests.support.figures import figure
from tests.support.scripted import Script, scripted

DAY = 86400.0
COUNT, FLIPPED, SEED = 40, 12, 7
FOLDER = "destinations: {disk: {type: folder, path: ./out}}\nroutes: [{name: all, to: [disk]}]"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the appliance of the test lives."""
    return tmp_path / "appliance"


@pytest.fixture
def kept_for_rounds(folder: Path) -> Iterator[Departures]:
    """An archive of 30 instances."""
    departures = Departures(folder, FOLDER)
    departures.keep(30)
    yield departures
    departures.close()


def verifier(departures: Departures) -> Verifier:
    """As the command has one."""
    return Verifier(departures.archive, Journal(departures.database, Clock()))


def rounds_of(departures: Departures, clock: Clock, every: float | None = 30 * DAY) -> Rounds:
    """A round a month, if nothing else is said; nothing waits in the spool."""
    return Rounds(verifier(departures), clock, lambda: every, lambda: Backlog(0, None))


def file_of(departures: Departures, kept: Kept) -> Path:
    """The kept file."""
    return departures.archive.stored([kept.recorded.instance_id])[kept.recorded.instance_id].path


def flip(path: Path, position: int, pattern: int = 0x01) -> None:
    """Change one byte (counted from the end if negative); the same again undoes it."""
    content = path.read_bytes()
    place = position % len(content)
    overwrite(path, place, bytes([content[place] ^ pattern]))


def verified(departures: Departures, by: Verifier) -> verification.Verified:
    """All of the archive, in one batch."""
    return by.verify(departures.archive.instances_after(0, 1000))


def events(departures: Departures) -> list[tuple[str, int | None, dict[str, object]]]:
    """The journal."""
    with departures.database.read() as connection:
        query = sa.select(journal.journal.c.kind, journal.journal.c.study_id, journal.journal.c.detail)
        return [tuple(row) for row in connection.execute(query.order_by(journal.journal.c.id))]  # type: ignore[misc]


def test_nothing_damaged_is_delivered_until_it_is_whole_again(folder: Path) -> None:
    """Of 40 instances 12 with a flipped byte are found and parked with the reason, 28 arrive; mended, all do."""
    script = Script()
    chance = random.Random(SEED)
    with scripted(script, [CT]) as port:
        departures = Departures(folder, one_peer(port))
        kept = departures.keep(COUNT)
        flipped = chance.sample(kept, FLIPPED)
        flips = [(file_of(departures, each), chance.randrange(len(each.data_set))) for each in flipped]
        for path, position in flips:
            flip(path, position)
        run = verifier(departures)
        found = verified(departures, run).findings
        assert {each.kept.uids[1] for each in found} == {each.sop_instance_uid for each in flipped}
        departures.enqueue(kept, "pacs")
        with departures.sending():
            departures.wait_for(State.DELIVERED, State.PARKED)
        assert set(script.requests).isdisjoint(each.sop_instance_uid for each in flipped)
        assert set(script.stored) == {each.sop_instance_uid for each in kept} - {e.sop_instance_uid for e in flipped}
        parked = [each for each in departures.listed() if each.state is State.PARKED]
        assert {each.instance_id for each in parked} == {each.recorded.instance_id for each in flipped}
        assert all("the kept file is damaged: its " in each.reason for each in parked)
        assert all(each.reason.endswith("; micropacs verify") for each in parked)
        assert len(departures.archive.find("instance", {})) == COUNT
        for path, position in flips:
            flip(path, position)
        assert len(verified(departures, run).lifted) == FLIPPED
        departures.queue.retry()
        with departures.sending():
            departures.wait_for(State.DELIVERED)
        assert {uid: script.stored[uid] for uid in script.stored} == {e.sop_instance_uid: e.data_set for e in kept}
    [study_id] = {each.recorded.study_id for each in kept}
    told = [(kind, of, detail["instances"]) for kind, of, detail in events(departures)]
    assert told == [("damaged", study_id, FLIPPED), ("whole again", study_id, FLIPPED)]
    figure(f"seed {SEED}: {len(parked)} of n = {FLIPPED} flipped found among {COUNT}, 0 sent on; mended, all delivered")


@pytest.mark.parametrize("edit", ["", "edit: [{set: {PatientID: TRIAL-1}}], "])
@pytest.mark.parametrize("position", [-1, -4096, -4111])
def test_a_flipped_byte_that_no_verification_has_seen_is_not_sent(folder: Path, edit: str, position: int) -> None:
    """What leaves is compared with what was kept: the damaged one is parked unsent, as it is or edited."""
    script = Script()
    with scripted(script, [CT]) as port:
        departures = Departures(folder, one_peer(port).replace("to:", f"{edit}to:"))
        kept = departures.keep(3)
        flip(file_of(departures, kept[1]), position)
        departures.enqueue(kept, "pacs")
        with departures.sending():
            departures.wait_for(State.DELIVERED, State.PARKED, State.HELD)
    assert departures.states() == [State.DELIVERED, State.PARKED, State.DELIVERED]
    assert script.requests == [kept[0].sop_instance_uid, kept[2].sop_instance_uid]
    assert [each.reason for each in departures.listed() if each.state is State.PARKED] == [
        "the kept file is damaged: it is not what was received; micropacs verify"
    ]


def test_what_is_seen_to_be_damaged_while_it_is_sent_is_in_quarantine_at_once(folder: Path) -> None:
    """It is shown, told once a study, and not read again for another destination; put back, it goes on its way."""
    script = Script()
    with scripted(script, [CT]) as port:
        departures = Departures(folder, one_peer(port, f"connections: 1, {QUICK}"))
        kept = [*departures.keep(6), *departures.keep(2, study="1.2.2")]
        flipped = [kept[1], kept[4], kept[7]]
        for each in flipped:
            flip(file_of(departures, each), -1)
        departures.enqueue(kept, "pacs")
        with departures.sending():
            departures.wait_for(State.DELIVERED, State.PARKED)
        stored = departures.archive.stored([each.recorded.instance_id for each in kept])
        damage = "its data set does not have the digest it was kept with"
        assert {number for number, each in stored.items() if each.damage == damage} == {
            each.recorded.instance_id for each in flipped
        }
        assert [(kind, of, detail["instances"]) for kind, of, detail in events(departures)] == [
            ("damaged", kept[0].recorded.study_id, 2),
            ("damaged", kept[6].recorded.study_id, 1),
        ]
        departures.queue.retry()
        with departures.sending():
            departures.wait_for(State.DELIVERED, State.PARKED)
        parked = {each.reason for each in departures.listed() if each.state is State.PARKED}
        assert parked == {f"the kept file is damaged: {damage}; micropacs verify"}
        for each in flipped:
            flip(file_of(departures, each), -1)
        assert len(verified(departures, verifier(departures)).lifted) == len(flipped)
        departures.queue.retry()
        with departures.sending():
            departures.wait_for(State.DELIVERED)
    assert sorted(script.requests) == sorted(each.sop_instance_uid for each in kept)


@pytest.mark.parametrize("megabytes", [3, 5])
def test_of_a_long_damaged_data_set_the_peer_keeps_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch, megabytes: int
) -> None:
    """Damage is seen before all has left, by checksum or, where there is none, by digest: the peer keeps nothing."""
    monkeypatch.setattr("tests.support.departures.PIXELS", PIXELS * 256 * megabytes)
    script = Script()
    with scripted(script, [CT]) as port:
        departures = Departures(folder, one_peer(port))
        kept = departures.keep(3)
        flip(file_of(departures, kept[1]), 5000)
        departures.enqueue(kept, "pacs")
        with departures.sending():
            departures.wait_for(State.DELIVERED, State.PARKED)
    assert departures.states() == [State.DELIVERED, State.PARKED, State.DELIVERED]
    assert set(script.stored) == {kept[0].sop_instance_uid, kept[2].sop_instance_uid}
    assert departures.queue.overview()[0].failures == 0, "it says nothing of the destination"


def test_a_folder_gets_nothing_damaged_either(folder: Path) -> None:
    """A flipped byte keeps a file from being written into a folder destination."""
    departures = Departures(folder, FOLDER)
    kept = departures.keep(3)
    flip(file_of(departures, kept[1]), -1)
    departures.enqueue(kept, "disk")
    with departures.sending():
        departures.wait_for(State.DELIVERED, State.PARKED)
    assert departures.states() == [State.DELIVERED, State.PARKED, State.DELIVERED]
    assert {path.stem for path in (folder / "out").rglob("*.dcm")} == {
        kept[0].sop_instance_uid,
        kept[2].sop_instance_uid,
    }


def test_a_run_tells_one_event_a_study(folder: Path) -> None:
    """However many batches see damage in a study, the journal has one event of it, with all of them counted."""
    departures = Departures(folder, FOLDER)
    kept = [*departures.keep(4), *departures.keep(2, study="1.2.2")]
    for each in kept:
        flip(file_of(departures, each), -1)
    run = verifier(departures)
    for number in range(6):
        run.verify(departures.archive.instances_after(number, 1))
        run.verify(departures.archive.instances_after(number, 1))
    assert [(kind, of, detail["instances"], detail["faults"]) for kind, of, detail in events(departures)] == [
        ("damaged", kept[0].recorded.study_id, 4, {Fault.CHANGED: 4}),
        ("damaged", kept[4].recorded.study_id, 2, {Fault.CHANGED: 2}),
    ]


def test_a_round_reads_each_file_once_in_its_period(
    kept_for_rounds: Departures, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Looked at every hour for 60 days, each file is read twice, a few now and then; a restart changes nothing."""
    monkeypatch.setattr(verification, "BATCH", 3)
    clock, read = Clock(), []
    examine = kept_for_rounds.archive.examine
    monkeypatch.setattr(kept_for_rounds.archive, "examine", lambda *each: read.append(each[0].row) or examine(*each))
    by_hour = []
    for _ in range(60 * 24):
        rounds = rounds_of(kept_for_rounds, clock)
        by_hour.append(rounds.step(lambda: False))
        clock.advance(3600)
    assert read == [*range(1, 31), *range(1, 31)]
    assert max(by_hour) == 3
    assert by_hour.index(3, 1) == 3 * 24


def test_what_fell_behind_is_made_up_for(kept_for_rounds: Departures, monkeypatch: pytest.MonkeyPatch) -> None:
    """After 15 days without the appliance what would have been read by then is read at once, and no more."""
    monkeypatch.setattr(verification, "BATCH", 3)
    clock = Clock()
    rounds = rounds_of(kept_for_rounds, clock)
    assert rounds.step(lambda: False) == 3
    clock.advance(15 * DAY)
    assert rounds.step(lambda: False) == 15
    assert rounds.step(lambda: False) == 0


def test_a_clock_that_is_set_back_stops_no_round(kept_for_rounds: Departures, monkeypatch: pytest.MonkeyPatch) -> None:
    """Set back by a year in the middle of a round, the rest of it takes the rest of its period."""
    monkeypatch.setattr(verification, "BATCH", 3)
    clock, done = Clock(), 0
    rounds = rounds_of(kept_for_rounds, clock)
    for _ in range(15):
        done += rounds.step(lambda: False)
        clock.advance(DAY)
    clock.advance(-365 * DAY)
    for _ in range(15):
        done += rounds.step(lambda: False)
        clock.advance(DAY)
    assert done in range(30, 34)


def test_no_period_is_no_verification(kept_for_rounds: Departures) -> None:
    """`verify: never`, and nothing written, read nothing."""
    rounds = rounds_of(kept_for_rounds, Clock(), None)
    assert rounds.step(lambda: False) == 0
    assert kept_for_rounds.archive.last_round() is None


def test_a_round_that_is_stopped_goes_on_where_it_was(
    kept_for_rounds: Departures, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Told to stop within a batch, nothing is noted as verified that was not read."""
    rounds = rounds_of(kept_for_rounds, Clock())

    def stopped(*_: object) -> None:
        raise VerificationStoppedError

    with monkeypatch.context() as patched:
        patched.setattr(kept_for_rounds.archive, "examine", stopped)
        assert rounds.step(lambda: False) == 0
    assert kept_for_rounds.archive.last_round() is None
    assert rounds.step(lambda: False) == 30


def test_a_round_ends_with_a_look_for_files_nobody_knows(
    kept_for_rounds: Departures, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One event a round names them; a file that may be about to be filed is none of them, and nothing is removed."""
    monkeypatch.setattr(verification, "BATCH", 10)
    known = kept_for_rounds.archive.stored([7])[7].path
    old, young = known.with_name("old.dcm"), known.with_name("young.dcm")
    for path in (old, young):
        path.write_bytes(b"")
    os.utime(old, (time.time() - 3600,) * 2)
    clock = Clock()
    rounds = rounds_of(kept_for_rounds, clock)
    found = []
    for _ in range(2 * 30):
        rounds.step(lambda: False)
        found.append(len(events(kept_for_rounds)))
        clock.advance(DAY)
    assert [found.index(1), found.index(2)] == [20, 50]
    name = old.relative_to(kept_for_rounds.archive.folder).as_posix()
    assert events(kept_for_rounds) == [("orphans", None, {"files": 1, "names": [name]})] * 2
    assert old.exists()
    assert young.exists()


def test_upkeep_verifies_what_is_due(kept_for_rounds: Departures, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the appliance works a flipped byte is found and in quarantine without anybody asking."""
    monkeypatch.setattr(schedule, "VERIFY_SECONDS", 0.01)
    stored = kept_for_rounds.archive.stored([7])[7]
    flip(stored.path, -1)
    rounds = rounds_of(kept_for_rounds, Clock())
    upkeep = Upkeep(kept_for_rounds.archive, kept_for_rounds.queue, kept_for_rounds.digests, rounds)
    upkeep.start()
    wait_until(lambda: kept_for_rounds.archive.stored([7])[7].damage is not None, 10, "the quarantine")
    upkeep.stop()
