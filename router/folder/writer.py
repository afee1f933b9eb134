"""Delivers into a folder: a complete Part 10 file (PS3.10 7.1) an instance, on the disk before it counts."""

import os
import re
import struct
from collections.abc import Generator, Iterator, Sequence
from hashlib import sha256
from io import FileIO
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

from archive import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME, Identity, sync_file, sync_folder
from router.delivery.contents import chunks, is_damaged, study_and_series, with_digest
from router.delivery.outcomes import DAMAGED, UNREADABLE, Kind, Outcome
from router.delivery.sender import DestinationError, Shipment
from router.errors import DataSetUnreadable
from rules import RulesError

DELIVERED = Outcome(Kind.DELIVERED, None, "")
OTHER_CONTENT = Outcome(Kind.PARKED, None, "the folder has a file of this instance with other content")

_SAFE_UID = re.compile(r"[0-9]{1,64}(\.[0-9]{1,64}){0,63}")
_LONGEST_UID = 64
_MAGIC = bytes(128) + b"DICM"


class FolderSender:
    """Writes `<folder>/<study>/<series>/<instance>.dcm`; used by one thread."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def send(
        self,
        identities: Sequence[Identity],  # noqa: ARG002 - nothing is to be agreed on with a folder
        shipments: Iterator[Shipment],
    ) -> Generator[tuple[Shipment, Outcome], None, None]:
        """One file each, in order; see `Sender.send`. A file that is there with the same content is delivered."""
        for shipment in shipments:
            try:
                damaged = is_damaged(shipment)
                whole = shipment if damaged else with_digest(shipment)
            except OSError:
                yield shipment, UNREADABLE
                continue
            if damaged:
                yield whole, DAMAGED
                continue
            try:
                outcome = self._deliver(whole)
            except DestinationError as error:
                yield whole, error.outcome
                raise
            yield whole, outcome

    def close(self) -> None:
        """Nothing stays open."""

    def _deliver(self, shipment: Shipment) -> Outcome:
        start = shipment.data_set_offset + (shipment.resume if shipment.prefix is not None else 0)
        try:
            if shipment.path.stat().st_size < start + shipment.size - len(shipment.prefix or b""):
                return UNREADABLE
            study_uid, series_uid = study_and_series(shipment)
            source = shipment.path.open("rb")
        except OSError:
            return UNREADABLE
        except RulesError as error:
            return Outcome(Kind.HELD, None, str(error))
        with source:
            source.seek(start)
            try:
                return self._write(shipment, self._folder / safe_name(study_uid) / safe_name(series_uid), source)
            except DataSetUnreadable:
                return UNREADABLE
            except OSError as error:
                reason = f"the folder cannot be written: {error.strerror or type(error).__name__}"
                raise DestinationError(Outcome(Kind.LATER, None, reason)) from error

    def _write(self, shipment: Shipment, series: Path, source: BinaryIO) -> Outcome:
        _make(series)
        path = series / f"{safe_name(shipment.identity.sop_instance_uid)}.dcm"
        start = source.tell()
        if path.exists():
            if _is_same(path, shipment, source):
                return DELIVERED
            if not shipment.replaces:
                return OTHER_CONTENT
            source.seek(start)
        part = path.with_name(f"{uuid4().hex}.part")
        try:
            with FileIO(part, "x", opener=lambda name, flags: os.open(name, flags, 0o640)) as file:
                size = _copy(shipment, source, file)
                sync_file(file)
            if size != shipment.size:
                part.unlink()
                return UNREADABLE
            part.replace(path)
        except (OSError, DataSetUnreadable):
            part.unlink(missing_ok=True)
            raise
        sync_folder(series)
        return DELIVERED


def safe_name(uid: str) -> str:
    """The UID where it is one (PS3.5 9.1), else a hash: nothing else that was received becomes part of a path."""
    if len(uid) <= _LONGEST_UID and _SAFE_UID.fullmatch(uid):
        return uid
    return sha256(uid.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def file_head(identity: Identity) -> bytes:
    """Preamble, prefix and file meta information (PS3.10 7.1)."""
    elements = (
        struct.pack("<HH2s2xI", 2, 0x0001, b"OB", 2) + b"\0\1",
        _text(0x0002, b"UI", identity.sop_class_uid),
        _text(0x0003, b"UI", identity.sop_instance_uid),
        _text(0x0010, b"UI", identity.transfer_syntax_uid),
        _text(0x0012, b"UI", IMPLEMENTATION_CLASS_UID),
        _text(0x0013, b"SH", IMPLEMENTATION_VERSION_NAME),
    )
    group = b"".join(elements)
    return _MAGIC + struct.pack("<HH2sHI", 2, 0x0000, b"UL", 4, len(group)) + group


def _text(element: int, vr: bytes, value: str) -> bytes:
    encoded = value.encode("ascii", "replace")
    if len(encoded) % 2:
        encoded += b"\0" if vr == b"UI" else b" "
    return struct.pack("<HH2sH", 2, element, vr, len(encoded)) + encoded


def _make(folder: Path) -> None:
    """The folder is there, and its name is on the disk."""
    if folder.is_dir():
        return
    _make(folder.parent)
    folder.mkdir(mode=0o750, exist_ok=True)
    sync_folder(folder.parent)


def _copy(shipment: Shipment, source: BinaryIO, file: FileIO) -> int:
    """Head and data set into `file`; how many bytes the data set had."""
    _write_all(file, file_head(shipment.identity))
    size = 0
    for chunk in _data_set(shipment, source):
        _write_all(file, chunk)
        size += len(chunk)
    return size


def _data_set(shipment: Shipment, source: BinaryIO) -> Iterator[bytes]:
    """The bytes to deliver; DataSetUnreadable where the archive's disk fails, which is no fault of the folder's."""
    found = chunks(shipment, source)
    while True:
        try:
            chunk = next(found, None)
        except OSError as error:
            raise DataSetUnreadable from error
        if chunk is None:
            return
        yield chunk


def _write_all(file: FileIO, content: bytes) -> None:
    view = memoryview(content)
    while view:
        view = view[file.write(view) :]


def _is_same(path: Path, shipment: Shipment, source: BinaryIO) -> bool:
    """Whether the file that is there ends with this data set, byte for byte."""
    head = path.stat().st_size - shipment.size
    if head < len(_MAGIC):
        return False
    with path.open("rb") as there:
        if there.read(len(_MAGIC))[128:] != b"DICM":
            return False
        there.seek(head)
        return all(there.read(len(chunk)) == chunk for chunk in _data_set(shipment, source))
