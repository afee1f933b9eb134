"""Replay: what differs is found, study by study and exactly; what does not differ is not told."""

import hashlib
import zlib
from datetime import UTC, datetime
from pathlib import Path

import pytest

from archive import PastArrivals
from router.config import load
from router.replay import ARCHIVE, Choice, Deed, Kind, Tally, moves, replay, running
from router.replay.original import original
from router.upkeep import Verifier
from rules import Attribute
from tests.router.replay.conftest import YAML, Past
from tests.support.arrivals import overwrite
from tests.support.past import PIXELS, days_ago
from tests.support.rules import data_set, encoded

UNDEFINED, DELIMITER = b"\xff" * 4, b"\xfe\xff\xdd\xe0" + bytes(4)
PAD = YAML.partition("  - {name: pad")[2].partition("\n")[0]


def went(tally: Tally) -> dict[tuple[str, str], tuple[set[str], int]]:
    """Studies and instances by destination and change."""
    return {(each.destination, each.change): (set(each.studies), each.instances) for each in moves(tally)}


def changed(tally: Tally) -> dict[tuple[str, str], tuple[int, int]]:
    """Instances and studies by where and attribute."""
    return {key: (seen.instances, len(seen.studies)) for key, seen in tally.headers.items()}


def test_the_same_rules_differ_in_nothing(past: Past) -> None:
    """All 24 instances, one of them in hold, are replayed, and nothing is told."""
    tally = past.replayed(YAML + "# with a remark\n")
    assert (tally.instances, tally.in_hold, len(tally.studies)) == (24, 1, 12)
    assert tally.is_same
    assert (went(tally), tally.headers, tally.timing, tally.gained, tally.lost, tally.unread) == (
        {},
        {},
        {},
        {},
        {},
        [],
    )


def test_a_destination_gained_is_counted_by_study(past: Past) -> None:
    """Three trial studies of two instances would also go to research; the PET study goes there as before."""
    tally = past.replayed(
        YAML.replace("when: {Modality: PT}", "when: {any: [{Modality: PT}, {StudyDescription: TRIAL}]}")
    )
    assert went(tally) == {("research", "also"): ({"1.2.1", "1.2.2", "1.2.3"}, 6)}
    assert not tally.is_same
    assert {uid for uid, study in tally.studies.items() if study.differing} == {"1.2.1", "1.2.2", "1.2.3"}
    assert tally.headers == {}


def test_a_destination_lost_wholly_or_in_part_is_told_apart(past: Past) -> None:
    """Ten CT studies would no longer go; of the PET study one instance of three."""
    yaml = YAML.replace("when: {Modality: [CT, PT]}", 'when: {Modality: PT, not: {SOPInstanceUID: "1.2.11.1.3"}}')
    tally = past.replayed(yaml.replace("otherwise: hold", "otherwise: archive"))
    studies = {f"1.2.{number}" for number in range(1, 11)}
    assert went(tally) == {("pacs", "no longer"): (studies, 20), ("pacs", "fewer"): ({"1.2.11"}, 1)}


def test_another_time_is_a_difference_of_its_own(past: Past) -> None:
    """The destination stays, when it gets them is told."""
    tally = past.replayed(YAML.replace("to: [pacs]", "after: study quiet 60s, priority: low, to: [pacs]"))
    assert went(tally) == {}
    [(destination, seen)] = tally.timing.items()
    assert (destination, seen.instances, len(seen.studies)) == ("pacs", 23, 11)
    assert list(seen.pairs) == [("at once, priority normal", "study quiet 60s, priority low")]
    assert not tally.is_same


def test_rules_see_the_header_as_it_came(past: Past) -> None:
    """A rule that pads to ten digits finds the seven that were sent, not the eight that are kept."""
    yaml = YAML.replace("width: 8", "width: 10")
    tally = past.replayed(yaml, most=20)
    assert changed(tally) == {(ARCHIVE, "PatientID"): (23, 11), ("research", "PatientID"): (3, 1)}
    pairs = tally.headers[ARCHIVE, "PatientID"].pairs
    assert pairs == {(f"0{id_}", f"000{id_}"): 2 for id_ in range(1234001, 1234011)} | {("00000007", "0000000007"): 3}
    assert len(past.replayed(yaml, most=3).headers[ARCHIVE, "PatientID"].pairs) == 3


