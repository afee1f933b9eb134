"""Placing: whole, repeatable, never over another file, and under names of our own making."""

import errno
import hashlib
import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from archive import Archive, ArchiveFailedError, Database, EntryUnreadableError, Filing, InstanceKey, Spool
from archive import files as durable
from archive.entry import read_entry
from archive.part10 import read_head
from tests.support.arrivals import LARGE, data_set, sealed

KEY = InstanceKey("1.2.1", "1.2.1.1", "1.2.3.4")


@pytest.fixture
def keeper(tmp_path: Path) -> Archive:
    """An archive whose database is not asked."""
    return Archive(Database(f"sqlite:///{tmp_path / 'd.db'}"), tmp_path / "archive")


def test_unchanged_large_instance_is_linked(keeper: Archive, spool: Spool) -> None:
    """A large instance that no rule changed is the very file of the spool under a second name, not a copy."""
    content = b"0123456789".ljust(LARGE)
    entry = sealed(spool, content)
    (placed,) = keeper.place([Filing(entry, KEY)])
    kept = keeper.folder / placed.file
    assert kept.samefile(entry.path)
    assert (placed.digest, placed.bytes, placed.data_set_offset) == (entry.digest, LARGE, entry.data_set_offset)
    spool.remove([entry.arrival])
    assert data_set(kept, placed.data_set_offset) == content


def test_unchanged_instance_is_written_out_of_its_segment(keeper: Archive, spool: Spool, tmp_path: Path) -> None:
    """An instance out of a segment is a Part 10 file with all that is known of it, whatever becomes of the segment."""
    entry = sealed(spool, b"0123456789", "1.2.840.99")
    (placed,) = keeper.place([Filing(entry, KEY)])
    spool.remove([entry.arrival])
    (tmp_path / "spool").rename(tmp_path / "gone")
    kept = read_entry(keeper.folder / placed.file)
    assert (kept.arrival, kept.identity, kept.origin) == (entry.arrival, entry.identity, entry.origin)
    assert (kept.digest, kept.size, kept.data_set_offset) == (entry.digest, 10, placed.data_set_offset)
    assert (kept.digest, kept.size) == (placed.digest, placed.bytes)
    assert data_set(kept.path, kept.data_set_offset) == b"0123456789"
    assert read_head(kept.path).stamp.received_digest == entry.digest


def test_changed_instance_is_spliced(keeper: Archive, spool: Spool, sized: Callable[[bytes], bytes]) -> None:
    """A changed instance is the new prefix and the untouched rest; its head tells both digests and the origin."""
    content = sized(os.urandom(3_000_000))
    entry = sealed(spool, content)
    (placed,) = keeper.place([Filing(entry, KEY, b"new header", 1001)])
    kept = keeper.folder / placed.file
    expected = b"new header" + content[1001:]
    assert data_set(kept, placed.data_set_offset) == expected
    assert (placed.digest, placed.bytes) == (hashlib.sha256(expected).hexdigest(), len(expected))
    stamp = read_head(kept).stamp
    assert (stamp.digest, stamp.received_digest, stamp.origin) == (placed.digest, entry.digest, entry.origin)
    assert spool.read(entry.arrival).data_set(0, LARGE) == content


def test_whole_data_set_may_be_new(keeper: Archive, spool: Spool) -> None:
    """A prefix that stands for the whole data set (deflated) leaves nothing of the original; it may be empty."""
    entry = sealed(spool, b"0123456789")
    whole, cut = keeper.place([Filing(entry, KEY, b"everything", 10), Filing(entry, KEY, b"", 4)])
    assert data_set(keeper.folder / whole.file, whole.data_set_offset) == b"everything"
    assert data_set(keeper.folder / cut.file, cut.data_set_offset) == b"456789"


@pytest.mark.parametrize("prefix", [None, b"new"])
def test_placing_again_changes_nothing(
    keeper: Archive, spool: Spool, prefix: bytes | None, sized: Callable[[bytes], bytes]
) -> None:
    """The same filing placed twice, also by a new process, is the same file with the same bytes."""
    filing = Filing(sealed(spool, sized(b"0123456789")), KEY, prefix, 2)
    first = keeper.place([filing, filing])
    again = Archive(keeper.database, keeper.folder).place([filing])
    assert {*first, *again} == {first[0]}
    assert len([path for path in keeper.folder.rglob("*") if path.is_file()]) == 1


