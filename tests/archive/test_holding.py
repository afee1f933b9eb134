"""The hold: what waits for a person is safe, listed, decided once, and filed only then."""

from collections.abc import Callable
from pathlib import Path

import pytest

from archive import Archive, Entry, EntryUnreadableError, Filing, Hold, InstanceKey, NotKeptError, Spool
from archive.entry import read_entry
from tests.support.arrivals import LARGE, RECEIVED_AT, data_set, filed, origin, sealed


def _hold(archive: Archive, *entries: Entry, state: str = "held", reason: str = "PatientID is unknown") -> None:
    archive.place_held(entries)
    with archive.database.begin() as connection:
        archive.hold(connection, [Hold(each, reason, "a rule", "rev1", state, {"PatientID": "7"}) for each in entries])


def test_held_instance_is_listed_and_safe(archive: Archive, spool: Spool, sized: Callable[[bytes], bytes]) -> None:
    """A held instance lies in the hold folder with all that is known of it, also when the spool has let it go."""
    content = sized(b"0123456789")
    entry = sealed(spool, content, "1.2.3")
    _hold(archive, entry)
    spool.remove([entry.arrival])
    (held,) = archive.held()
    assert held.path == archive.folder / "hold" / f"{entry.arrival}.dcm"
    kept = read_entry(held.path)
    assert data_set(held.path, kept.data_set_offset) == content
    assert (held.arrival, held.state, held.reason, held.rule) == (
        entry.arrival,
        "held",
        "PatientID is unknown",
        "a rule",
    )
    assert (held.identity, held.origin, held.digest, held.bytes) == (
        entry.identity,
        origin(),
        entry.digest,
        len(content),
    )
    assert (held.attributes, held.fixes, held.decided_by) == ({"PatientID": "7"}, {}, None)
    assert held.origin.received_at == RECEIVED_AT


def test_holding_twice_is_once(archive: Archive, spool: Spool) -> None:
    """The same arrivals held again, mixed with new ones, are listed once, oldest first, with the first reason."""
    entries = [sealed(spool, b"1") for _ in range(3)]
    _hold(archive, entries[2], entries[0])
    _hold(archive, *entries, reason="another")
    assert [held.arrival for held in archive.held()] == [entry.arrival for entry in entries]
    assert [held.reason for held in archive.held()] == ["PatientID is unknown", "another", "PatientID is unknown"]
    assert archive.summary().held == 3
    with archive.database.begin() as connection:
        archive.hold(connection, [])


def test_release_file_and_forget(archive: Archive, spool: Spool) -> None:
    """Released with fixes, filed from the hold and settled, it is in the archive and no longer in the hold."""
    entry = sealed(spool, b"0123456789", "1.2.3")
    _hold(archive, entry)
    spool.remove([entry.arrival])
    archive.release(entry.arrival, "kim", {"PatientID": "00000007"})
    assert archive.held() == []
    ((waiting, fixes, *_),) = archive.released()
    assert (waiting.arrival, waiting.digest, fixes) == (entry.arrival, entry.digest, {"PatientID": "00000007"})
    archive.remove_held_files([entry.arrival])
    assert waiting.path.exists(), "a file that is not filed is never removed"
    (recorded,) = filed(archive, [waiting], [dict(fixes)], prefix=b"new", resume=3)
    with archive.database.begin() as connection:
        archive.settle_released(connection, [entry.arrival])
    archive.remove_held_files([entry.arrival, entry.arrival])
    assert archive.released() == []
    assert not waiting.path.exists()
    assert archive.find("study", {"PatientID": "00000007"})
    kept = archive.stored([recorded.instance_id])[recorded.instance_id]
    assert data_set(kept.path, kept.data_set_offset) == b"new3456789"
    (past,) = archive.held("filed")
    assert (past.decided_by, past.fixes, past.decision) == ("kim", {"PatientID": "00000007"}, "corrected")


def test_released_may_be_held_again(archive: Archive, spool: Spool) -> None:
    """If the rules hold a released instance anew, it waits again; a second filing from the spool changes nothing."""
    entry = sealed(spool, b"1")
    _hold(archive, entry)
    archive.release(entry.arrival, "kim", {"PatientID": "x"})
    _hold(archive, entry, reason="filed from the spool again after a crash")
    ((waiting, *_),) = archive.released()
    _hold(archive, waiting, reason="still unknown")
    assert [(held.arrival, held.reason) for held in archive.held()] == [(entry.arrival, "still unknown")]
    assert archive.released() == []
    assert archive.held()[0].fixes == {"PatientID": "x"}
    archive.release(entry.arrival, "kim", {})
    assert len(archive.released()) == 1


