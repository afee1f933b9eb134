"""Gives received instances their place in the archive's folders, durably and whole. Needs no database."""

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from io import FileIO
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

from xxhash import xxh3_64

from archive.arrivals import checked
from archive.entry import Entry, entry_of
from archive.errors import ArchiveError, ArchiveFailedError, ArchiveFullError, DamagedError, EntryUnreadableError
from archive.files import (
    FULL,
    Folders,
    create,
    drop_abandoned,
    link,
    start_to_sync,
    sync_file,
    sync_folder,
    try_lock,
    write,
)
from archive.part10 import Head, Stamp, encode_head, read_head

_CHUNK = 1 << 20  # bytes


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

    part: str
    file: FileIO
    head: Head


def study_folder(study_uid: str) -> str:
    """The folder of a study below the archive's: made from a hash of the UID, so that nothing received is in a path."""
    digest = hashlib.sha256(b"study\0" + study_uid.encode("utf-8", "replace")).hexdigest()
    return f"{digest[:2]}/{digest[2:4]}/{digest[4:28]}"


INCOMING = "incoming"


@dataclass(frozen=True, slots=True)
class Version:
    """Another version of a kept file: `prefix`, and then its data set, of this `digest`, from byte `resume` on.

    `study_uid` is that of the study it belongs to, None where it is the one of the kept file.
    """

    file: str
    digest: str
    prefix: bytes
    resume: int
    study_uid: str | None = None


@dataclass(frozen=True, slots=True)
class Rewritten:
    """Where a version lies; `checksum` (XXH3-64, hex) is that of its data set."""

    placed: Placed
    checksum: str


class Shelves:
    """The archive's folders: `<2 hex>/<2 hex>/<24 hex>/<arrival>.dcm`, and `incoming` for files being written."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._root = str(folder)
        self._incoming = folder / INCOMING
        self._folders = Folders(folder)
        self._folders.ensure(self._incoming)

    def place(self, filings: Sequence[Filing]) -> list[Placed]:
        """Each filing's file, on the disk under its name when this returns; placing one again changes nothing.

        ArchiveFullError or ArchiveFailedError if the disk does not take them; what was placed by then may stay.
        """
        touched: dict[str, str] = {}  # folders by study
        drafts: dict[int, tuple[str, _Draft]] = {}
        placed: dict[int, Placed] = {}
        try:
            for number, filing in enumerate(filings):
                study_uid = filing.key.study_uid
                if study_uid not in touched:
                    touched[study_uid] = study_folder(study_uid)
                    self._folders.ensure(self.folder / touched[study_uid])
                folder = touched[study_uid]
                linked = self._linked(filing, f"{folder}/{checked(filing.entry.arrival)}.dcm")
                if linked:
                    placed[number] = linked
                else:
                    drafts[number] = folder, self._write(filing.entry, filing.prefix, filing.resume)
            _synchronise([draft for _, draft in drafts.values()])
            for number, (folder, draft) in drafts.items():
                placed[number] = self._name(draft, folder)
            for folder in touched.values():
                sync_folder(self.folder / folder)
        except OSError as error:
            raise _translated(error) from error
        finally:
            _drop(draft for _, draft in drafts.values())
        return [placed[number] for number in range(len(filings))]

    def keep(self, entries: Sequence[Entry], folder: str) -> list[str]:
        """The entries as they are in one folder below the archive's, durably; gives their files."""
        place = self.folder / folder
        names = [f"{checked(entry.arrival)}.dcm" for entry in entries]
        drafts: dict[Path, _Draft] = {}
        try:
            self._folders.ensure(place)
            for entry, name in zip(entries, names, strict=True):
                if not (place / name).exists() and not _link(entry, place / name):
                    drafts[place / name] = self._write(entry)
            _synchronise(list(drafts.values()))
            for path, draft in drafts.items():
                os.rename(draft.part, path)
            sync_folder(place)
        except OSError as error:
            raise _translated(error) from error
        finally:
            _drop(drafts.values())
        return [f"{folder}/{name}" for name in names]

    def rewrite(self, versions: Sequence[Version], announce: Callable[[Sequence[str]], None]) -> list[Rewritten]:
        """The versions' files, on the disk under names of their own when this returns; the old ones stay.

        `announce` is called with the names before there are such files. DamagedError where a kept file has changed;
        ArchiveFullError or ArchiveFailedError if the disk does not take them.
        """
        drafts: list[_Draft] = []
        checksums: list[str] = []
        try:
            for version in versions:
                sums = self._write_version(version, drafts)
                checksums.append(sums.checksum.hexdigest())
            _synchronise(drafts)
            for study_uid in {version.study_uid for version in versions if version.study_uid is not None}:
                self._folders.ensure(self.folder / study_folder(study_uid))
            files = [_version_file(version, draft) for version, draft in zip(versions, drafts, strict=True)]
            announce(files)
            for file, draft in zip(files, drafts, strict=True):
                os.replace(draft.part, f"{self._root}/{file}")  # what may be there has the same content
            for folder in {file.rsplit("/", 1)[0] for file in files}:
                sync_folder(self.folder / folder)
        except OSError as error:
            raise _translated(error) from error
        finally:
            _drop(drafts)
        return [
            Rewritten(_placed(file, draft.head), checksum)
            for file, draft, checksum in zip(files, drafts, checksums, strict=True)
        ]

    def sweep(self) -> int:
        """Drop files that were being written when their process died; gives how many."""
        return drop_abandoned(self._incoming)

    def _linked(self, filing: Filing, file: str) -> Placed | None:
        """The entry itself under a new name, if it is unchanged, links are possible and the name is free or its own."""
        entry = filing.entry
        if filing.prefix is not None or entry.content is not None:
            return None
        placed = Placed(file, entry.digest, entry.size, entry.data_set_offset)
        try:
            return placed if _link(entry, self.folder / file) else None
        except FileExistsError:
            return placed if _is(self.folder / file, entry.digest) else None

    def _write_version(self, version: Version, drafts: list[_Draft]) -> "_Sums":
        """Add the version's draft; DamagedError if what it is made from is not what was kept."""
        try:
            path = self.folder / version.file
            head = read_head(path)
            entry = entry_of(path, head)
            sums = _Sums(entry.data_set(0, version.resume), version.prefix)
            drafts.append(self._write(entry, version.prefix, version.resume, head.stamp.received_digest, sums))
        except EntryUnreadableError as error:
            raise DamagedError(version.file) from error
        if entry.digest != version.digest or sums.kept.hexdigest() != version.digest:
            raise DamagedError(version.file)
        return sums

    def _write(
        self,
        entry: Entry,
        prefix: bytes | None = None,
        resume: int = 0,
        received_digest: str | None = None,
        sums: "_Sums | None" = None,
    ) -> _Draft:
        """A new Part 10 file of the data set as it is to be kept, complete but not yet synchronised nor named.

        The rest of an edited original is read because its digest is needed; that is why the kernel does not copy it.
        """
        size = entry.size if prefix is None else len(prefix) + entry.size - resume
        stamp = Stamp(entry.arrival, entry.origin, entry.digest, size, received_digest or entry.digest)
        head = encode_head(entry.identity, stamp)
        part = f"{self._incoming}/{uuid4().hex}.part"
        file = create(part)
        try:
            try_lock(file)
            write(file, head)
            if prefix is None:
                _append(entry, 0, file)
            else:
                digest = sums or hashlib.sha256(prefix)
                write(file, prefix)
                _append(entry, resume, file, digest)
                stamp = replace(stamp, digest=digest.hexdigest())
                file.seek(0)
                write(file, encode_head(entry.identity, stamp, len(head)))
            start_to_sync(file)  # while the others of the batch are written; they share the disk's commits
        except BaseException:
            file.close()
            os.unlink(part)
            raise
        return _Draft(part, file, Head(entry.identity, stamp, len(head)))

    def _name(self, draft: _Draft, folder: str) -> Placed:
        """The file under its arrival's name; if another content has it (made by older rules), with its digest added.

        So a file that the index may already know is never written over.
        """
        stamp = draft.head.stamp
        for name in (f"{stamp.arrival}.dcm", f"{stamp.arrival}-{stamp.digest[:16]}.dcm"):
            path = f"{self._root}/{folder}/{name}"
            placed = _placed(f"{folder}/{name}", draft.head)
            if not os.path.exists(path):
                os.rename(draft.part, path)
                return placed
            if _is(Path(path), stamp.digest):
                return placed
        raise ArchiveFailedError("a file of the archive is not what its name says")


