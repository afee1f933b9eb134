"""Reads Part 10 files of the test data as a command and bytes; independent of the code under test."""

import struct
from dataclasses import dataclass
from pathlib import Path

from pydicom.dataset import FileMetaDataset
from pydicom.errors import InvalidDicomError
from pydicom.filebase import DicomBytesIO
from pydicom.filereader import _read_file_meta_info, read_preamble
from pydicom.filewriter import write_file_meta_info
from pydicom.uid import ImplicitVRLittleEndian


@dataclass(frozen=True)
class Part10:
    """What the file meta information says, and where the data set starts (bytes)."""

    path: Path
    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    offset: int

    @property
    def data_set(self) -> bytes:
        """The encoded data set as it lies in the file."""
        return self.path.read_bytes()[self.offset :]


def read_part10(path: Path) -> Part10 | None:
    """The file as a command and its bytes; None when it has no usable meta information."""
    with path.open("rb") as file:
        try:
            read_preamble(file, force=False)
            meta = _read_file_meta_info(file)
            offset = file.tell()
        except (InvalidDicomError, OSError, ValueError, LookupError, AttributeError, struct.error):
            return None
    uids = [
        str(meta.get(keyword, ""))
        for keyword in ("MediaStorageSOPClassUID", "MediaStorageSOPInstanceUID", "TransferSyntaxUID")
    ]
    return Part10(path, *uids, offset) if all(uids) else None


def data_set_of(path: Path) -> tuple[str, bytes]:
    """The transfer syntax UID and the encoded data set of any DICOM file, however little its head says.

    A file without preamble is taken as implicit VR little endian from its first byte.
    """
    content = path.read_bytes()
    if content[128:132] != b"DICM":
        return ImplicitVRLittleEndian, content
    with path.open("rb") as file:
        read_preamble(file, force=False)
        meta = _read_file_meta_info(file)
        return str(meta.get("TransferSyntaxUID", ImplicitVRLittleEndian)), content[file.tell() :]


def part10_head(sop_class_uid: str, sop_instance_uid: str, transfer_syntax_uid: str) -> bytes:
    """Preamble and meta information that say this (PS3.10 7.1)."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = sop_class_uid
    meta.MediaStorageSOPInstanceUID = sop_instance_uid
    meta.TransferSyntaxUID = transfer_syntax_uid
    stream = DicomBytesIO()
    write_file_meta_info(stream, meta, enforce_standard=True)
    return bytes(128) + b"DICM" + stream.getvalue()
