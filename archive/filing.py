"""Gives received instances their place in the archive's folders, durably and whole. Needs no database."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from io import FileIO
from pathlib import Path, PurePosixPath
from typing import NamedTuple
from uuid import uuid4

from archive.arrivals import checked
from archive.entry import Entry
from archive.errors import ArchiveError, ArchiveFailedError, ArchiveFullError, EntryUnreadableError
from archive.files import FULL, Folders, create, drop_abandoned, link, sync_file, sync_folder, try_lock, write
from archive.part10 import Head, Stamp, encode_head, read_head

_CHUNK = 1 << 20  # bytes
_SYNCHRONISERS = 4  # files that are synchronised at a time, so that they share the disk's commits


class InstanceKey(NamedTuple):
    """What tells instances apart: a SOP instance UID may come in two series, and then both are kept."""

    study_uid: str
    series_uid: str
    sop_instance_uid: str


@dataclass(frozen=True, slots=True)
class Filing:
    """An entry and how it is to be kept: its data set as it came, or `prefix` and then the original from `resume` on.

    `key` is that of the data set as kept; `resume` is in bytes from the start of the original data set.
    """

    entry: Entry
    key: InstanceKey
    prefix: bytes | None = None
    resume: int = 0


@dataclass(frozen=True, slots=True)
class Placed:
    """Where it lies: `file` below the archive's folder, with `/`; `digest` and `bytes` are of the data set as kept."""

    file: str
    digest: str
    bytes: int
    data_set_offset: int


@dataclass(slots=True)
class _Draft:
    """A file on its way to its name; `file` is open until it is synchronised."""

    filing: Filing
    folder: PurePosixPath
    part: Path
    file: FileIO
    head: Head


def study_folder(study_uid: str) -> PurePosixPath:
    """The folder of a study below the archive's: made from a hash of the UID, so that nothing received is in a path."""
    digest = hashlib.sha256(b"study\0" + study_uid.encode("utf-8", "replace")).hexdigest()
    return PurePosixPath(digest[:2], digest[2:4], digest[4:28])


