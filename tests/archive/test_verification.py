"""Verification: every kept file is read and compared; what is damaged goes into quarantine; strangers are told."""

import errno
import os
import random
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from archive import (
    Archive,
    Entry,
    Fault,
    Filing,
    Finding,
    Hold,
    InstanceKey,
    Kept,
    Placed,
    Spool,
    verification,
)
from archive.errors import VerificationStoppedError
from archive.orphans import YOUNG_SECONDS
from archive.part10 import read_head
from archive.spool import Backlog
from tests.support.arrivals import LARGE, filed, overwrite, sealed
from tests.support.extent import extent
from tests.support.figures import figure
from tests.support.plans import scans

COUNT, FLIPPED, SEED = extent(1000, 2000), extent(40, 1000), 20261126
NOTHING = Backlog(0, None)
FIRST_HEAD = (  # as version 0.1.0 wrote it, after the preamble
    b"DICM\x02\x00\x00\x00UL\x04\x00H\x02\x00\x00\x02\x00\x01\x00OB\x00\x00\x02\x00\x00\x00\x00\x01"
    b"\x02\x00\x02\x00UI\x1a\x001.2.840.10008.5.1.4.1.1.2\x00\x02\x00\x03\x00UI\x06\x001.2.3\x00"
    b"\x02\x00\x10\x00UI\x12\x001.2.840.10008.1.2\x00\x02\x00\x12\x00UI,\x002.25.204337159806712409651823507614290683351"
    b"\x02\x00\x13\x00SH\x0c\x00MICROPACS_01\x02\x00\x00\x01UI,\x002.25.113952870446391705268194407325681930842"
    b'\x02\x00\x02\x01OB\x00\x00h\x01\x00\x00{"arrival": "000660e442d103dac502aae9", '
    b'"digest": "84d89877f0d4041efb6bf91a16f0248f2fd573e6af05c19f96bedb9f882f7882", "size": 10, '
    b'"received_digest": "84d89877f0d4041efb6bf91a16f0248f2fd573e6af05c19f96bedb9f882f7882", "source": "scanner", '
    b'"calling_ae": "GE_DSTE", "called_ae": "MICROPACS", "host": "10.1.1.11", '
    b'"received_at": "2026-11-22T10:30:00.123456+00:00"}'
)


def everything(archive: Archive) -> list[Kept]:
    """Every instance, in small batches."""
    kept: list[Kept] = []
    while batch := archive.instances_after(kept[-1].row if kept else 0, 300):
        kept += batch
    return kept


def verified(archive: Archive) -> dict[str, Finding]:
    """What is found of all instances, by file; it goes into quarantine, and what is whole again comes out."""
    every = everything(archive)
    found = {kept.file: finding for kept in every if (finding := archive.examine(kept))}
    with archive.database.begin() as connection:
        archive.quarantine(connection, list(found.values()))
        archive.lift(connection, [kept for kept in every if kept.damage and kept.file not in found])
    return found


def orphans(archive: Archive, waiting: Backlog = NOTHING) -> list[str]:
    """The files the index does not know."""
    return [file for file, is_orphan in archive.files(lambda: waiting) if is_orphan]


def aged(path: Path) -> None:
    """As if it had been written some time ago."""
    then = time.time() - 2 * YOUNG_SECONDS
    os.utime(path, (then, then))


def flip(path: Path, position: int, pattern: int = 0x01) -> None:
    """Change one byte; the same again undoes it."""
    overwrite(path, position, bytes([path.read_bytes()[position] ^ pattern]))


def keep(archive: Archive, spool: Spool, count: int, size: int = 200) -> list[Kept]:
    """File so many instances of ten studies, some of them edited."""
    chance = random.Random(SEED)
    entries = [sealed(spool, chance.randbytes(size + number % 7), f"1.2.{number}") for number in range(count)]
    for start in range(0, count, 100):
        some = entries[start : start + 100]
        edited: dict[str, Any] = {"prefix": b"edited", "resume": 40} if start % 200 else {}
        filed(archive, some, [{"StudyInstanceUID": f"1.9.{number % 10}"} for number in range(len(some))], **edited)
    spool.remove([entry.arrival for entry in entries])
    return everything(archive)


