"""Security events from the note to the journal: counted, bounded, and with nothing in them that was received."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from archive import Database
from router.appliance import utc_now
from router.journal import Journal
from router.migrations import upgrade
from router.security import Folding, Ledger, SecurityEvent, ledger, recent

HOST = "10.1.1.9"


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    """An empty journal."""
    database = Database(f"sqlite:///{tmp_path / 'micropacs.db'}")
    upgrade(database)
    yield Journal(database, utc_now)
    database.dispose()


def folded(folder: Path, journal: Journal) -> list[SecurityEvent]:
    """What stands in the journal once the ledger was taken up."""
    folding = Folding(folder, journal._database, journal, utc_now)
    folding.fold()
    folding.fold()
    assert list(folder.iterdir()) == []
    return [event for _, event in recent(journal, utc_now())]


def test_a_flood_is_one_event_with_a_count(tmp_path: Path, journal: Journal) -> None:
    """What one address does a thousand times is one row, written and folded in many pieces."""
    folder = tmp_path / "security"
    noted = Ledger(folder)
    for _ in range(10):
        for _ in range(100):
            noted.note("unknown PDU", HOST)
        noted.write(is_last=True)
        [event] = folded(folder, journal)
    assert (event.what, event.host, event.count) == ("unknown PDU", HOST, 1000)
    assert event.first < event.last


def test_what_or_who_differs_is_another_event(tmp_path: Path, journal: Journal) -> None:
    """Kind and address make the event."""
    noted = Ledger(tmp_path / "security")
    for what, host in (("unknown PDU", HOST), ("malformed PDU", HOST), ("unknown PDU", "10.1.1.10")):
        noted.note(what, host)
    noted.write()
    assert len(folded(tmp_path / "security", journal)) == 3


def test_a_line_is_written_only_now_and_then(tmp_path: Path) -> None:
    """The first note is on file with the next write, the following ones wait, and none is lost at the end."""
    noted = Ledger(tmp_path)
    for _ in range(5):
        noted.note("unknown PDU", HOST)
        noted.write()
    file = tmp_path / ledger.LEDGER_NAME
    assert len(file.read_bytes().splitlines()) == 1
    noted.write(is_last=True)
    lines = file.read_bytes().splitlines()
    assert len(lines) == 2
    assert b'"count": 4' in lines[1]


def test_an_attack_from_everywhere_is_bounded(tmp_path: Path, journal: Journal) -> None:
    """Beyond so many addresses they are not told apart: neither memory nor database grows with them."""
    noted = Ledger(tmp_path / "security")
    for number in range(10_000):
        noted.note("unknown PDU", f"2001:db8::{number:x}")
    noted.write()
    events = folded(tmp_path / "security", journal)
    assert len(events) == ledger.MOST_ADDRESSES + 1
    assert sum(event.count for event in events) == 10_000


def test_the_file_is_bounded_while_nobody_takes_it_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the work role away the file grows to its cap, and what comes then is counted on."""
    monkeypatch.setattr(ledger, "MOST_BYTES", 1000)
    noted = Ledger(tmp_path)
    for number in range(200):
        noted.note("unknown PDU", f"10.1.1.{number}")
        noted.write(is_last=True)
    assert (tmp_path / ledger.LEDGER_NAME).stat().st_size < 1300
    assert len(noted._noted) > 150


def test_only_a_title_that_is_fit_is_told(tmp_path: Path, journal: Journal) -> None:
    """A calling AE title of plain characters is kept while it stays the same; names, markup and escapes never."""
    noted = Ledger(tmp_path / "security")
    for what, title in (("a", "CT_1"), ("b", "DOE^JOHN"), ("c", "\x1b[31m"), ("d", "<b>"), ("e", "ONE"), ("e", "TWO")):
        noted.note(what, HOST, title)
    noted.write()
    titles = {event.what: event.calling_ae for event in folded(tmp_path / "security", journal)}
    assert titles == {"a": "CT_1", "b": None, "c": None, "d": None, "e": None}


def test_a_line_cut_short_is_left_out(tmp_path: Path, journal: Journal) -> None:
    """After a kill in the middle of a line the others are folded."""
    noted = Ledger(tmp_path / "security")
    noted.note("unknown PDU", HOST)
    noted.write()
    with (tmp_path / "security" / ledger.LEDGER_NAME).open("ab") as file:
        file.write(b'{"what": "malfor')
    assert [event.what for event in folded(tmp_path / "security", journal)] == ["unknown PDU"]


def test_an_event_ends_after_an_hour() -> None:
    """What goes on for longer is told again."""
    first = datetime(2024, 1, 1, tzinfo=UTC)
    event = SecurityEvent("a", HOST, first, first)
    soon, late = (
        SecurityEvent("a", HOST, at, at) for at in (first + timedelta(minutes=59), first + timedelta(hours=1))
    )
    assert event.continued_by(soon)
    assert not event.continued_by(late)


def test_a_disk_that_takes_nothing_costs_no_event(tmp_path: Path) -> None:
    """What cannot be written is counted on, and on file once there is room."""
    (tmp_path / "security").write_bytes(b"")  # a file where the folder should be
    noted = Ledger(tmp_path / "security")
    noted.note("unknown PDU", HOST)
    noted.write()
    (tmp_path / "security").unlink()
    noted.note("unknown PDU", HOST)
    noted.write()
    assert b'"count": 2' in (tmp_path / "security" / ledger.LEDGER_NAME).read_bytes()
