"""Part 10 files of instances on their way to a name: written whole, synchronised, or dropped. Gives no names."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol
from uuid import uuid4

from archive.entry import Entry
from archive.errors import ArchiveError, ArchiveFailedError, ArchiveFullError, EntryUnreadableError
from archive.files import FULL, create, start_to_sync, sync_file, write_at, write_parts_at
from archive.filing import Placed
from archive.locks import try_lock
from archive.part10 import Head, Stamp, encode_head
from archive.rawfile import RawFile

_CHUNK = 1 << 20  # bytes


class Digest(Protocol):
    """What is told each piece of a data set as it is written, and then says the SHA-256 of it all, hex."""

    def update(self, chunk: bytes | memoryview, /) -> None: ...  # noqa: D102
    def hexdigest(self) -> str: ...  # noqa: D102


@dataclass(slots=True)
class Draft:
    """A complete file that has no name yet; `file` is open until it is synchronised."""

    part: str
    file: RawFile
    head: Head
    is_named: bool = False

    def name(self, path: Path | str) -> None:
        """Give it its name, once it is synchronised; what may be there is replaced."""
        os.replace(self.part, path)
        self.is_named = True

    def placed(self, file: str) -> Placed:
        """Where it lies once it has this name below the archive's folder."""
        return Placed(file, self.head.stamp.digest, self.head.stamp.size, self.head.data_set_offset)


class Drafts:
    """The drafts of one batch, in `folder`."""

    def __init__(self, folder: Path, *, gently: bool = False) -> None:
        """`gently` leaves the disk to who waits for it: one draft at a time is written to it, when all are made."""
        self._folder = folder
        self._gently = gently
        self._drafts: list[Draft] = []

    def write(
        self,
        entry: Entry,
        prefix: bytes | None = None,
        resume: int = 0,
        received_digest: str | None = None,
        digest: Digest | None = None,
    ) -> Draft:
        """A draft of the data set as it is to be kept; `digest` is where the SHA-256 is not all that is wanted of it.

        The rest of an edited original is read because its digest is needed; that is why the kernel does not copy it.
        """
        begins, start = (b"", 0) if prefix is None else (prefix, resume)
        chunks = _chunks(entry, start)
        size = len(begins) + entry.size - start
        stamp = Stamp(entry.arrival, entry.origin, entry.digest, size, received_digest or entry.digest)
        head = encode_head(entry.identity, stamp)
        if prefix is not None:
            digest = digest or hashlib.sha256(prefix)
            chunks = _digested(chunks, digest)
        part = f"{self._folder}/{uuid4().hex}.part"
        file = create(part)
        try:
            try_lock(file)
            # in one call, so that the system keeps it in few large pieces: half of what it costs else
            write_parts_at(file, parts := [head, begins, next(chunks, b"")], 0)
            end = sum(map(len, parts))
            for chunk in chunks:
                write_at(file, chunk, end)
                end += len(chunk)
            if prefix is not None and digest is not None:
                stamp = replace(stamp, digest=digest.hexdigest())
                write_at(file, encode_head(entry.identity, stamp, len(head)), 0)
            if not self._gently:
                start_to_sync(file)  # while the others of the batch are made; they share the disk's commits
        except BaseException:
            file.close()
            os.unlink(part)
            raise
        draft = Draft(part, file, Head(entry.identity, stamp, len(head)))
        self._drafts.append(draft)
        return draft

    def synchronise(self) -> None:
        """Every draft is on the disk and closed; the first OSError is raised."""
        for draft in self._drafts:
            sync_file(draft.file)
            draft.file.close()

    def drop(self) -> None:
        """Remove those that have no name yet."""
        for draft in self._drafts:
            if not draft.is_named:
                with suppress(OSError):
                    draft.file.close()
                    os.unlink(draft.part)


@contextmanager
def drafting(folder: Path, *, gently: bool = False) -> Iterator[Drafts]:
    """Drafts in this folder; what has no name at the end is dropped, and an OSError is told as the archive's error."""
    drafts = Drafts(folder, gently=gently)
    try:
        yield drafts
    except OSError as error:
        raise _translated(error) from error
    finally:
        drafts.drop()


def _digested(chunks: Iterator[bytes | memoryview], digest: Digest) -> Iterator[bytes | memoryview]:
    for chunk in chunks:
        digest.update(chunk)
        yield chunk


def _chunks(entry: Entry, start: int) -> Iterator[bytes | memoryview]:
    """The data set from byte `start` on. Where the disk fails it is the entry's fault and nobody else's."""
    missing = entry.size - start
    for chunk in _read(entry, start):
        missing -= len(chunk)
        yield chunk
    if missing:
        raise EntryUnreadableError("the file is not as long as it was", entry.arrival)


def _read(entry: Entry, start: int) -> Iterator[bytes | memoryview]:
    if entry.content is not None:
        yield memoryview(entry.content)[start:]
        return
    try:
        with entry.path.open("rb", buffering=0) as source:
            source.seek(entry.data_set_offset + start)
            while chunk := source.read(_CHUNK):
                yield chunk
    except OSError as error:
        raise entry.unreadable(error) from error


def _translated(error: OSError) -> ArchiveError:
    """The archive's error for one of the operating system; what is not found is an entry, since folders are made."""
    if isinstance(error, FileNotFoundError):
        return EntryUnreadableError("the file is not there any more")
    return ArchiveFullError() if error.errno in FULL else ArchiveFailedError()
