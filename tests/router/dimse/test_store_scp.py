"""Receiving: what is acknowledged lies in the spool to the byte, what is not is refused with the right status."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pydicom import dcmread
from pynetdicom import AE, _config
from pynetdicom.association import Association

from archive import Identity, Incoming, Origin, Spool, SpoolFailedError, SpoolFullError
from router.dimse import Source, Sources
from router.dimse.command import Element, decode, store_request
from router.dimse.pdu import data_pdu
from tests.support.data import data_files, needs_data
from tests.support.dcmtk import dcmsend, echoscu, needs_dcmtk, storescp, storescu
from tests.support.part10 import Part10, read_part10
from tests.support.receiving import CT, IMPLICIT, associated, eventually, read_pdu, receiving

KINDS = ("transfer-syntaxes", "charsets", "modalities", "pet-ct-templates", "malformed")
PARTS = [part for path in data_files(*KINDS) if (part := read_part10(path)) is not None]
WITHOUT_META = [path for path in data_files("malformed") if read_part10(path) is None]
SERIES = data_files("series/ct-ge-discovery-st", "series/pet-ge-discovery-st")[:40]
SUCCESS, INVALID_INSTANCE, CLASS_NOT_SUPPORTED, OUT_OF_RESOURCES, DOES_NOT_MATCH, CANNOT_UNDERSTAND = (
    0,
    0x0117,
    0x0122,
    0xA700,
    0xA900,
    0xC000,
)

# A data set that says it is CT instance 1.2.3, implicit VR little endian.
DATA_SET = (
    b"\x08\0\x16\0\x1a\0\0\0" + CT.encode() + b"\0"
    b"\x08\0\x18\0\6\0\0\0" + b"1.2.3\0"
    b"\x10\0\x10\0\4\0\0\0" + b"DOE "
)  # fmt: skip


def send_parts(port: int, parts: list[Part10]) -> dict[Path, int]:
    """Send files with pynetdicom as their bytes are; the status of each."""
    statuses: dict[Path, int] = {}
    _config.STORE_SEND_CHUNKED_DATASET = True
    try:
        for start in range(0, len(parts), 100):
            some = parts[start : start + 100]
            ae = AE("SCANNER")
            for abstract, transfer in dict.fromkeys((part.sop_class_uid, part.transfer_syntax_uid) for part in some):
                ae.add_requested_context(abstract, transfer)
            association = ae.associate("127.0.0.1", port, ae_title="MICROPACS")
            assert association.is_established
            with reactor_paused(association):
                for part in some:
                    statuses[part.path] = association.send_c_store(part.path).Status
            association.release()
    finally:
        _config.STORE_SEND_CHUNKED_DATASET = False
    return statuses


@contextmanager
def reactor_paused(association: Association) -> Iterator[None]:
    """Pause pynetdicom's reactor for good: between two calls it may otherwise swallow the response of the second."""
    checkpoint = association._reactor_checkpoint
    checkpoint.clear()
    assert eventually(lambda: association._is_paused)
    time.sleep(0.05)
    checkpoint.set = lambda: None
    try:
        yield
    finally:
        del checkpoint.set
        checkpoint.set()


def store(port: int, *fragments: bytes, instance: str = "1.2.3", sop_class: str = CT) -> tuple[int, str]:
    """Send one C-STORE as raw fragments on an association of its own: status and comment."""
    with associated(port, (1, CT, IMPLICIT)) as sock:
        sock.sendall(data_pdu(1, store_request(1, sop_class, instance), is_command=True))
        for number, fragment in enumerate(fragments, 1):
            sock.sendall(data_pdu(1, fragment, is_command=False, is_last=number == len(fragments)))
        pdu_type, body = read_pdu(sock)
        assert pdu_type == 4
        response = decode(body[6:])
        return response.number(Element.STATUS), response.text(Element.ERROR_COMMENT)


@needs_data
def test_every_file_is_kept_to_the_byte_or_refused_truthfully(tmp_path: Path) -> None:
    """Each file another implementation sends is spooled to the byte, or refused as unreadable or not matching."""
    assert len(PARTS) > 140
    with receiving(tmp_path / "spool") as receiver:
        statuses = send_parts(receiver.port, PARTS)
        accepted = [part for part in PARTS if statuses[part.path] == SUCCESS]
        kept = [(entry.identity, entry.data_set(0, entry.size)) for entry in receiver.entries()]
        assert receiver.unsealed() == 0
    assert len(kept) == len(accepted)
    for part, (identity, data_set) in zip(accepted, kept, strict=True):
        assert identity == Identity(part.sop_class_uid, part.sop_instance_uid, part.transfer_syntax_uid), part.path
        assert data_set == part.data_set, part.path
    refusals = {DOES_NOT_MATCH, CANNOT_UNDERSTAND, INVALID_INSTANCE}
    for part in PARTS:
        agrees = agrees_with_its_command(part)
        if agrees is None:
            assert statuses[part.path] in {SUCCESS, *refusals}, part.path
        else:
            assert (statuses[part.path] == SUCCESS) is agrees, part.path
            assert statuses[part.path] in {SUCCESS, DOES_NOT_MATCH}, part.path