class _Sums:
    """The sums of a version while it is written, and of the data set it is made from."""

    def __init__(self, replaced: bytes, prefix: bytes) -> None:
        self.kept = hashlib.sha256(replaced)
        self.digest = hashlib.sha256(prefix)
        self.checksum = xxh3_64(prefix)

    def update(self, chunk: bytes | memoryview) -> None:
        """This is in both."""
        for each in (self.kept, self.digest, self.checksum):
            each.update(chunk)

    def hexdigest(self) -> str:
        """The digest of the version."""
        return self.digest.hexdigest()


def _placed(file: str, head: Head) -> Placed:
    return Placed(file, head.stamp.digest, head.stamp.size, head.data_set_offset)


def _version_file(version: Version, draft: _Draft) -> str:
    """A name that no other content has or will have: whoever reads a file reads one version."""
    stamp = draft.head.stamp
    folder = version.file.rsplit("/", 1)[0] if version.study_uid is None else study_folder(version.study_uid)
    return f"{folder}/{checked(stamp.arrival)}-{stamp.digest[:16]}.dcm"


def _link(entry: Entry, path: Path) -> bool:
    """Whether the entry's own file has the new name; an entry in a segment has no file of its own."""
    return entry.content is None and link(entry.path, path)


def _append(entry: Entry, start: int, file: FileIO, digest: "hashlib._Hash | _Sums | None" = None) -> None:
    """The rest of the data set from byte `start` on."""
    missing = entry.size - start
    for chunk in _chunks(entry, start):
        if digest is not None:
            digest.update(chunk)
        write(file, chunk)
        missing -= len(chunk)
    if missing:
        raise EntryUnreadableError("the file is not as long as it was", entry.arrival)


def _chunks(entry: Entry, start: int) -> Iterator[bytes | memoryview]:
    """The data set from byte `start` on. Where the disk fails it is the entry's fault and nobody else's."""
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


def _synchronise(drafts: Sequence[_Draft]) -> None:
    """Every draft's file is on the disk and closed; the first OSError is raised."""
    for draft in drafts:
        sync_file(draft.file)
        draft.file.close()


def _drop(drafts: Iterable[_Draft]) -> None:
    """What is left of drafts that have no name yet."""
    for draft in drafts:
        with suppress(OSError):
            draft.file.close()
            os.unlink(draft.part)


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
