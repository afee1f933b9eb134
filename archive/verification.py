"""Reads kept files and says what is wrong with them, if anything is. It changes no file and writes no row.

A file is whole if its head is, byte for byte, what we write of what it says, if that is what the index says, and if
its data set has the digest both name.
"""

import errno
import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from io import FileIO
from pathlib import Path
from typing import cast

from archive.attributes import UID_LENGTH
from archive.entry import Entry
from archive.errors import EntryUnreadableError, VerificationStoppedError
from archive.files import SHORT_OF_MEANS
from archive.origin import Origin
from archive.part10 import Head, encode_head, read_head
from archive.rows import arrival_values

_CHUNK = 1 << 20  # bytes
_GONE = (FileNotFoundError, NotADirectoryError)
# What the disk, or the checksums of its file system, say of the bytes; other errors are about us, not about the file.
_OF_THE_DISK = frozenset(
    getattr(errno, name) for name in ("EIO", "EBADMSG", "EUCLEAN", "ENODATA", "EREMOTEIO") if hasattr(errno, name)
)


class Fault(StrEnum):
    """What is wrong with a kept file."""

    MISSING = "missing file"
    LENGTH = "wrong length"
    CHANGED = "changed"
    UNREADABLE = "unreadable"
    NOT_VERIFIED = "not verified"  # it could not be looked at, which says nothing of it


@dataclass(frozen=True, slots=True)
class Kept:
    """A file as the index knows it, of an instance or of something held; `row` is the id of that row.

    `uids` (SOP class, SOP instance, transfer syntax) and `head` are what its head must say. `data_set_offset` is None
    where the index does not know it, `damage` why the file is in quarantine already.
    """

    row: int
    arrival: str
    file: str
    bytes: int
    digest: str
    data_set_offset: int | None
    uids: tuple[str, str, str]
    head: tuple[object, ...]
    study_id: int | None
    study_uid: str | None
    damage: str | None

    @property
    def received_digest(self) -> str:
        """The digest of its data set as it arrived."""
        return str(self.head[3])

    @property
    def origin(self) -> Origin:
        """Where it came from, as the index keeps it."""
        return Origin(*cast("tuple[str | None, str, str, str, datetime]", self.head[4:]))


@dataclass(frozen=True, slots=True)
class Finding:
    """One file that is not as it was kept, and what was seen."""

    kept: Kept
    fault: Fault
    reason: str


def examine(folder: Path, kept: Kept, is_stopped: Callable[[], bool]) -> Finding | None:
    """What is wrong with this file, None if nothing is. OSError if the process is short of means.

    It is read through, from the disk where the system can be asked to, a chunk at a time;
    VerificationStoppedError as soon as `is_stopped` says so.
    """
    path = folder / kept.file
    try:
        if kept.data_set_offset is not None and path.stat().st_size != kept.data_set_offset + kept.bytes:
            return Finding(kept, Fault.LENGTH, "the file is not as long as it was")
        head = read_head(path)
        reason = _contradiction(kept, head) or _altered(path, head, is_stopped)
    except EntryUnreadableError as error:
        return _from_head(kept, error)
    except OSError as error:
        return _from_disk(kept, error)
    return Finding(kept, Fault.CHANGED, reason) if reason else None


def _contradiction(kept: Kept, head: Head) -> str | None:
    stamp, identity = head.stamp, head.identity
    entry = Entry(stamp.arrival, Path(), identity, stamp.origin, stamp.digest, head.data_set_offset, stamp.size)
    _, *came = arrival_values(entry)
    said = (stamp.arrival, stamp.size, stamp.digest, stamp.received_digest, *came)
    uids = (identity.sop_class_uid, identity.sop_instance_uid, identity.transfer_syntax_uid)
    is_same = said == kept.head and all(map(_is_same, uids, kept.uids))
    if not is_same or kept.data_set_offset not in {None, head.data_set_offset}:
        return "its head does not say what the index does"
    return None


def _is_same(uid: str, known: str) -> bool:
    """Whether the head's UID is that of the index, which keeps one that is none (PS3.5 9.1) in another form."""
    return uid == known or len(uid) > UID_LENGTH or not known.isascii()


def _altered(path: Path, head: Head, is_stopped: Callable[[], bool]) -> str | None:
    """Read all of the file: what is not as it was written, None if all is."""
    with FileIO(path) as file:
        if hasattr(os, "posix_fadvise"):
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)  # memory may know better than the disk
        try:
            written = encode_head(head.identity, head.stamp, head.data_set_offset)
        except ValueError:
            written = b""
        if file.read(head.data_set_offset) != written:
            return "its head is not as it was written"
        digest = hashlib.sha256()
        buffer = memoryview(bytearray(min(_CHUNK, head.stamp.size + 1)))
        while count := file.readinto(buffer):
            digest.update(buffer[:count])
            if is_stopped():
                raise VerificationStoppedError
    return None if digest.hexdigest() == head.stamp.digest else "its data set does not have the digest it was kept with"


def _from_head(kept: Kept, error: EntryUnreadableError) -> Finding:
    """The finding for a head that could not be read, or that gives another length than the file has."""
    cause = error.__cause__
    if isinstance(cause, OSError):
        return _from_disk(kept, cause)
    if cause is None and kept.data_set_offset is None:
        return Finding(kept, Fault.LENGTH, str(error))
    return Finding(kept, Fault.CHANGED, "its head cannot be read")


def _from_disk(kept: Kept, error: OSError) -> Finding:
    if error.errno in SHORT_OF_MEANS:
        raise error
    if isinstance(error, _GONE):
        return Finding(kept, Fault.MISSING, "the file is not there")
    if error.errno in _OF_THE_DISK:
        return Finding(kept, Fault.UNREADABLE, f"the disk says: {error.strerror}")
    return Finding(kept, Fault.NOT_VERIFIED, f"it could not be looked at: {error.strerror or type(error).__name__}")