def agrees_with_its_command(part: Part10) -> bool | None:
    """What pydicom finds: the data set has the UIDs of the meta information; None when it cannot read it."""
    try:
        header = dcmread(part.path, specific_tags=["SOPClassUID", "SOPInstanceUID"], stop_before_pixels=True)
        found = (str(header.get("SOPClassUID")), str(header.get("SOPInstanceUID")))
    except Exception:  # noqa: BLE001 - malformed files break it in every way
        return None
    return found == (part.sop_class_uid, part.sop_instance_uid)


@needs_data
def test_files_that_are_no_dicom_are_refused(tmp_path: Path) -> None:
    """Text, nothing, compressed and beheaded files sent as a data set do not become instances."""
    with receiving(tmp_path / "spool") as receiver:
        for path in WITHOUT_META:
            status, _ = store(receiver.port, path.read_bytes()[:10_000])
            assert status in (DOES_NOT_MATCH, CANNOT_UNDERSTAND), path.name
        assert receiver.entries() == []
        assert receiver.unsealed() == 0


@needs_data
@needs_dcmtk
@pytest.mark.parametrize("pdu", [4096, 16384, 131072])
def test_storescu_with_every_pdu_length(tmp_path: Path, pdu: int) -> None:
    """DCMTK's storescu gets success for each, and we keep the bytes that storescp +B keeps of the same call."""
    with receiving(tmp_path / "spool") as receiver, storescp(tmp_path / "peer", "--max-pdu", "131072") as port:
        for target in (receiver.port, port):
            sent = storescu(target, SERIES[:12], "-R", "--max-pdu", str(pdu), "--max-send-pdu", str(pdu))
            assert sent.returncode == 0, sent.stderr
        ours = sorted(receiver.data_sets().values())
    theirs = sorted(part.data_set for path in (tmp_path / "peer").iterdir() if (part := read_part10(path)))
    assert len(ours) == 12
    assert ours == theirs


@needs_data
@needs_dcmtk
def test_dcmsend_of_a_study_with_nagle_on(tmp_path: Path) -> None:
    """DCMTK's dcmsend as it comes, with Nagle's algorithm, is not slowed down to 40 ms a message."""
    with receiving(tmp_path / "spool") as receiver:
        sent = dcmsend(receiver.port, SERIES, environment={})
        assert sent.returncode == 0, sent.stderr
        assert len(receiver.entries()) == len(SERIES)


@needs_data
@needs_dcmtk
def test_storescu_that_aborts_leaves_nothing(tmp_path: Path) -> None:
    """After `storescu --abort` what was acknowledged is there, nothing else is, and the next peer is served."""
    with receiving(tmp_path / "spool") as receiver:
        storescu(receiver.port, SERIES[:3], "-R", "--abort")
        assert eventually(lambda: receiver.listener.running == 0)
        assert receiver.unsealed() == 0
        assert len(receiver.entries()) == 3
        assert echoscu(receiver.port)


def test_the_origin_is_kept(tmp_path: Path) -> None:
    """A spooled instance knows its source, AE titles, host and time."""
    sources = Sources((Source("the scanner", "SCANNER", "127.0.0.0/8"),))
    with receiving(tmp_path / "spool", sources=sources) as receiver:
        assert store(receiver.port, DATA_SET) == (SUCCESS, "")
        (entry,) = receiver.entries()
    origin = entry.origin
    assert (origin.source, origin.calling_ae, origin.called_ae) == ("the scanner", "SCANNER", "MICROPACS")
    assert origin.host == "127.0.0.1"
    assert origin.received_at.tzinfo is not None


def test_a_data_set_in_single_bytes_is_the_same(tmp_path: Path) -> None:
    """Fragments of one byte, and empty ones, make up the data set."""
    with receiving(tmp_path / "spool") as receiver:
        fragments = [DATA_SET[index : index + 1] for index in range(len(DATA_SET))]
        assert store(receiver.port, *fragments, b"") == (SUCCESS, "")
        assert list(receiver.data_sets().values()) == [DATA_SET]


