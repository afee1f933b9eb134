"""The index: the same on every database, whatever is repeated, mixed or hostile."""

import threading
from datetime import timedelta
from pathlib import Path

import pytest

from archive import Amendment, Archive, Database, Filing, InstanceKey, Record, Spool, Summary
from tests.support.arrivals import CT, IMPLICIT, RECEIVED_AT, data_set, filed, origin, sealed


def test_record_and_stored(archive: Archive, spool: Spool) -> None:
    """What is recorded can be opened by its id, with identity, origin, digest and place as they were received."""
    entry = sealed(spool, b"0123456789", "1.2.3")
    (recorded,) = filed(archive, [entry], [{"StudyInstanceUID": "1.9", "Modality": "CT"}])
    assert recorded.arrival == entry.arrival
    (found,) = archive.stored([recorded.instance_id, 999_999]).values()
    assert data_set(found.path, found.data_set_offset) == b"0123456789"
    assert (found.identity, found.origin, found.digest, found.bytes) == (entry.identity, origin(), entry.digest, 10)
    assert (found.study_id, found.series_id, found.study_uid) == (recorded.study_id, recorded.series_id, "1.9")


def test_recording_twice_gives_the_same_ids(archive: Archive, spool: Spool) -> None:
    """The same arrivals recorded again, in another order and mixed with new ones, keep their ids and count once."""
    entries = [sealed(spool, b"1", f"1.2.{number}") for number in range(6)]
    first = filed(archive, entries[:4], [{}] * 4)
    again = filed(archive, [entries[5], *reversed(entries[:4]), entries[4]], [{}] * 6)
    assert again[1:5] == first[::-1]
    assert len({each.instance_id for each in again}) == 6
    assert archive.summary() == Summary(1, 1, 6, 6, 0, 0, RECEIVED_AT)


def test_filed_out_of_order(archive: Archive, spool: Spool) -> None:
    """An arrival older than what is indexed already is filed as any other, also in one batch with the newest."""
    entries = [sealed(spool, b"1", f"1.2.{number}") for number in range(6)]
    batches = [[entries[3]], [entries[0], entries[5]], [entries[4], entries[1], entries[3]], [entries[2]]]
    recorded = [filed(archive, batch, [{}] * len(batch)) for batch in batches]
    assert [each.arrival for batch in recorded for each in batch] == [e.arrival for batch in batches for e in batch]
    assert recorded[2][2] == recorded[0][0]
    assert archive.summary().instances == 6


def test_empty_batch(archive: Archive) -> None:
    """Nothing in, nothing out."""
    assert filed(archive, [], []) == []
    assert archive.known([]) == {}
    assert archive.stored([]) == {}


def test_same_uid_in_two_series_is_two(archive: Archive, spool: Spool) -> None:
    """A SOP instance UID that comes in two series, or a series UID in two studies, is kept each time."""
    entries = [sealed(spool, bytes([number]), "1.2.3") for number in range(3)]
    uids = [("1", "1.1"), ("1", "1.2"), ("2", "1.1")]
    recorded = filed(archive, entries, [{"StudyInstanceUID": study, "SeriesInstanceUID": one} for study, one in uids])
    found = archive.stored([each.instance_id for each in recorded])
    assert [found[each.instance_id].digest for each in recorded] == [entry.digest for entry in entries]
    assert len({each.series_id for each in recorded}) == 3
    assert archive.summary().studies == 2
    assert archive.received_since(RECEIVED_AT) == (archive.summary().bytes, RECEIVED_AT)
    assert archive.received_since(RECEIVED_AT + timedelta(days=1)) == (0, None)


def test_first_of_one_key_is_kept(archive: Archive, spool: Spool) -> None:
    """Of two arrivals with one key, in two batches or in one, the first is kept, and the second is told so."""
    first, second, third = (sealed(spool, bytes([number]), "1.2.3") for number in range(3))
    one, two = filed(archive, [first, second], [{}, {}])
    (three,) = filed(archive, [third], [{}])
    assert (one.arrival, two, three) == (first.arrival, one, one)
    assert archive.stored([one.instance_id])[one.instance_id].digest == first.digest
    assert archive.summary().instances == 1


def test_known(archive: Archive, spool: Spool) -> None:
    """Known keys give their arrival and the digest as received, also after a change; others are left out."""
    entries = [sealed(spool, b"0123456789", uid) for uid in ("1.1", "1.2")]
    (plain,) = filed(archive, entries[:1], [{}])
    (changed,) = filed(archive, entries[1:], [{"SeriesInstanceUID": "9"}], prefix=b"new", resume=1)
    keys = [
        InstanceKey("1.2.1", "1.2.1.1", "1.1"),
        InstanceKey("1.2.1", "9", "1.2"),
        InstanceKey("1.2.1", "9", "1.1"),
        InstanceKey("1.2.2", "1.2.1.1", "1.1"),
    ]
    known = archive.known(keys)
    assert list(known) == keys[:2]
    assert [known[key].instance_id for key in keys[:2]] == [plain.instance_id, changed.instance_id]
    assert {known[key].received_digest for key in keys[:2]} == {entries[0].digest}


def test_many_keys(archive: Archive, spool: Spool) -> None:
    """More keys and ids than one statement takes are asked in parts."""
    (recorded,) = filed(archive, [sealed(spool, b"1", "1.2.3")], [{}])
    keys = [InstanceKey("1.2.1", "1.2.1.1", f"9.{number}") for number in range(1200)]
    keys.append(InstanceKey("1.2.1", "1.2.1.1", "1.2.3"))
    assert list(archive.known(keys)) == [keys[-1]]
    assert list(archive.stored([*range(10_000, 11_200), recorded.instance_id])) == [recorded.instance_id]