def test_without_the_rule_the_old_value_is_what_was_received(past: Past) -> None:
    """An archive that pads no more would keep 7, and no record of an older value."""
    tally = past.replayed(YAML.replace("  - {name: pad" + PAD + "\n", "").replace("normalise:\n", ""), most=20)
    assert tally.headers[ARCHIVE, "PatientID"].pairs[("00000007", "7")] == 3
    assert {where for where, _ in tally.headers} == {ARCHIVE, "research"}
    assert {attribute for where, attribute in tally.headers} == {"PatientID"}


def test_the_original_header_is_byte_for_byte_what_was_received(past: Past) -> None:
    """Every restored header begins the data set whose digest the index has as received."""
    arrivals = PastArrivals(past.appliance.database, past.configuration.data / "archive")
    filed, held = arrivals.newest()
    assert (len(filed), len(held)) == (23, 1)
    for each in [*arrivals.filed(filed), *arrivals.held(held)]:
        entry, header = original(each)
        rest = entry.data_set(header.end, entry.size)
        whole = header.top.data[: header.end] + rest
        assert hashlib.sha256(whole).hexdigest() == each.received_digest
        values = header.values(Attribute.parse("PatientID"))
        assert values
        assert len(values[0]) <= 7
        assert entry.size == len(whole)


def test_every_form_of_data_set_is_restored(past: Past) -> None:
    """A deflated one, one in fragments, and a header longer than what is read at first; none is taken for cut short."""
    values = {"Modality": "CT", "PatientID": "77", "StudyInstanceUID": "1.9", "SeriesInstanceUID": "1.9.1"}
    fragments = PIXELS[:8] + UNDEFINED + b"\xfe\xff\0\xe0" + bytes(4) + b"\xfe\xff\0\xe0\4\0\0\0abcd" + DELIMITER
    plain, private = encoded(data_set(SOPInstanceUID="1.9.1.1", **values)), bytes(100_000)
    long = encoded(data_set(SOPInstanceUID="1.9.1.3", **values, EncapsulatedDocument=private)) + PIXELS
    deflater = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    past.receive(deflater.compress(plain + PIXELS) + deflater.flush(), "1.9.1.1", syntax="1.2.840.10008.1.2.1.99")
    past.receive(plain.replace(b"1.9.1.1", b"1.9.1.2") + fragments, "1.9.1.2", syntax="1.2.840.10008.1.2.4.90")
    past.receive(long, "1.9.1.3")
    past.file_all()
    tally = past.replayed(YAML.replace("width: 8", "width: 3"), Choice(study_uid="1.9"))
    assert (tally.instances, tally.unread, tally.gained) == (3, [], {})
    assert tally.headers[ARCHIVE, "PatientID"].pairs == {("00000077", "077"): 3}