def test_what_was_corrected_stays_corrected(archive: Archive, spool: Spool) -> None:
    """A correction is made at every later release, rejected in between or not, until it is replaced or forgotten."""
    entry = sealed(spool, b"1")
    _hold(archive, entry)

    def released(fixes: dict[str, str], *, as_it_came: bool = False) -> tuple[dict[str, str], str | None]:
        archive.release(entry.arrival, "kim", fixes, as_it_came=as_it_came)
        ((waiting, made, rule, held_by),) = archive.released()
        assert held_by == archive.held_these([entry.arrival])[0].rule is not None
        _hold(archive, waiting)
        return dict(made), rule

    rule = archive.held()[0].rule
    assert rule is not None
    assert released({"PatientID": "1", "PatientName": "A"}) == ({"PatientID": "1", "PatientName": "A"}, None)
    assert released({}) == ({"PatientID": "1", "PatientName": "A"}, rule)
    assert released({"PatientID": "2"}) == ({"PatientID": "2", "PatientName": "A"}, None)
    archive.reject(entry.arrival, "kim", "a test image")
    assert released({}) == ({"PatientID": "2", "PatientName": "A"}, rule)
    assert released({"PatientID": "3"}, as_it_came=True) == ({"PatientID": "3"}, None)
    assert released({}, as_it_came=True) == ({}, None)
    assert released({}, as_it_came=True) == ({}, rule)


def test_reject(archive: Archive, spool: Spool) -> None:
    """A rejected instance is not released by itself; its file stays until it is removed, its row stays for ever."""
    by_hand, by_rule = sealed(spool, b"1"), sealed(spool, b"2")
    _hold(archive, by_hand)
    _hold(archive, by_rule, state="rejected")
    archive.reject(by_hand.arrival, "kim", "a test image")
    rejected = archive.held("rejected")
    assert [held.decision for held in rejected] == ["a test image", None]
    assert all(held.path.exists() for held in rejected)
    assert (archive.summary().held, archive.summary().rejected) == (0, 2)
    archive.release(by_rule.arrival, "lee", {})
    assert [entry.arrival for entry, *_ in archive.released()] == [by_rule.arrival]
    archive.remove_held_files([by_hand.arrival])
    assert not rejected[0].path.exists()
    assert [held.arrival for held in archive.held("rejected")] == [by_hand.arrival]


def test_decisions_are_made_once(archive: Archive, spool: Spool) -> None:
    """What is not held can be neither released nor rejected, whatever its name looks like."""
    entry = sealed(spool, b"1")
    _hold(archive, entry)
    archive.release(entry.arrival, "kim", {})
    for arrival in (entry.arrival, "0" * 24, "../../x", ""):
        with pytest.raises(NotKeptError):
            archive.reject(arrival, "lee", "no")
    with pytest.raises(NotKeptError):
        archive.release(entry.arrival, "lee", {})
    archive.remove_held_files(["../../x"])


def test_unreadable_release_goes_back(archive: Archive, spool: Spool) -> None:
    """If the file of a released instance cannot be read, it waits in the hold and says why; the others go on."""
    broken, sound = sealed(spool, b"0123456789"), sealed(spool, b"1")
    _hold(archive, broken, sound)
    for entry in (broken, sound):
        archive.release(entry.arrival, "kim", {})
    (archive.folder / "hold" / f"{broken.arrival}.dcm").write_bytes(b"")
    assert [entry.arrival for entry, *_ in archive.released()] == [sound.arrival]
    (held,) = archive.held()
    assert (held.arrival, held.reason) == (broken.arrival, "the head of the file cannot be read")


def test_long_values_are_cut(archive: Archive, spool: Spool) -> None:
    """A reason or rule name longer than its column, or with a NUL, does not stop a batch."""
    _hold(archive, sealed(spool, b"1"), reason="x\0" * 5000)
    assert archive.held()[0].reason == "x" * 255


def test_vanished_entry_is_an_error(archive: Archive, spool: Spool, tmp_path: Path) -> None:
    """An entry whose own file is gone is never said to be held."""
    entry = sealed(spool, bytes(LARGE))
    spool.remove([entry.arrival])
    with pytest.raises(EntryUnreadableError):
        archive.place_held([entry])
    with pytest.raises(EntryUnreadableError):
        archive.place([Filing(entry, InstanceKey("1", "2", "3"))])
    assert not list((tmp_path / "archive" / "hold").glob("*"))