class Shelves:
    """The archive's folders: `<2 hex>/<2 hex>/<24 hex>/<arrival>.dcm`, and `incoming` for files being written."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._incoming = folder / "incoming"
        self._folders = Folders(folder)
        self._folders.ensure(self._incoming)

    def place(self, filings: Sequence[Filing]) -> list[Placed]:
        """Each filing's file, on the disk under its name when this returns; placing one again changes nothing.

        ArchiveFullError or ArchiveFailedError if the disk does not take them; what was placed by then may stay.
        """
        touched: set[Path] = set()
        drafts: dict[int, _Draft] = {}
        placed: dict[int, Placed] = {}
        try:
            for number, filing in enumerate(filings):
                folder = study_folder(filing.key.study_uid)
                self._folders.ensure(self.folder / folder)
                touched.add(self.folder / folder)
                linked = self._link(filing.entry, folder / f"{checked(filing.entry.arrival)}.dcm", filing.prefix)
                if linked:
                    placed[number] = linked
                else:
                    drafts[number] = self._write(filing, folder)
            _synchronise(drafts.values())
            for number, draft in drafts.items():
                placed[number] = self._name(draft)
            for folder_touched in touched:
                sync_folder(folder_touched)
        except OSError as error:
            raise _translated(error) from error
        finally:
            for draft in drafts.values():
                with suppress(OSError):
                    draft.file.close()
                    draft.part.unlink(missing_ok=True)
        return [placed[number] for number in range(len(filings))]

    def keep(self, entries: Sequence[Entry], folder: str) -> list[str]:
        """The entries as they are in one folder below the archive's, durably; gives their files."""
        place = self.folder / folder
        files = []
        try:
            self._folders.ensure(place)
            for entry in entries:
                name = f"{checked(entry.arrival)}.dcm"
                files.append(f"{folder}/{name}")
                if not (place / name).exists() and not link(entry.path, place / name):
                    self._copy(entry, place / name)
            sync_folder(place)
        except OSError as error:
            raise _translated(error) from error
        return files

    def sweep(self) -> int:
        """Drop files that were being written when their process died; gives how many."""
        return drop_abandoned(self._incoming)

    def _link(self, entry: Entry, file: PurePosixPath, prefix: bytes | None) -> Placed | None:
        """The entry itself under a new name, if it is unchanged, links are possible and the name is free or its own."""
        if prefix is not None:
            return None
        placed = Placed(str(file), entry.digest, entry.size, entry.data_set_offset)
        try:
            return placed if link(entry.path, self.folder / file) else None
        except FileExistsError:
            return placed if _is(self.folder / file, entry.digest) else None

    def _write(self, filing: Filing, folder: PurePosixPath) -> _Draft:
        """A new Part 10 file of the data set as it is to be kept, complete but not yet synchronised nor named.

        The rest of the original is read because its digest is needed; that is why the kernel does not copy it.
        """
        entry, prefix = filing.entry, filing.prefix or b""
        resume = filing.resume if filing.prefix is not None else 0
        size = len(prefix) + entry.size - resume
        blank = encode_head(entry.identity, Stamp(entry.arrival, entry.origin, entry.digest, size, entry.digest))
        part = self._incoming / f"{uuid4().hex}.part"
        file = create(part)
        try:
            try_lock(file)
            digest = hashlib.sha256(prefix)
            write(file, blank + prefix)
            _append(entry, resume, file, digest, len(blank) + size)
            stamp = Stamp(entry.arrival, entry.origin, digest.hexdigest(), size, entry.digest)
            file.seek(0)
            write(file, encode_head(entry.identity, stamp, len(blank)))
        except BaseException:
            file.close()
            part.unlink(missing_ok=True)
            raise
        return _Draft(filing, folder, part, file, Head(entry.identity, stamp, len(blank)))

    def _name(self, draft: _Draft) -> Placed:
        """The file under its arrival's name; if another content has it (made by older rules), with its digest added.

        So a file that the index may already know is never written over.
        """
        stamp = draft.head.stamp
        for name in (f"{stamp.arrival}.dcm", f"{stamp.arrival}-{stamp.digest[:16]}.dcm"):
            path = self.folder / draft.folder / name
            placed = Placed(str(draft.folder / name), stamp.digest, stamp.size, draft.head.data_set_offset)
            if path.exists():
                if _is(path, stamp.digest):
                    return placed
                continue
            draft.part.rename(path)
            return placed
        raise ArchiveFailedError("a file of the archive is not what its name says")

    def _copy(self, entry: Entry, path: Path) -> None:
        part = self._incoming / f"{uuid4().hex}.part"
        try:
            with create(part) as file:
                for chunk in _chunks(entry, 0):
                    write(file, chunk)
                sync_file(file)
            part.rename(path)
        finally:
            part.unlink(missing_ok=True)


def _append(entry: Entry, resume: int, file: FileIO, digest: "hashlib._Hash", length: int) -> None:
    for chunk in _chunks(entry, entry.data_set_offset + resume):
        digest.update(chunk)
        write(file, chunk)
    if file.tell() != length:
        raise EntryUnreadableError("the file is not as long as it was", entry.arrival)


def _chunks(entry: Entry, start: int) -> Iterator[bytes]:
    """The entry's file from byte `start` on. Where the disk fails it is the entry's fault and nobody else's."""
    try:
        with entry.path.open("rb", buffering=0) as source:
            source.seek(start)
            while chunk := source.read(_CHUNK):
                yield chunk
    except OSError as error:
        raise entry.unreadable(error) from error


def _synchronise(drafts: Iterable[_Draft]) -> None:
    """Every draft's file is on the disk and closed; the first OSError is raised."""
    files = [draft.file for draft in drafts]
    if len(files) == 1:
        sync_file(files[0])
    elif files:
        with ThreadPoolExecutor(min(_SYNCHRONISERS, len(files))) as pool:
            list(pool.map(sync_file, files))
    for file in files:
        file.close()


def _translated(error: OSError) -> ArchiveError:
    """The archive's error for one of the operating system; what is not found is an entry, since folders are made."""
    if isinstance(error, FileNotFoundError):
        return EntryUnreadableError("the file is not there any more")
    return ArchiveFullError() if error.errno in FULL else ArchiveFailedError()


def _is(path: Path, digest: str) -> bool:
    try:
        return read_head(path).stamp.digest == digest
    except EntryUnreadableError:
        return False
