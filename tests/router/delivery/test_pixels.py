"""Deliveries whose routes ask for something to be done with the pixels, from the archive to the peer."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset

from archive import Filing, Identity, InstanceKey, Origin, Record, Spool
from router.delivery import State
from tests.support.dcmtk import needs_dcmtk, storescp
from tests.support.departures import Departures, Kept
from tests.support.pictures import BIG_ENDIAN, EXPLICIT, IMPLICIT, Kind, picture, written

SC = "1.2.840.10008.5.1.4.1.1.7"
RLE = "1.2.840.10008.1.2.5"
BLANK = "blank_pixels: {regions: [[0, 0, 600, 2]]}"
KIND = Kind(32, 40)


def keep(departures: Departures, pictures: Sequence[tuple[Dataset, str]]) -> list[Kept]:
    """File these, each in its transfer syntax."""
    spool = Spool(departures.folder / "spool")
    filings, contents = [], []
    for made, syntax in pictures:
        contents.append(written(made, syntax))
        origin = Origin("scanner", "US1", "MICROPACS", "10.1.1.11", datetime.now(UTC))
        with spool.open(Identity(SC, made.SOPInstanceUID, syntax), origin) as incoming:
            incoming.write(contents[-1])
            entry = spool.read(incoming.seal())
        filings.append(Filing(entry, InstanceKey("1.2", "1.2.3", made.SOPInstanceUID)))
    placed = departures.archive.place(filings)
    with departures.database.begin() as connection:
        recorded = departures.archive.record(
            connection, [Record(filing, place, {}) for filing, place in zip(filings, placed, strict=True)]
        )
    spool.close()
    return [
        Kept(filing.key.sop_instance_uid, content, row)
        for filing, content, row in zip(filings, contents, recorded, strict=True)
    ]


def numbered(count: int, **attributes: object) -> list[Dataset]:
    """Pictures of one series."""
    return [picture(KIND, number, SOPInstanceUID=f"1.2.3.{number + 1}", **attributes) for number in range(count)]


def blanked(made: Dataset) -> bytes:
    """The pixels of a picture whose two uppermost rows are black."""
    return bytes(2 * 40 * 2) + made.PixelData[2 * 40 * 2 :]


def site(folder: Path, destination: str, *edits: str) -> Departures:
    """An appliance with one destination and one route."""
    listed = ", ".join(f"{{{edit}}}" for edit in edits)
    yaml = f"destinations: {{out: {destination}}}\nroutes: [{{name: all, edit: [{listed}], to: [out]}}]"
    return Departures(folder / "appliance", yaml)


def sent(departures: Departures, *pictures: tuple[Dataset, str]) -> None:
    """Have these delivered."""
    departures.enqueue(keep(departures, pictures), "out")
    with departures.sending():
        departures.wait_for(State.DELIVERED, State.HELD, State.PARKED, seconds=30)


@needs_dcmtk
def test_rows_are_black_and_names_are_gone_at_the_peer(tmp_path: Path) -> None:
    """Whatever they are kept in, blanked copies arrive in it or, where nothing else is taken, in implicit VR."""
    pictures = numbered(3, BurnedInAnnotation="YES", PatientName="HONG^GIL")
    kinds = list(zip(pictures, (EXPLICIT, IMPLICIT, BIG_ENDIAN), strict=True))
    with storescp(tmp_path / "peer", "+x=") as port:
        departures = site(tmp_path, f"{{ae_title: PACS, host: 127.0.0.1, port: {port}}}", BLANK, "anonymise: basic")
        sent(departures, *kinds)
        assert departures.states() == [State.DELIVERED] * 3, [each.reason for each in departures.listed()]
    arrived = [pydicom.dcmread(path) for path in (tmp_path / "peer").iterdir()]
    assert sorted(str(each.file_meta.TransferSyntaxUID) for each in arrived) == [IMPLICIT, EXPLICIT, BIG_ENDIAN]
    little = [each for each in arrived if each.file_meta.TransferSyntaxUID != BIG_ENDIAN]
    assert sorted(each.PixelData for each in little) == sorted(blanked(each) for each in pictures[:2])
    for each in arrived:
        assert (each.BurnedInAnnotation, each.PatientIdentityRemoved) == ("NO", "YES")
        assert "HONG" not in str(each.PatientName)
        assert "113101" in [item.CodeValue for item in each.DeidentificationMethodCodeSequence]
    departures.close()


@needs_dcmtk
def test_a_peer_that_takes_implicit_only_gets_the_blanked_pixels(tmp_path: Path) -> None:
    """The copy is re-encoded on the way out, and what is in it is what was made, not what is kept."""
    (made,) = numbered(1)
    with storescp(tmp_path / "peer", "+xi") as port:
        departures = site(tmp_path, f"{{ae_title: PACS, host: 127.0.0.1, port: {port}}}", BLANK)
        sent(departures, (made, EXPLICIT))
        assert departures.states() == [State.DELIVERED]
    (arrived,) = [pydicom.dcmread(path) for path in (tmp_path / "peer").iterdir()]
    assert (arrived.file_meta.TransferSyntaxUID, arrived.PixelData) == (IMPLICIT, blanked(made))
    departures.close()


@needs_dcmtk
def test_transcoded_copies_are_proposed_as_they_leave(tmp_path: Path) -> None:
    """A peer that takes RLE is offered RLE for what is kept uncompressed, and gets the same pixels."""
    pytest.importorskip("numpy", reason="the extra codecs is not installed")
    pictures = numbered(2)
    with storescp(tmp_path / "peer", "+xr") as port:
        destination = f"{{ae_title: PACS, host: 127.0.0.1, port: {port}}}"
        departures = site(tmp_path, destination, BLANK, "transcode: rle")
        sent(departures, (pictures[0], EXPLICIT), (pictures[1], BIG_ENDIAN))
        assert departures.states() == [State.DELIVERED] * 2, [each.reason for each in departures.listed()]
    for path in (tmp_path / "peer").iterdir():
        arrived = pydicom.dcmread(path)
        assert arrived.file_meta.TransferSyntaxUID == RLE
        number = int(arrived.SOPInstanceUID.rpartition(".")[2]) - 1
        assert arrived.pixel_array.tobytes() == blanked(pictures[number])
    departures.close()


def test_a_folder_gets_the_same_file_again(tmp_path: Path) -> None:
    """The file is in the transfer syntax asked for, and a second delivery finds it as it would be written."""
    (made,) = numbered(1)
    departures = site(tmp_path, f"{{type: folder, path: {tmp_path / 'out'}}}", BLANK, "transcode: implicit")
    kept = keep(departures, [(made, BIG_ENDIAN)])
    with departures.sending():
        for _ in range(2):
            departures.enqueue(kept, "out")
            departures.wait_for(State.DELIVERED, State.HELD, State.PARKED)
    assert set(departures.states()) == {State.DELIVERED}
    stored = departures.archive.stored([kept[0].recorded.instance_id])[kept[0].recorded.instance_id]
    assert stored.path.read_bytes().endswith(kept[0].data_set)  # the archive's stays as it came
    (path,) = (tmp_path / "out").rglob("*.dcm")
    arrived = pydicom.dcmread(path)
    assert (arrived.file_meta.TransferSyntaxUID, arrived.PixelData) == (IMPLICIT, blanked(made))
    departures.close()


def test_what_cannot_be_blanked_is_held(tmp_path: Path) -> None:
    """A region beside one of two pictures holds that one, with the reason; the other one leaves."""
    small, large = picture(Kind(4, 4), SOPInstanceUID="1.2.3.1"), picture(KIND, SOPInstanceUID="1.2.3.2")
    destination = f"{{type: folder, path: {tmp_path / 'out'}}}"
    departures = site(tmp_path, destination, "blank_pixels: {regions: [[10, 0, 5, 5]]}")
    sent(departures, (small, EXPLICIT), (large, EXPLICIT))
    assert departures.states() == [State.HELD, State.DELIVERED]
    (held,) = [each for each in departures.listed() if each.state is State.HELD]
    assert held.reason == "a region of blank_pixels lies outside the picture: it was made for another one"
    assert [path.name for path in (tmp_path / "out").rglob("*.dcm")] == ["1.2.3.2.dcm"]
    departures.close()


def test_a_damaged_file_is_told_of_and_not_sent(tmp_path: Path) -> None:
    """Whether its pixels cannot be worked on or only one of them has changed: the file is at fault, and none leaves."""
    departures = site(tmp_path, f"{{type: folder, path: {tmp_path / 'out'}}}", BLANK)
    kept = keep(departures, [(made, EXPLICIT) for made in numbered(2)])
    stored = departures.archive.stored([each.recorded.instance_id for each in kept])
    for each, at in zip(kept, (8, 20), strict=True):  # the length of the pixel data, and a pixel that is blanked
        path = stored[each.recorded.instance_id].path
        content = bytearray(path.read_bytes())
        content[content.index(b"\xe0\x7f\x10\x00OW\0\0") + at] ^= 0x40
        path.chmod(0o640)
        path.write_bytes(content)
    departures.enqueue(kept, "out")
    with departures.sending():
        departures.wait_for(State.PARKED, State.HELD, State.DELIVERED)
    assert [(each.state, "damaged" in each.reason) for each in departures.listed()] == [(State.PARKED, True)] * 2
    assert not list((tmp_path / "out").rglob("*.dcm"))
    departures.close()