def test_exactly_what_is_damaged_is_found(archive: Archive, spool: Spool) -> None:
    """Of 1,000 instances 40 with one byte flipped anywhere, one deleted and one file too many are found, and no other.

    In the long form 1,000 of 2,000 are flipped. With their bytes put back they are whole, and out of quarantine.
    """
    kept = keep(archive, spool, COUNT)
    assert (verified(archive), orphans(archive)) == ({}, [])
    chance = random.Random(SEED)
    *flipped, gone = chance.sample(kept, FLIPPED + 1)
    positions = {}
    for number, each in enumerate(flipped):
        offset, size = each.data_set_offset or 0, each.bytes
        end = offset + size
        place = (chance.randrange(offset), offset, end - 1, chance.randrange(end))[number % 4]
        positions[each.file] = place, chance.randrange(1, 256)
        flip(archive.folder / each.file, *positions[each.file])
    away = (archive.folder / gone.file).rename(archive.folder / "away")
    stranger = (archive.folder / kept[0].file).with_name(f"{'0' * 24}.dcm")
    stranger.write_bytes(b"")
    aged(stranger)

    found = verified(archive)
    figure(f"{len(found.keys() & positions.keys())} of n = {FLIPPED} flipped bytes found among {COUNT} instances")
    assert {file: finding.fault for file, finding in found.items()} == {
        **dict.fromkeys(positions, Fault.CHANGED),
        gone.file: Fault.MISSING,
    }
    assert orphans(archive) == [stranger.relative_to(archive.folder).as_posix()]
    stored = archive.stored([each.row for each in kept])
    assert {each.row for each in kept if stored[each.row].damage} == {each.row for each in [*flipped, gone]}
    assert len(archive.find("instance", {})) == COUNT, "what is damaged is listed as before"

    for file, (position, pattern) in positions.items():
        flip(archive.folder / file, position, pattern)
    away.rename(archive.folder / gone.file)
    assert verified(archive) == {}
    assert not any(each.damage for each in archive.stored([each.row for each in kept]).values())


@pytest.mark.parametrize("edited", [False, True])
def test_no_byte_of_a_file_can_change_unnoticed(embedded: Archive, spool: Spool, edited: bool) -> None:
    """Each byte of a file, of its head as of its data set, is flipped, and each time that is found."""
    how: dict[str, Any] = {"prefix": b"edited", "resume": 4} if edited else {}
    filed(embedded, [sealed(spool, b"0123456789", "1.2.3")], [{}], **how)
    [kept] = everything(embedded)
    path = embedded.folder / kept.file
    unnoticed = []
    for position in range(path.stat().st_size):
        for pattern in (0x01, 0x20, 0x29, 0x80):
            flip(path, position, pattern)
            if embedded.examine(kept) is None:
                unnoticed.append((position, pattern))
            flip(path, position, pattern)
    assert unnoticed == []
    assert embedded.examine(kept) is None


