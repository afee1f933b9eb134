"""Reads Part 10 files of the test data as a command and bytes; independent of the code under test."""

import struct
from dataclasses import dataclass
from pathlib import Path

from pydicom.errors import InvalidDicomError
from pydicom.filereader import _read_file_meta_info, read_preamble


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
