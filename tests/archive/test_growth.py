"""What filing costs does not depend on what is kept already."""

from archive import Amendment, Archive, InstanceKey, Spool
from tests.support.arrivals import RECEIVED_AT, filed, sealed
from tests.support.plans import scans


def test_no_statement_of_filing_reads_a_table_through(embedded: Archive, spool: Spool) -> None:
    """Filing a new study, more of it, some of it again and a study that changed asks by index only."""
    entries = [sealed(spool, bytes([number]), f"1.2.{number}") for number in range(8)]
    amendment = Amendment("rev1", RECEIVED_AT, [{"rule": "r", "attribute": "PatientID", "old": None, "new": "A"}], b"")
    with scans(embedded.database) as scanned:
        filed(embedded, entries[:3], [{"Modality": "CT"}] * 3)
        filed(embedded, entries[2:6], [{"PatientID": "A"}] * 4, prefix=b"x", resume=1, amendment=amendment)
        filed(embedded, entries[6:], [{"StudyInstanceUID": "1.9"}, {"SeriesInstanceUID": "1.9.1"}])
        embedded.known([InstanceKey("1.2.1", "1.2.1.1", f"1.2.{number}") for number in range(40)])
        with embedded.database.begin() as connection:
            embedded.settle_released(connection, [entry.arrival for entry in entries])
            embedded.touch(connection, [1])
    assert scanned == []


def test_no_statement_of_a_lookup_reads_a_table_through(embedded: Archive, spool: Spool) -> None:
    """An instance is found by its UIDs, or its own UID alone, and opened by its id, by index only."""
    (recorded,) = filed(embedded, [sealed(spool, b"1", "1.2.3")], [{}])
    with scans(embedded.database) as scanned:
        assert embedded.select({"SOPInstanceUID": "1.2.3"}) == [recorded.instance_id]
        uids = {"StudyInstanceUID": "1.2.1", "SeriesInstanceUID": "1.2.1.1", "SOPInstanceUID": "1.2.3"}
        assert len(embedded.find("instance", uids)) == 1
        assert len(embedded.find("study", {"StudyInstanceUID": "1.2.1"})) == 1
        assert list(embedded.stored([recorded.instance_id])) == [recorded.instance_id]
    assert scanned == []
    with scans(embedded.database) as scanned:
        embedded.find("study", {})
    assert len(scanned) == 1, "a question that asks for all of them is noticed"


def test_known_of_small_and_large_series(archive: Archive, spool: Spool) -> None:
    """What is kept is told alike of series of one instance and of many, several at a time."""
    entries = [sealed(spool, b"1", f"1.{number}") for number in range(44)]
    series = [{"SeriesInstanceUID": "many" if number < 20 else f"1.9.{number // 2}"} for number in range(44)]
    recorded = filed(archive, entries, series)
    keys = [InstanceKey("1.2.1", uids["SeriesInstanceUID"], f"1.{number}") for number, uids in enumerate(series)]
    found = archive.known([*keys, *(key._replace(sop_instance_uid="1.99") for key in keys)])
    assert {key: known.instance_id for key, known in found.items()} == {
        key: each.instance_id for key, each in zip(keys, recorded, strict=True)
    }
