"""Durable primitives for files: what has returned is on the disk. Knows nothing of DICOM or the index."""

import errno
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

from archive.locks import try_lock
from archive.rawfile import Opened, RawFile

if sys.platform == "darwin":
    import fcntl

FILE_MODE = 0o640
FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
SHORT_OF_MEANS = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM})  # says nothing of the file that was to be read
_HAS_POSITIONS = hasattr(os, "pwrite")
_HAS_PARTS = hasattr(os, "pwritev")
_DURABLY = getattr(os, "RWF_DSYNC", 0)  # Linux
_CAN_ADVISE = hasattr(os, "posix_fadvise")
_NO_LINK = frozenset({errno.EXDEV, errno.EPERM, errno.EMLINK, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP})


def create(path: Path | str) -> RawFile:
    """A new file to write and read, 0640; FileExistsError if the name is taken."""
    return RawFile(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, FILE_MODE)


def reopen(path: Path | str) -> RawFile:
    """A file that is there, to write and read; FileNotFoundError if it is not."""
    return RawFile(path, os.O_RDWR)


def write(file: Opened, content: bytes | bytearray | memoryview) -> None:
    """All of the content, behind what was written before; the system may take it in pieces."""
    view = memoryview(content)
    while view:
        view = view[os.write(file.fileno(), view) :]


def write_at(file: Opened, content: bytes | bytearray | memoryview, offset: int) -> None:
    """All of the content at `offset`; one file is written by one thread at a time."""
    while content:
        if _HAS_POSITIONS:
            written = os.pwrite(file.fileno(), content, offset)
        else:
            os.lseek(file.fileno(), offset, os.SEEK_SET)
            written = os.write(file.fileno(), content)
        if written == len(content):
            return
        content = memoryview(content)[written:]
        offset += written


def write_parts_at(file: Opened, parts: Sequence[bytes | memoryview], offset: int) -> None:
    """All of the parts, one after the other, at `offset`: in one call where the system has one."""
    written = os.pwritev(file.fileno(), parts, offset) if _HAS_PARTS else 0
    if written == sum(map(len, parts)):
        return
    for part in parts:
        if written < len(part):
            write_at(file, part[written:], offset + written)
        offset += len(part)
        written = max(0, written - len(part))


def write_durably(file: Opened, content: bytes | bytearray | memoryview, offset: int) -> None:
    """All of the content at `offset`, on the disk when this returns; says nothing of what was written before.

    Where there is one call for both it waits less than two. After an OSError it must be taken as lost.
    """
    if not _DURABLY:
        write_at(file, content, offset)
        sync_file(file)
        return
    while content:
        written = os.pwritev(file.fileno(), (content,), offset, _DURABLY)
        if written == len(content):
            return
        content = memoryview(content)[written:]
        offset += written


def read_at(file: Opened, size: int, offset: int) -> bytes:
    """The `size` bytes at `offset`, fewer at the end of the file."""
    data = b""
    while (missing := size - len(data)) > 0:
        if _HAS_POSITIONS:
            more = os.pread(file.fileno(), missing, offset + len(data))
        else:
            os.lseek(file.fileno(), offset + len(data), os.SEEK_SET)
            more = os.read(file.fileno(), missing)
        if not more:
            break
        data += more  # no copy of the first, which nearly always is all
    return data


def start_to_sync(file: Opened, offset: int = 0, size: int = 0) -> None:
    """Let the system begin to write the file (0: to its end) to the disk, where it can be asked to; does not wait.

    It is advice: a file system that takes none is no error, and one that fails tells so when the file is synchronised.
    """
    if _CAN_ADVISE:  # Linux writes what is dirty before it lets go
        try:
            os.posix_fadvise(file.fileno(), offset, size, os.POSIX_FADV_DONTNEED)
        except OSError:  # `suppress` would cost as much as the call
            return


def sync_file(file: Opened) -> None:
    """Data and size are on the disk when this returns. After an OSError they must be taken as lost (never retried)."""
    if sys.platform == "darwin":
        fcntl.fcntl(file.fileno(), fcntl.F_FULLFSYNC)
    elif sys.platform == "win32":
        os.fsync(file.fileno())
    else:
        os.fdatasync(file.fileno())


def sync_folder(folder: Path) -> None:
    """The names in the folder are on the disk when this returns. NTFS journals names itself and has no such call."""
    if sys.platform == "win32":
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def is_in_place(file: RawFile) -> bool:
    """Whether its name leads to the open file: not deleted, its disk not unmounted. Windows allows neither.

    Asks for the file's times; a `Watch` does that no more often than it has to (`rawfile` tells why).
    """
    if sys.platform == "win32":
        return True
    try:
        return os.path.samestat(os.fstat(file.fileno()), os.stat(file.name))
    except FileNotFoundError:
        return False


def link(existing: Path, name: Path) -> bool:
    """A second name for the same file, not synchronised; False where the file system has no links between the two."""
    try:
        os.link(existing, name)
    except OSError as error:
        if error.errno in _NO_LINK:
            return False
        raise
    return True


def replace_durably(path: Path, content: bytes, incoming: Path, *, keeps_owner: bool = False) -> None:
    """The file has the new content or, after a crash, still the old one; it is on the disk when this returns.

    It is written in `incoming`, where `drop_abandoned` finds what a crash leaves. With `keeps_owner` it has the mode
    of the old one, and its owner as far as the system lets us.
    """
    part = incoming / f"{uuid4().hex}.part"
    try:
        with create(part) as file:
            try_lock(file)
            write(file, content)
            sync_file(file)
        if keeps_owner:
            _give_to_owner_of(path, part)
        part.replace(path)
    except OSError:
        part.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def _give_to_owner_of(path: Path, part: Path) -> None:
    found = path.stat()
    if hasattr(os, "chown"):
        with suppress(PermissionError):
            os.chown(part, found.st_uid, found.st_gid)
    part.chmod(found.st_mode & 0o777)
