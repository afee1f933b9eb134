"""Deliveries into a folder: complete files, whole or not at all, under safe names."""

from pathlib import Path

import pydicom
import pytest

from archive import Identity
from router.delivery import DestinationError, Kind, Outcome, Shipment
from router.folder import FolderSender
from router.folder.writer import safe_name
from tests.support.data import data_files
from tests.support.elements import explicit
from tests.support.part10 import read_part10
from tests.support.rules import EXPLICIT_LITTLE_ENDIAN, data_set, encoded

CONTENT = encoded(data_set(SOPInstanceUID="1.2.3.4", PatientID="1", StudyInstanceUID="1.2", SeriesInstanceUID="1.2.3"))
IDENTITY = Identity("1.2.840.10008.5.1.4.1.1.2", "1.2.3.4", EXPLICIT_LITTLE_ENDIAN)


def shipment(path: Path, *, prefix: bytes | None = None, resume: int = 0) -> Shipment:
    """A shipment of the data set at byte 10 of the file."""
    size = len(CONTENT) if prefix is None else len(prefix) + len(CONTENT) - resume
    return Shipment(1, IDENTITY, prefix, resume, path, 10, size, None)


def sent(sender: FolderSender, *shipments: Shipment) -> list[tuple[Shipment, Outcome]]:
    """What became of each."""
    return list(sender.send([each.identity for each in shipments], iter(shipments)))


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """A file of the archive: ten bytes and a data set."""
    path = tmp_path / "kept.dcm"
    path.write_bytes(bytes(10) + CONTENT)
    return path


def test_a_file_any_reader_understands_with_the_same_bytes(kept: Path, tmp_path: Path) -> None:
    """What is written is a Part 10 file whose data set is the archive's, byte for byte."""
    [(_, outcome)] = sent(FolderSender(tmp_path / "out"), shipment(kept))
    assert outcome.kind is Kind.DELIVERED
    written = tmp_path / "out" / "1.2" / "1.2.3" / "1.2.3.4.dcm"
    read = pydicom.dcmread(written)
    assert (read.PatientID, read.file_meta.TransferSyntaxUID) == ("1", EXPLICIT_LITTLE_ENDIAN)
    part10 = read_part10(written)
    assert part10
    assert part10.data_set == CONTENT
    assert (written.stat().st_mode & 0o777, written.parent.stat().st_mode & 0o777) == (0o640, 0o750)
    assert [path.name for path in written.parent.iterdir()] == ["1.2.3.4.dcm"]


def test_an_edited_header_and_the_untouched_rest(kept: Path, tmp_path: Path) -> None:
    """A prefix takes the place of the first bytes, and its UIDs are those of the folders."""
    prefix = encoded(data_set(SOPInstanceUID="1.2.3.4", PatientID="1", StudyInstanceUID="1.9"))
    resume = CONTENT.index(explicit(0x0020000E, "UI", b"1.2.3\0"))
    sent(FolderSender(tmp_path / "out"), shipment(kept, prefix=prefix, resume=resume))
    [written] = (tmp_path / "out").rglob("*.dcm")
    assert written.parent == tmp_path / "out" / "1.9" / "1.2.3"
    assert written.read_bytes().endswith(prefix + CONTENT[resume:])


def test_the_same_again_is_delivered_and_something_else_is_parked(kept: Path, tmp_path: Path) -> None:
    """A repeated delivery changes nothing; other content never replaces a file that is there."""
    sender = FolderSender(tmp_path / "out")
    sent(sender, shipment(kept))
    [written] = (tmp_path / "out").rglob("*.dcm")
    before = written.stat()
    [(_, again)] = sent(sender, shipment(kept))
    assert again.kind is Kind.DELIVERED
    assert written.stat().st_mtime_ns == before.st_mtime_ns
    [(_, other)] = sent(sender, shipment(kept, prefix=CONTENT.replace(b"1.2.3.4", b"1.2.3.5"), resume=len(CONTENT)))
    assert other.kind is Kind.PARKED
    assert written.stat().st_mtime_ns == before.st_mtime_ns