def test_a_file_is_never_written_over(keeper: Archive, spool: Spool, sized: Callable[[bytes], bytes]) -> None:
    """If other rules make another content of one arrival, it gets a file of its own; the first stays as it is."""
    content = sized(b"0123456789")
    entry = sealed(spool, content)
    (plain,) = keeper.place([Filing(entry, KEY)])
    (changed,) = keeper.place([Filing(entry, KEY, b"new", 2)])
    (other,) = keeper.place([Filing(entry, KEY, b"other", 2)])
    assert len({plain.file, changed.file, other.file}) == 3
    assert data_set(keeper.folder / plain.file, plain.data_set_offset) == content
    assert data_set(keeper.folder / changed.file, changed.data_set_offset) == b"new" + content[2:]
    assert keeper.place([Filing(entry, KEY), Filing(entry, KEY, b"new", 2)]) == [plain, changed]


@pytest.mark.parametrize("hostile", ["../../x", "/etc/passwd", "a\0b", "\ud800", "", "x" * 5000])
def test_received_values_stay_out_of_paths(keeper: Archive, spool: Spool, hostile: str) -> None:
    """Whatever the UIDs are, the path is two, two and 24 hex digits and the arrival."""
    (placed,) = keeper.place([Filing(sealed(spool, b"12"), InstanceKey(hostile, hostile, hostile))])
    assert re.fullmatch(r"[0-9a-f]{2}/[0-9a-f]{2}/[0-9a-f]{24}/[0-9a-f]{24}\.dcm", placed.file)
    assert (keeper.folder / placed.file).is_file()


def test_a_study_is_one_folder(keeper: Archive, spool: Spool) -> None:
    """Instances of one study lie in one folder, those of another in another."""
    keys = [InstanceKey("1", "1.1", "1"), InstanceKey("1", "1.2", "2"), InstanceKey("2", "1.1", "1")]
    placed = keeper.place([Filing(sealed(spool, b"12"), key) for key in keys])
    first, second, third = (Path(each.file).parent for each in placed)
    assert first == second != third


def test_without_links_the_file_is_copied(keeper: Archive, spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the file system has no links, or spool and archive lie on two disks, the instance is copied whole."""

    def no_link(*_: object) -> None:
        raise OSError(errno.EXDEV, "two disks")

    monkeypatch.setattr(durable.os, "link", no_link)
    entry = sealed(spool, bytes(LARGE))
    filing = Filing(entry, KEY)
    (placed,) = keeper.place([filing])
    assert not (keeper.folder / placed.file).samefile(entry.path)
    assert read_entry(keeper.folder / placed.file).digest == entry.digest == placed.digest
    assert keeper.place([filing]) == [placed]
    (held,) = keeper.place_held([entry])
    assert read_entry(keeper.folder / held).digest == entry.digest


@pytest.mark.parametrize("prefix", [None, b"new"])
def test_entry_that_is_gone_is_an_error(keeper: Archive, spool: Spool, prefix: bytes | None) -> None:
    """An entry whose own file has vanished, or was cut, is not placed."""
    entry = sealed(spool, bytes(LARGE))
    spool.remove([entry.arrival])
    with pytest.raises(EntryUnreadableError):
        keeper.place([Filing(entry, KEY, prefix)])
    entry = sealed(spool, bytes(LARGE))
    os.truncate(entry.path, entry.path.stat().st_size - 1)
    if prefix is not None:
        with pytest.raises(EntryUnreadableError):
            keeper.place([Filing(entry, KEY, prefix)])
    assert [path for path in keeper.folder.rglob("*") if path.is_file()] == []


def test_failure_leaves_no_debris(
    keeper: Archive, spool: Spool, monkeypatch: pytest.MonkeyPatch, sized: Callable[[bytes], bytes]
) -> None:
    """When the disk fails while a batch is synchronised, the error is said and no half-made file stays."""

    def fail(*_: object) -> None:
        raise OSError(errno.EIO, "broken")

    entry = sealed(spool, sized(b"0123456789"))
    monkeypatch.setattr(durable.os, "fdatasync", fail)
    with pytest.raises(ArchiveFailedError):
        keeper.place([Filing(entry, KEY, b"new", 1), Filing(entry, KEY, b"other", 1)])
    if entry.content is not None:
        for place in (lambda: keeper.place([Filing(entry, KEY)]), lambda: keeper.place_held([entry])):
            with pytest.raises(ArchiveFailedError):
                place()
    assert [path for path in keeper.folder.rglob("*") if path.is_file()] == []


def test_sweep_drops_half_made_files(keeper: Archive) -> None:
    """What a killed process was writing goes at start-up."""
    (keeper.folder / "incoming" / "x.part").write_bytes(b"12")
    assert keeper.sweep() == 1
    assert list((keeper.folder / "incoming").iterdir()) == []