@pytest.mark.parametrize("long", [300, 3000, 70_000, 2_000_000])
def test_uids_after_a_long_element_are_found(tmp_path: Path, long: int) -> None:
    """The UIDs are looked for beyond the usual place, up to one megabyte."""
    data_set = b"\x08\0\x05\0" + long.to_bytes(4, "little") + b"\\" * long + DATA_SET
    with receiving(tmp_path / "spool") as receiver:
        pieces = [data_set[start : start + 50_000] for start in range(0, len(data_set), 50_000)]
        assert store(receiver.port, *pieces)[0] == (SUCCESS if long < 2**20 else CANNOT_UNDERSTAND)


@pytest.mark.parametrize(
    ("instance", "sop_class", "data_set", "status"),
    [
        ("1.2.4", CT, DATA_SET, DOES_NOT_MATCH),
        ("1.2.3", CT, DATA_SET.replace(b".1.1.2\0", b".1.1.4\0"), DOES_NOT_MATCH),
        ("1.2.3", "1.2.840.10008.5.1.4.1.1.4", DATA_SET, CLASS_NOT_SUPPORTED),
        ("1.2.3", CT, DATA_SET[34:], DOES_NOT_MATCH),
        ("1.2.3", CT, b"", DOES_NOT_MATCH),
        ("../../x", CT, DATA_SET, INVALID_INSTANCE),
        ("", CT, DATA_SET, INVALID_INSTANCE),
        ("1" * 65, CT, DATA_SET, INVALID_INSTANCE),
        ("1.2.3", "", DATA_SET, INVALID_INSTANCE),
    ],
)
def test_what_is_not_what_it_says_is_refused(
    tmp_path: Path, instance: str, sop_class: str, data_set: bytes, status: int
) -> None:
    """Context, command and data set have to agree, and UIDs have to be UIDs; nothing of a refused instance stays."""
    with receiving(tmp_path / "spool") as receiver:
        assert store(receiver.port, data_set, instance=instance, sop_class=sop_class)[0] == status
        assert store(receiver.port, DATA_SET) == (SUCCESS, "")
        assert len(receiver.entries()) == 1
        assert receiver.unsealed() == 0


class FailingSpool(Spool):
    """A real spool whose disk fails at one step."""

    def __init__(self, folder: Path, step: str, error: Exception) -> None:
        super().__init__(folder)
        self.step: str | None = step
        self.error = error

    def open(self, identity: Identity, origin: Origin) -> Incoming:
        """An incoming instance that fails at `step`."""
        if self.step == "open":
            raise self.error
        incoming = super().open(identity, origin)
        if self.step is not None:

            def fail(*_: object) -> str:
                raise self.error

            setattr(incoming, self.step, fail)
        return incoming


@pytest.mark.parametrize("step", ["open", "write", "seal"])
@pytest.mark.parametrize(
    ("error", "comment"), [(SpoolFullError(), "short of disk space"), (SpoolFailedError(), "the disk failed")]
)
def test_a_disk_that_is_full_or_fails_is_told(tmp_path: Path, step: str, error: Exception, comment: str) -> None:
    """Whenever the disk fails the sender gets A700 after its last byte, and the association goes on."""
    spool = FailingSpool(tmp_path / "spool", step, error)
    with receiving(tmp_path / "spool", spool=spool) as receiver:
        assert store(receiver.port, DATA_SET, bytes(100_000), bytes(10)) == (OUT_OF_RESOURCES, comment)
        assert receiver.unsealed() == 0
        spool.step = None
        assert store(receiver.port, DATA_SET) == (SUCCESS, "")


def test_an_error_nobody_thought_of_ends_one_association_only(tmp_path: Path) -> None:
    """An unforeseen exception is an A-ABORT for its association, never success, and the listener goes on."""
    spool = FailingSpool(tmp_path / "spool", "seal", ZeroDivisionError())
    with receiving(tmp_path / "spool", spool=spool) as receiver:
        with associated(receiver.port, (1, CT, IMPLICIT)) as sock:
            sock.sendall(data_pdu(1, store_request(1, CT, "1.2.3"), is_command=True))
            sock.sendall(data_pdu(1, DATA_SET, is_command=False))
            assert read_pdu(sock) == (7, bytes((0, 0, 2, 0)))
        assert receiver.unsealed() == 0
        assert receiver.entries() == []
        spool.step = None
        assert store(receiver.port, DATA_SET) == (SUCCESS, "")