def test_study_grows(archive: Archive, spool: Spool) -> None:
    """A study's counts, modalities and times follow its instances; what it lacked is filled, what it has stays."""
    later = RECEIVED_AT + timedelta(minutes=5)
    filed(archive, [sealed(spool, b"12", "1")], [{"PatientID": "A", "Modality": "PT", "SeriesInstanceUID": "1"}])
    filed(
        archive,
        [sealed(spool, b"345", "2", received_at=later), sealed(spool, b"6", "3")],
        [
            {"PatientID": "B", "PatientName": "DOE", "Modality": "CT", "SeriesInstanceUID": "2"},
            {"Modality": "CT", "SeriesInstanceUID": "3", "StudyDescription": "PET/CT"},
        ],
    )
    (study,) = archive.find("study", {})
    assert (study["PatientID"], study["PatientName"], study["StudyDescription"]) == ("A", "DOE", "PET/CT")
    assert study["ModalitiesInStudy"] == "CT\\PT"
    assert (study["NumberOfStudyRelatedSeries"], study["NumberOfStudyRelatedInstances"]) == ("3", "3")
    assert archive.find("study", {"PatientName": "doe*"}) == [study]
    summary = archive.summary()
    assert (summary.bytes, summary.series, summary.last_received_at) == (6, 3, later)


def test_rollback_leaves_nothing(archive: Archive, spool: Spool) -> None:
    """If the caller's transaction fails after recording, the index knows nothing of it; filing again works."""
    entry = sealed(spool, b"1")
    filing = Filing(entry, InstanceKey("1", "1.1", "1.2.3.4"))
    (placed,) = archive.place([filing])

    def fail() -> None:
        with archive.database.begin() as connection:
            archive.record(connection, [Record(filing, placed, {})])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert archive.summary().studies == 0
    assert filed(archive, [entry], [{"StudyInstanceUID": "1"}])[0].arrival == entry.arrival


HOSTILE = ["' OR 1=1--", "a\0b", "\ud800", "x" * 5000, "山田^太郎" * 200, "%_\\", "", "  ", "+1e9"]


def test_hostile_values_are_data(archive: Archive, spool: Spool) -> None:
    """No value of a header, however long or strange, stops a batch; the index shows what fits."""
    keywords = ["PatientID", "PatientName", "StudyDate", "StudyTime", "Modality", "Rows", "StudyInstanceUID"]
    entries = [sealed(spool, b"1", str(number)) for number in range(len(HOSTILE) + 1)]
    recorded = filed(archive, entries, [{}, *(dict.fromkeys(keywords, value) for value in HOSTILE)])
    assert len({each.study_id for each in recorded}) == len(HOSTILE)  # "" and "  " are one
    assert len(archive.stored([each.instance_id for each in recorded])) == len(entries)


def test_overlong_uids_stay_apart(archive: Archive, spool: Spool) -> None:
    """Two UIDs that differ only after their 64th character are two instances, each found under its own."""
    uids = ["1." + "2" * 70 + last for last in "34"]
    recorded = filed(archive, [sealed(spool, last.encode(), last) for last in uids], [{}, {}])
    assert len({each.instance_id for each in recorded}) == 2
    assert [archive.select({"SOPInstanceUID": uid}) for uid in uids] == [[each.instance_id] for each in recorded]


def test_writers_in_one_study(archive: Archive, spool: Spool) -> None:
    """Writers that file into one new study at the same time lose no instance and no count."""
    entries = [[sealed(spool, b"1", f"1.{thread}.{number}") for number in range(8)] for thread in range(4)]
    failures: list[BaseException] = []

    def work(batch: int) -> None:
        try:
            for entry in entries[batch]:
                filed(archive, [entry], [{"SeriesInstanceUID": f"1.{batch % 2}", "Modality": f"M{batch}"}])
        except BaseException as error:  # noqa: BLE001 - whatever it is, the test must see it
            failures.append(error)

    threads = [threading.Thread(target=work, args=[batch]) for batch in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    (study,) = archive.find("study", {})
    assert (study["NumberOfStudyRelatedSeries"], study["NumberOfStudyRelatedInstances"]) == ("2", "32")
    assert len(archive.select({"StudyInstanceUID": "1.2.1"})) == 32
    assert sum(int(each["NumberOfSeriesRelatedInstances"]) for each in archive.find("series", {})) == 32


def test_index_survives_reopening(archive: Archive, spool: Spool, tmp_path: Path) -> None:
    """Another connection to the same database, and the same folder, give the same answers."""
    amendment = Amendment(
        "rev1", RECEIVED_AT, [{"rule": "r", "attribute": "PatientID", "old": None, "new": "A"}], b"\0"
    )
    (recorded,) = filed(archive, [sealed(spool, b"12", "1")], [{}], prefix=b"x", resume=1, amendment=amendment)
    url = archive.database.engine.url.render_as_string(hide_password=False)
    again = Archive(Database(url), tmp_path / "archive")
    again.create_tables()
    assert again.stored([recorded.instance_id]) == archive.stored([recorded.instance_id])
    assert again.find("instance", {})[0]["SOPClassUID"] == CT
    assert again.stored([recorded.instance_id])[recorded.instance_id].identity.transfer_syntax_uid == IMPLICIT
    again.database.dispose()
