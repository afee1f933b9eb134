"""Past arrivals: which there were, and as far as their files go; on every database."""

from datetime import timedelta

import pytest

from archive import Amendment, Archive, EntryUnreadableError, Hold, PastArrivals, Spool, Undoing, beginning
from tests.support.arrivals import RECEIVED_AT, filed, sealed


def held(archive: Archive, spool: Spool, content: bytes, uid: str, study_uid: str) -> str:
    """One entry in hold; its arrival."""
    entry = sealed(spool, content, uid)
    archive.place_held([entry])
    with archive.database.begin() as connection:
        hold = Hold(entry, "why", None, "rev1", "held", {"StudyInstanceUID": study_uid})
        archive.hold(connection, [hold])
    return entry.arrival


def test_what_arrived_is_told_with_what_undoes_its_changes(archive: Archive, spool: Spool) -> None:
    """Filed instances with their amendments, and what waits in hold; rows only, no file is opened."""
    change = {"rule": "pad", "attribute": "PatientID", "old": "1", "new": "01"}
    amendment = Amendment("rev1", RECEIVED_AT, [change], b"restores")
    filed(archive, [sealed(spool, b"abcdef", "1.1")], [{}], prefix=b"ABCD", resume=3, amendment=amendment)
    filed(archive, [sealed(spool, b"ghijkl", "1.2")], [{"StudyInstanceUID": "1.9"}])
    waiting = held(archive, spool, b"mnopqr", "1.3", "1.9")
    past = PastArrivals(archive.database, archive.folder)
    instances, in_hold = past.newest()
    newer, older = past.filed(instances)
    assert (older.undoings, newer.undoings) == ((Undoing(4, b"restores"),), ())
    assert (older.study_uid, newer.study_uid, older.origin.received_at) == ("1.2.1", "1.9", RECEIVED_AT)
    assert beginning(older, 5).data == b"ABCDd"
    assert (beginning(newer, 3).is_all, beginning(newer, 6).is_all) == (False, True)
    [one] = past.held(in_hold)
    assert (one.arrival, one.is_in_hold, one.study_uid) == (waiting, True, "1.9")
    assert beginning(one, 100).data == b"mnopqr"


def test_arrivals_are_chosen_by_time_study_and_number(archive: Archive, spool: Spool) -> None:
    """Newest first; a limit counts what is filed and what waits together."""
    old, new = RECEIVED_AT - timedelta(days=40), RECEIVED_AT
    filed(archive, [sealed(spool, b"a", "1.1", received_at=old)], [{}])
    held(archive, spool, b"b", "1.2", "1.9")
    filed(archive, [sealed(spool, b"c", "1.3", received_at=new)], [{"StudyInstanceUID": "1.9"}])
    past = PastArrivals(archive.database, archive.folder)
    assert [len(each) for each in past.newest()] == [2, 1]
    assert [len(each) for each in past.newest(since=new - timedelta(days=1))] == [1, 1]
    assert [len(each) for each in past.newest(study_uid="1.9")] == [1, 1]
    assert [len(each) for each in past.newest(study_uid="1.2.1")] == [1, 0]
    assert [len(each) for each in past.newest(limit=2)] == [1, 1]
    [number], _ = past.newest(limit=1)
    assert past.filed([number])[0].identity.sop_instance_uid == "1.3"


def test_what_a_person_rejected_is_still_there_and_what_was_filed_is_not_twice(archive: Archive, spool: Spool) -> None:
    """A rejected arrival is told; a released one that was filed is told as an instance only."""
    rejected, released = (held(archive, spool, each, f"1.{number}", "1.9") for number, each in enumerate((b"a", b"b")))
    archive.reject(rejected, "tester", "not ours")
    archive.release(released, "tester", {})
    [(entry, *_)] = archive.released()
    filed(archive, [entry], [{}])
    with archive.database.begin() as connection:
        archive.settle_released(connection, [released])
    past = PastArrivals(archive.database, archive.folder)
    instances, in_hold = past.newest()
    assert [each.arrival for each in past.filed(instances)] == [released]
    assert [each.arrival for each in past.held(in_hold)] == [rejected]


def test_a_file_that_is_gone_is_an_error(archive: Archive, spool: Spool) -> None:
    """Of an instance as of what waits in hold."""
    filed(archive, [sealed(spool, b"a", "1.1")], [{}])
    held(archive, spool, b"b", "1.2", "1.9")
    past = PastArrivals(archive.database, archive.folder)
    instances, in_hold = past.newest()
    for each in (*past.filed(instances), *past.held(in_hold)):
        each.path.unlink()
        with pytest.raises(EntryUnreadableError, match="is not there"):
            beginning(each, 10)