def test_an_instance_with_a_file_of_its_own_is_verified_too(embedded: Archive, spool: Spool) -> None:
    """A large instance, whose file is the spool's own, is whole, and not when a byte deep inside is flipped."""
    filed(embedded, [sealed(spool, bytes(LARGE), "1.2.3")], [{}])
    [kept] = everything(embedded)
    assert embedded.examine(kept) is None
    flip(embedded.folder / kept.file, LARGE // 2)
    finding = embedded.examine(kept)
    assert finding
    assert finding.fault is Fault.CHANGED


def test_a_file_that_is_shorter_or_longer_has_the_wrong_length(embedded: Archive, spool: Spool) -> None:
    """One byte less, one byte more and nothing at all."""
    [kept] = keep(embedded, spool, 1)
    path = embedded.folder / kept.file
    whole = path.read_bytes()
    for content in (whole[:-1], whole + b"\0", b""):
        path.write_bytes(content)
        finding = embedded.examine(kept)
        assert finding
        assert finding.fault is Fault.LENGTH


@pytest.mark.parametrize(
    ("code", "fault"), [(errno.EIO, Fault.UNREADABLE), (errno.EACCES, Fault.NOT_VERIFIED), (errno.EMFILE, None)]
)
def test_what_the_disk_says_is_told_from_what_is_our_own(
    embedded: Archive, spool: Spool, monkeypatch: pytest.MonkeyPatch, code: int, fault: Fault | None
) -> None:
    """EIO is damage; a file we may not read is not, and goes into no quarantine; short of means nothing is said."""
    [kept] = keep(embedded, spool, 1)

    def failing(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(verification, "FileIO", failing)
    if fault is None:
        with pytest.raises(OSError, match=os.strerror(code)):
            embedded.examine(kept)
        return
    [finding] = verified(embedded).values()
    assert finding.fault is fault
    assert (embedded.stored([kept.row])[kept.row].damage is not None) == (fault is Fault.UNREADABLE)


def test_a_verification_that_is_told_to_stop_stops_within_a_file(embedded: Archive, spool: Spool) -> None:
    """Also a file of gigabytes keeps nobody waiting who wants to stop."""
    filed(embedded, [sealed(spool, bytes(LARGE), "1.2.3")], [{}])
    [kept] = everything(embedded)
    with pytest.raises(VerificationStoppedError):
        embedded.examine(kept, lambda: True)


def test_a_file_on_its_way_into_the_index_is_no_orphan(embedded: Archive, spool: Spool) -> None:
    """A young file is none, nor one whose arrival waits in the spool still; once both are over it is."""
    entry = sealed(spool, b"content", received_at=datetime.now(UTC))
    filing_only = [embedded.folder / each.file for each in _placed(embedded, entry)]
    assert orphans(embedded) == []
    aged(filing_only[0])
    assert orphans(embedded, Backlog(1, entry.origin.received_at)) == []
    assert orphans(embedded, Backlog(1, None)) == []
    assert len(orphans(embedded)) == 1


def _placed(archive: Archive, entry: Entry) -> list[Placed]:
    return archive.place([Filing(entry, InstanceKey("1.2.1", "1.2.1.1", "1.2.3.4"))])


def test_what_waits_in_hold_is_verified_and_not_filed_when_damaged(archive: Archive, spool: Spool) -> None:
    """A flipped byte in a held file is found; released, it goes back to hold and says why, until it is whole again."""
    entries = [sealed(spool, b"0123456789", f"1.2.{number}") for number in range(2)]
    archive.place_held(entries)
    with archive.database.begin() as connection:
        archive.hold(connection, [Hold(each, "why", "a rule", "rev1", "held", {}) for each in entries])
    assert [archive.examine(kept) for kept in archive.held_after(0, 10)] == [None, None]
    [damaged, _] = archive.held()
    flip(damaged.path, damaged.path.stat().st_size - 1)
    findings = [found for kept in archive.held_after(0, 10) if (found := archive.examine(kept))]
    assert [(each.kept.arrival, each.fault) for each in findings] == [(entries[0].arrival, Fault.CHANGED)]
    for entry in entries:
        archive.release(entry.arrival, "me", {})
    assert [entry.arrival for entry, *_ in archive.released()] == [entries[1].arrival]
    assert [each.reason[:24] for each in archive.held()] == ["the kept file is damaged"]
    flip(damaged.path, damaged.path.stat().st_size - 1)
    archive.release(entries[0].arrival, "me", {})
    assert len(archive.released()) == 2


def test_a_held_instance_that_was_filed_meanwhile_is_not_missing(embedded: Archive, spool: Spool) -> None:
    """Its row was read, then it was filed and its file removed: nothing is wrong."""
    entry = sealed(spool, b"0123456789", "1.2.3")
    embedded.place_held([entry])
    with embedded.database.begin() as connection:
        embedded.hold(connection, [Hold(entry, "why", None, "rev1", "held", {})])
    [kept] = embedded.held_after(0, 10)
    embedded.release(entry.arrival, "me", {})
    with embedded.database.begin() as connection:
        embedded.settle_released(connection, [entry.arrival])
    embedded.remove_held_files([entry.arrival])
    assert embedded.examine(kept) is None


def test_a_sample_is_so_many_different_instances(archive: Archive, spool: Spool) -> None:
    """As many as are asked for, none twice; all of them if there are no more."""
    keep(archive, spool, 30)
    for count, expected in ((1, 1), (12, 12), (30, 30), (1000, 30)):
        drawn = [kept.row for batch in archive.sample(count) for kept in batch]
        assert len(drawn) == len(set(drawn)) == expected


def test_no_statement_of_verifying_reads_a_table_through(embedded: Archive, spool: Spool) -> None:
    """A batch is found, entered and lifted by index only, however much is kept."""
    kept = keep(embedded, spool, 5)
    flip(embedded.folder / kept[0].file, 5)
    with scans(embedded.database) as scanned:
        batch = embedded.instances_after(2, 3)
        found = [Finding(each, Fault.CHANGED, "why") for each in batch]
        with embedded.database.begin() as connection:
            embedded.quarantine(connection, found)
            embedded.lift(connection, batch)
        embedded.held_after(0, 10)
        embedded.newest()
        list(embedded.sample(3))
        embedded.stored([each.row for each in kept])
    assert scanned == []


def test_a_head_that_an_earlier_version_wrote_is_whole(tmp_path: Path) -> None:
    """What is written into heads may change only so that files which were kept before are not taken for damaged."""
    path = tmp_path / "old.dcm"
    path.write_bytes(bytes(128) + FIRST_HEAD + b"0123456789")
    assert verification._altered(path, read_head(path), lambda: False) is None
