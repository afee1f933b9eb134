"""The DICOM sender by itself: silence, conversion of real data, contexts."""

import hashlib
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filereader import read_dataset
from xxhash import xxh3_64, xxh3_128

from archive import Identity
from router.delivery import DestinationError, Kind, Shipment
from router.delivery.contents import EXPLICIT_LITTLE_ENDIAN, IMPLICIT_LITTLE_ENDIAN, as_implicit
from router.delivery.outcomes import DAMAGED
from router.dimse import Limits, Peer
from router.senders.dicom import DicomSender, contexts_for
from router.senders.summing import DIGESTED_BYTES
from rules import RulesError
from tests.support.data import data_files
from tests.support.departures import CT
from tests.support.part10 import Part10, read_part10
from tests.support.rules import data_set, encoded
from tests.support.scripted import Script, scripted

CONTENT = encoded(data_set(SOPClassUID=CT, SOPInstanceUID="1.2.3.4", PatientID="1"))
EXPLICIT_FILES = [
    found
    for path in data_files("transfer-syntaxes", "modalities", "charsets")
    if (found := read_part10(path)) and found.transfer_syntax_uid == EXPLICIT_LITTLE_ENDIAN
]


def shipment(folder: Path, number: int, syntax: str = EXPLICIT_LITTLE_ENDIAN) -> Shipment:
    """A small instance on disk."""
    path = folder / f"{number}.dcm"
    path.write_bytes(CONTENT)
    identity = Identity(CT, f"1.2.3.{number}", syntax)
    return Shipment(number, identity, None, 0, path, 0, len(CONTENT), None)


def identities(shipments: Sequence[Shipment]) -> list[Identity]:
    """Whose they are."""
    return [each.identity for each in shipments]


def test_a_silent_peer_is_given_up_in_time(tmp_path: Path) -> None:
    """No answer: the instance in flight is to be tried later, the destination has failed, the rest is untried."""
    answered = threading.Event()

    def answer(number: int) -> int:
        if number > 1:
            answered.wait(5)
        return 0

    script = Script(answer=answer)
    with scripted(script, [CT]) as port:
        sender = DicomSender(Peer("PACS", "127.0.0.1", port), "MICROPACS", Limits(response_seconds=0.5))
        started = time.monotonic()
        shipments = [shipment(tmp_path, number) for number in range(5)]
        answers = sender.send(identities(shipments), iter(shipments))
        assert [next(answers)[1].kind for _ in range(2)] == [Kind.DELIVERED, Kind.LATER]
        with pytest.raises(DestinationError) as caught:
            next(answers)
        answered.set()
    assert time.monotonic() - started < 3
    assert caught.value.outcome.kind is Kind.LATER


def test_a_file_that_cannot_be_read_does_not_stop_the_others(tmp_path: Path) -> None:
    """It is tried later; the ones after it are delivered."""
    script = Script()
    shipments = [shipment(tmp_path, number) for number in range(3)]
    shipments[0].path.unlink()
    shipments[1].path.write_bytes(CONTENT[:-8])
    with scripted(script, [CT]) as port:
        sender = DicomSender(Peer("PACS", "127.0.0.1", port), "MICROPACS")
        kinds = [outcome.kind for _, outcome in sender.send(identities(shipments), iter(shipments))]
        sender.close()
    assert kinds == [Kind.LATER, Kind.LATER, Kind.DELIVERED]
    assert list(script.stored) == ["1.2.3.2"]


def test_one_shipment_is_asked_for_ahead(tmp_path: Path) -> None:
    """While the n-th is with the peer no more than the one after it has been made."""
    shipments = [shipment(tmp_path, number) for number in range(6)]
    asked = 0
    asked_at: list[int] = []

    def made() -> Iterator[Shipment]:
        nonlocal asked
        for each in shipments:
            asked += 1
            yield each

    def answer(_: int) -> int:
        time.sleep(0.05)
        asked_at.append(asked)
        return 0

    with scripted(Script(answer=answer), [CT]) as port:
        sender = DicomSender(Peer("PACS", "127.0.0.1", port), "MICROPACS")
        assert len(list(sender.send(identities(shipments), made()))) == 6
        sender.close()
    assert asked_at == [2, 3, 4, 5, 6, 6]


@pytest.mark.parametrize("pixels", [1_300_001, 9_001])
def test_the_sum_is_of_what_was_sent(tmp_path: Path, pixels: int) -> None:
    """Of an edited header and a file, longer than one window or not, it is made on the way, padding not counted."""
    script = Script()
    path = tmp_path / "long.dcm"
    header = b"\xe0\x7f\x10\x00OW\0\0" + pixels.to_bytes(4, "little")
    path.write_bytes(CONTENT + header + (bytes(range(256)) * 5079)[:pixels])
    prefix = encoded(data_set(SOPClassUID=CT, SOPInstanceUID="1.2.3.4", PatientID="other"))
    identity = Identity(CT, "1.2.3.4", EXPLICIT_LITTLE_ENDIAN)
    size = len(prefix) + path.stat().st_size - len(CONTENT)
    edited = Shipment(1, identity, prefix, len(CONTENT), path, 0, size, None)
    with scripted(script, [CT]) as port:
        sender = DicomSender(Peer("PACS", "127.0.0.1", port), "MICROPACS")
        [(sent, outcome)] = sender.send([identity], iter([edited]))
        sender.close()
    assert outcome.kind is Kind.DELIVERED
    assert size % 2
    arrived = script.stored["1.2.3.4"][:size]
    if pixels > DIGESTED_BYTES:
        assert (sent.digest, sent.check) == (None, xxh3_128(arrived).hexdigest())
    else:
        assert (sent.digest, sent.check) == (hashlib.sha256(arrived).hexdigest(), None)
    assert sent.size == size