def test_where_processes_fail_one_goes_on(past: Past, monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes that end at once, here for want of a secret, are done without."""
    monkeypatch.setenv("NAMED", "PACS")
    yaml = YAML.replace("width: 8", "width: 9").replace("ae_title: PACS", 'ae_title: "${NAMED}"')
    tried = load(past.new(yaml))
    monkeypatch.delenv("NAMED")
    database, in_force = past.appliance.database, past.configuration
    alone, together = (replay(database, in_force, tried, Choice(), most=3, processes=each) for each in (1, 2))
    assert (together.instances, together.is_same) == (24, False)
    assert together == alone


def test_an_edit_of_a_copy_is_told_for_its_destination(past: Past) -> None:
    """Only the copies for research differ: three instances of one study."""
    tally = past.replayed(YAML.replace("blank: [PatientName]", "set: {PatientName: NOBODY}"))
    assert changed(tally) == {("research", "PatientName"): (3, 1)}
    assert tally.headers["research", "PatientName"].pairs == {("", "NOBODY"): 3}


def test_a_new_hold_is_told_with_rule_and_reason(past: Past) -> None:
    """What a lookup holds does not go to the PACS either."""
    (past.folder / "ids.csv").write_text("old,new\n1234001,90000001\n")
    lookup = (
        "  - {name: translate, when: {Modality: CT}, edit: [lookup: {keyword: PatientID, table: ids, missing: hold}]}\n"
    )
    yaml = YAML.replace("normalise:\n", "tables: {ids: ids.csv}\nnormalise:\n" + lookup)
    tally = past.replayed(yaml)
    [(deed, seen)] = tally.gained.items()
    assert (deed.kind, deed.destination, deed.rule) == (Kind.HELD, "", "translate")
    assert "1234" not in deed.reason
    assert (seen.instances, len(seen.studies)) == (18, 9)
    assert went(tally) == {("pacs", "no longer"): ({f"1.2.{number}" for number in range(2, 11)}, 18)}
    assert tally.headers[ARCHIVE, "PatientID"].pairs == {("01234001", "90000001"): 2}
    assert tally.lost == {}


def test_a_hold_that_would_be_gone_is_told(past: Past) -> None:
    """The report in hold would be filed, or sent; a person's rejection of it changes nothing in that."""
    yaml = YAML.replace("otherwise: hold", "otherwise: [pacs]")
    for _ in range(2):
        tally = past.replayed(yaml)
        deed = Deed(Kind.HELD, "", "otherwise", "no route matched, and otherwise is hold")
        assert [(each, seen.instances) for each, seen in tally.lost.items()] == [(deed, 1)]
        assert went(tally) == {("pacs", "also"): ({"1.2.12"}, 1)}
        for each in past.appliance.archive.held():
            past.appliance.archive.reject(each.arrival, "tester", "not ours")


def test_a_rejection_is_another_thing_than_a_hold(past: Past) -> None:
    """Where otherwise rejects rather than holds, the one is gone and the other new."""
    tally = past.replayed(YAML.replace("otherwise: hold", "otherwise: reject"))
    assert [deed.kind for deed in tally.gained] == [Kind.REJECTED]
    assert [deed.kind for deed in tally.lost] == [Kind.HELD]


def test_a_copy_that_could_not_be_made_is_told(past: Past) -> None:
    """A destination that would be gained but whose copies would wait for a person is told as both."""
    (past.folder / "ids.csv").write_text("old,new\nX,Y\n")
    edit = "[lookup: {keyword: PatientID, table: ids}]"
    route = f"  - {{name: trial, when: {{StudyDescription: TRIAL}}, edit: {edit}, to: [research]}}\n"
    yaml = YAML.replace("normalise:\n", "tables: {ids: ids.csv}\nnormalise:\n")
    tally = past.replayed(yaml.replace("otherwise", route + "otherwise"))
    [(deed, seen)] = tally.gained.items()
    assert (deed.kind, deed.destination, deed.rule, seen.instances) == (Kind.NOT_SENT, "research", "trial", 6)
    assert went(tally) == {("research", "also"): ({"1.2.1", "1.2.2", "1.2.3"}, 6)}


def test_sources_go_by_the_new_configuration(past: Past) -> None:
    """A rule on a renamed source matches by its new name; a source that is left out would be refused."""
    yaml = YAML.replace("dls:", "ward:").replace(
        "{name: to research, when: {Modality: PT}", "{name: r, when: {source: ward}"
    )
    assert past.replayed(yaml).is_same
    without = YAML.replace("  dls: {ae_title: GE_DLS, host: 10.1.1.12}\n", "")
    tally = past.replayed(without)
    assert [(deed.kind, seen.instances) for deed, seen in tally.gained.items()] == [(Kind.REFUSED, 3)]
    assert went(tally) == {("pacs", "no longer"): ({"1.2.11"}, 3), ("research", "no longer"): ({"1.2.11"}, 3)}
    mistyped = YAML.replace("10.1.1.12", "10.1.1.21")
    assert [deed.kind for deed in past.replayed(mistyped).gained] == [Kind.REFUSED]


def test_a_scanner_that_has_moved_since_is_replayed_under_its_name(past: Past) -> None:
    """What came from an address that neither configuration names any more goes by the name it had."""
    moved = YAML.replace("10.1.1.11", "10.1.1.99")
    past.file.write_text(moved)
    past.configuration = load(past.file)
    tally = past.replayed(
        moved.replace("to: [research]}", "to: [research]}\n  - {name: t, when: {source: dste}, to: [research]}")
    )
    assert tally.refused_by_both == 0
    assert went(tally)["research", "also"][1] == 21


def test_time_is_that_of_the_arrival(tmp_path: Path) -> None:
    """A condition on the time of day goes by when the instance came, not by when it is replayed."""
    yaml = YAML.replace("appliance: {", "appliance: {timezone: Asia/Seoul, ")
    past = Past(tmp_path, yaml)
    past.arrive(1, at=datetime(2026, 3, 2, 12, 0, tzinfo=UTC))  # 21:00 in Seoul
    past.arrive(2, at=datetime(2026, 3, 2, 1, 0, tzinfo=UTC))  # 10:00 there
    past.file_all()
    tally = past.replayed(
        yaml.replace("otherwise", '  - {name: n, when: {time: "18:00-07:00"}, to: [research]}\notherwise')
    )
    assert went(tally) == {("research", "also"): ({"1.2.1"}, 1)}
    past.close()


def test_what_is_in_quarantine_is_counted_and_named(past: Past) -> None:
    """A file that `verify` found damaged is told, the other 23 instances are replayed."""
    [file, *_] = past.files()
    overwrite(file, len(file.read_bytes()) - 1, b"\1")
    archive = past.appliance.archive
    Verifier(archive, past.appliance.journal).verify(archive.instances_after(0, 100))
    tally = past.replayed(YAML.replace("width: 8", "width: 9"))
    [unread] = tally.unread
    assert (unread.file, unread.arrival) == (file, file.stem)
    assert unread.study.startswith("1.2.")
    assert "quarantine" in unread.reason
    assert (tally.instances, changed(tally)[ARCHIVE, "PatientID"][0]) == (23, 22)


def test_damage_is_seen_without_a_verification(past: Past) -> None:
    """What nobody has verified yet and is plainly not as it was kept is named as well."""
    files = past.files()
    files[0].unlink()
    files[1].write_bytes(files[1].read_bytes()[:-1])
    head = files[2].read_bytes()
    overwrite(files[2], head.index(files[2].stem.encode()), b"f" * 24)
    tally = past.replayed(YAML)
    reasons = {each.file: each.reason for each in tally.unread}
    assert reasons == {
        files[0]: "the file is not there",
        files[1]: "the file is not as long as it was",
        files[2]: "its head does not say what the index does",
    }


def test_a_choice_narrows_what_is_replayed(past: Past) -> None:
    """By time of arrival, by study and by number; in hold as well as filed."""
    past.arrive(20, at=days_ago(40))
    past.arrive(21, Modality="SR", at=days_ago(40), more=b"")
    past.file_all()
    assert past.replayed(YAML).instances == 26
    assert past.replayed(YAML, Choice(since=days_ago(30))).instances == 24
    assert set(past.replayed(YAML, Choice(study_uid="1.2.11")).studies) == {"1.2.11"}
    assert past.replayed(YAML, Choice(study_uid="1.2.12")).in_hold == 1
    newest = past.replayed(YAML, Choice(limit=5))
    assert (newest.instances, newest.in_hold) == (5, 2)
    assert set(newest.studies) == {"1.2.21", "1.2.20", "1.2.12", "1.2.11"}


def test_nothing_is_written(past: Past) -> None:
    """Every file and every row is afterwards as it was before, whatever differs."""
    before = past.fingerprint()
    assert not past.replayed(YAML.replace("width: 8", "width: 9")).is_same
    assert past.fingerprint() == before


def test_several_processes_find_what_one_finds(past: Past, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same in sum and study by study, also where a study is in two parts."""
    yaml = YAML.replace("width: 8", "width: 9").replace("otherwise: hold", "otherwise: [research]")
    whole = past.replayed(yaml)
    monkeypatch.setattr(running, "PART", 5)
    assert past.replayed(yaml, processes=2) == whole
