"""Writes other versions of kept files, each beside the one it is made from. Does not make them those that are kept."""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

from xxhash import xxh3_64

from archive.arrivals import checked
from archive.drafts import Draft, Drafts
from archive.entry import entry_of
from archive.errors import DamagedError, EntryUnreadableError
from archive.files import sync_folder
from archive.filing import Rewritten, Version, study_folder
from archive.part10 import read_head
from archive.shelves import Shelves


def write_versions(
    shelves: Shelves, versions: Sequence[Version], announce: Callable[[Sequence[str]], None]
) -> list[Rewritten]:
    """The versions' files, on the disk under names of their own when this returns; the old ones stay.

    `announce` is called with the names before there are such files. DamagedError where a kept file has changed;
    ArchiveFullError or ArchiveFailedError if the disk does not take them.
    """
    with shelves.drafting() as drafts:
        written = [_write(shelves.folder, version, drafts) for version in versions]
        drafts.synchronise()
        for study_uid in {version.study_uid for version in versions if version.study_uid is not None}:
            shelves.study(study_uid)
        files = [_file(version, draft) for version, (draft, _) in zip(versions, written, strict=True)]
        announce(files)
        for file, (draft, _) in zip(files, written, strict=True):
            draft.name(shelves.folder / file)  # what may be there has the same content
        for folder in {file.rsplit("/", 1)[0] for file in files}:
            sync_folder(shelves.folder / folder)
    return [Rewritten(draft.placed(file), checksum) for file, (draft, checksum) in zip(files, written, strict=True)]


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


def _write(folder: Path, version: Version, drafts: Drafts) -> tuple[Draft, str]:
    """The version's draft and its checksum; DamagedError if what it is made from is not what was kept."""
    try:
        path = folder / version.file
        head = read_head(path)
        entry = entry_of(path, head)
        sums = _Sums(entry.data_set(0, version.resume), version.prefix)
        draft = drafts.write(entry, version.prefix, version.resume, head.stamp.received_digest, sums)
    except EntryUnreadableError as error:
        raise DamagedError(version.file) from error
    if entry.digest != version.digest or sums.kept.hexdigest() != version.digest:
        raise DamagedError(version.file)
    return draft, sums.checksum.hexdigest()


def _file(version: Version, draft: Draft) -> str:
    """A name that no other content has or will have: whoever reads a file reads one version."""
    stamp = draft.head.stamp
    folder = version.file.rsplit("/", 1)[0] if version.study_uid is None else study_folder(version.study_uid)
    return f"{folder}/{checked(stamp.arrival)}-{stamp.digest[:16]}.dcm"