@pytest.mark.parametrize("at_hand", [None, 0, 100, 9_000, 9_500])
@pytest.mark.parametrize("left_out", [0, 400])
@pytest.mark.parametrize("is_damaged", [False, True])
def test_what_the_edits_have_read_is_not_read_again(
    tmp_path: Path, at_hand: int | None, left_out: int, *, is_damaged: bool
) -> None:
    """Edits have read only what they replace, or more, or all of it: the same leaves, and is compared all the same."""
    script, path = Script(), tmp_path / "kept.dcm"
    pixels = bytes(range(250)) * 36
    kept = CONTENT + pixels
    path.write_bytes(kept)
    prefix = encoded(data_set(SOPClassUID=CT, SOPInstanceUID="1.2.3.4", PatientID="other"))
    identity = Identity(CT, "1.2.3.4", EXPLICIT_LITTLE_ENDIAN)
    start = None if at_hand is None else kept[: len(CONTENT) + at_hand]
    known = xxh3_64(kept[:-1] if is_damaged else kept).hexdigest()
    size = len(prefix) + len(pixels) - left_out
    edited = Shipment(
        *(1, identity, prefix, len(CONTENT), path, 0, size, None),
        kept_digest=hashlib.sha256(kept).hexdigest(),
        kept_checksum=known,
        left_out=left_out,
        start=start,
    )
    if at_hand is not None and at_hand >= len(pixels) and not left_out:
        path.unlink()  # all of it is at hand
    with scripted(script, [CT]) as port:
        sender = DicomSender(Peer("PACS", "127.0.0.1", port), "MICROPACS")
        [(_, outcome)] = sender.send([identity], iter([edited]))
        sender.close()
    if is_damaged:
        assert outcome is DAMAGED
        assert not script.stored
    else:
        assert outcome.kind is Kind.DELIVERED
        assert script.stored["1.2.3.4"] == (prefix + pixels)[:size]


PIXEL_DATA = 0x7FE00010


def test_what_is_proposed(tmp_path: Path) -> None:
    """Each SOP class in the syntax it is kept in, and in implicit where we could write that."""
    jpeg = "1.2.840.10008.1.2.4.70"
    shipments = [shipment(tmp_path, 1), shipment(tmp_path, 2), shipment(tmp_path, 3, jpeg)]
    assert contexts_for(identities(shipments)) == [
        (CT, EXPLICIT_LITTLE_ENDIAN),
        (CT, jpeg),
        (CT, IMPLICIT_LITTLE_ENDIAN),
    ]


def test_more_than_one_association_can_propose() -> None:
    """What copies leave in comes first; where that is much, some of it is not proposed in implicit as well."""
    many = [Identity(f"1.2.{number}", "1.2.3", EXPLICIT_LITTLE_ENDIAN) for number in range(100)]
    proposed = contexts_for(many)
    assert len(proposed) == 128
    assert proposed[:100] == [(each.sop_class_uid, EXPLICIT_LITTLE_ENDIAN) for each in many]


@pytest.mark.parametrize("original", EXPLICIT_FILES, ids=lambda original: original.path.name)
def test_real_data_in_implicit_says_the_same(original: Part10) -> None:
    """Every uncompressed explicit file of the data reads the same after re-encoding, or is refused for a reason."""
    identity = Identity(original.sop_class_uid, original.sop_instance_uid, original.transfer_syntax_uid)
    size = len(original.data_set)
    whole = Shipment(1, identity, None, 0, original.path, original.offset, size, None)
    if list(_read(original.data_set, implicit=False).keys())[-1] > PIXEL_DATA:
        with pytest.raises(RulesError, match="something follows the pixel data"):
            as_implicit(whole)
        return
    sent = as_implicit(whole)
    rest = original.path.read_bytes()[sent.data_set_offset + sent.resume :]
    content = (sent.prefix or b"") + rest
    assert len(content) == sent.size
    _assert_same(_read(content, implicit=True), _read(original.data_set, implicit=False))


def _assert_same(implicit: Dataset, explicit: Dataset) -> None:
    """The same attributes with the same values; group lengths, and VRs not carried, may be others."""
    assert implicit.keys() == explicit.keys()
    for one, other in zip(implicit, explicit, strict=True):
        if one.VR == other.VR == "SQ":
            for item, original in zip(one.value, other.value, strict=True):
                _assert_same(item, original)
        elif one.tag.element and (one.VR == other.VR or isinstance(other.value, bytes)):
            assert one.value == other.value


def _read(content: bytes, *, implicit: bool) -> Dataset:
    return read_dataset(DicomBytesIO(content), implicit, True)