@pytest.mark.parametrize(
    "uid", ["../../x", "/etc/passwd", "..", ".", "", "1..2", "1.2.", "1" * 65, "1.2\n", "１.2", "a", "C:"]
)
def test_what_is_no_uid_becomes_a_hash(kept: Path, tmp_path: Path, uid: str) -> None:
    """Nothing received becomes part of a path unless it is digits and dots in the form of a UID."""
    assert len(safe_name(uid)) == 32
    assert safe_name(uid).isalnum()
    elements = explicit(0x00080018, "UI", b"1.2.3.4\0") + explicit(0x0020000D, "UI", uid.encode())
    [(_, outcome)] = sent(FolderSender(tmp_path / "out"), shipment(kept, prefix=elements, resume=len(CONTENT)))
    assert outcome.kind is Kind.DELIVERED
    assert {path.name for path in tmp_path.iterdir()} == {"kept.dcm", "out"}


def test_a_missing_or_short_file_of_ours_is_that_instances_trouble(kept: Path, tmp_path: Path) -> None:
    """Where the archive's file cannot be read in full nothing is left behind, and the next one is delivered."""
    gone = shipment(tmp_path / "gone.dcm")
    short = tmp_path / "short.dcm"
    short.write_bytes(kept.read_bytes()[:-2])
    outcomes = [o.kind for _, o in sent(FolderSender(tmp_path / "out"), gone, shipment(short), shipment(kept))]
    assert outcomes == [Kind.LATER, Kind.LATER, Kind.DELIVERED]
    assert len([path for path in (tmp_path / "out").rglob("*") if path.is_file()]) == 1


def test_a_folder_that_cannot_be_written_is_the_destinations_trouble(kept: Path, tmp_path: Path) -> None:
    """It is tried later as a whole, and no instance is counted."""
    (tmp_path / "out").write_bytes(b"a file where the folder should be")
    with pytest.raises(DestinationError) as caught:
        sent(FolderSender(tmp_path / "out"), shipment(kept))
    assert caught.value.outcome.kind is Kind.LATER


def test_a_header_that_cannot_be_read_holds_its_delivery(kept: Path, tmp_path: Path) -> None:
    """Without UIDs it has no place in the folder; the next one is delivered."""
    broken = shipment(kept, prefix=b"\x08\0\x18\0??" + bytes(20), resume=len(CONTENT))
    outcomes = [o.kind for _, o in sent(FolderSender(tmp_path / "out"), broken, shipment(kept))]
    assert outcomes == [Kind.HELD, Kind.DELIVERED]


@pytest.mark.parametrize("path", data_files("transfer-syntaxes"), ids=lambda path: path.name)
def test_every_transfer_syntax_goes_through_unchanged(path: Path, tmp_path: Path) -> None:
    """Whatever the encoding, the written data set is the one read."""
    original = read_part10(path)
    if original is None:
        pytest.skip("no file meta information")
    identity = Identity(original.sop_class_uid, original.sop_instance_uid, original.transfer_syntax_uid)
    whole = Shipment(1, identity, None, 0, path, original.offset, len(original.data_set), None)
    [(_, outcome)] = sent(FolderSender(tmp_path), whole)
    written = read_part10(next(tmp_path.rglob("*.dcm")))
    assert outcome.kind is Kind.DELIVERED
    assert written
    assert written.data_set == original.data_set
    assert written.transfer_syntax_uid == original.transfer_syntax_uid


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="needs a file whose first bytes cannot be read")
def test_an_error_of_the_archives_disk_is_no_fault_of_the_folder(kept: Path, tmp_path: Path) -> None:
    """Between two good files one with an I/O error is tried later; the folder is not taken for failed."""
    bad = shipment(Path("/proc/self/mem"))._replace(digest="0" * 64)
    other = shipment(kept, prefix=CONTENT.replace(b"1.2.3\0", b"1.2.9\0"), resume=len(CONTENT))
    outcomes = [outcome for _, outcome in sent(FolderSender(tmp_path / "out"), shipment(kept), bad, other)]
    assert [outcome.kind for outcome in outcomes] == [Kind.DELIVERED, Kind.LATER, Kind.DELIVERED]
    assert outcomes[1].is_ours
    assert len([path for path in (tmp_path / "out").rglob("*") if path.is_file()]) == 2


def test_the_instance_a_folder_fails_on_is_counted(kept: Path, tmp_path: Path) -> None:
    """Before the folder is taken for failed its instance gets an attempt, so that it is not the probe for ever."""
    (tmp_path / "out").write_bytes(b"in the way")
    answers = FolderSender(tmp_path / "out").send([IDENTITY], iter([shipment(kept)]))
    _, outcome = next(answers)
    assert outcome.kind is Kind.LATER
    with pytest.raises(DestinationError):
        next(answers)
