"""Gives received instances their place in the archive's folders, durably and whole. Needs no database."""

import os
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from archive.arrivals import checked
from archive.drafts import Draft, Drafts, drafting
from archive.entry import Entry
from archive.errors import ArchiveFailedError, EntryUnreadableError
from archive.files import link, sync_folder
from archive.filing import INCOMING, Filing, Placed, study_folder
from archive.folders import Folders, drop_abandoned
from archive.part10 import read_head


class Shelves:
    """The archive's folders: `<2 hex>/<2 hex>/<24 hex>/<arrival>.dcm`, and `incoming` for files being written."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._root = str(folder)
        self._incoming = folder / INCOMING
        self._folders = Folders(folder)
        self._folders.ensure(self._incoming)

    def place(self, filings: Sequence[Filing], *, gently: bool = False) -> list[Placed]:
        """Each filing's file, on the disk under its name when this returns; placing one again changes nothing.

        `gently` as for Drafts. ArchiveFullError or ArchiveFailedError if the disk does not take them; what was placed
        by then may stay.
        """
        folders: dict[str, str] = {}  # by study
        written: dict[int, tuple[str, Draft]] = {}
        placed: dict[int, Placed] = {}
        with self.drafting(gently=gently) as drafts:
            for number, filing in enumerate(filings):
                study_uid = filing.key.study_uid
                if study_uid not in folders:
                    folders[study_uid] = self.study(study_uid)
                folder = folders[study_uid]
                linked = self._linked(filing, f"{folder}/{checked(filing.entry.arrival)}.dcm")
                if linked:
                    placed[number] = linked
                else:
                    written[number] = folder, drafts.write(filing.entry, filing.prefix, filing.resume)
            drafts.synchronise()
            for number, (folder, draft) in written.items():
                placed[number] = self._name(draft, folder)
            for folder in folders.values():
                sync_folder(self.folder / folder)
        return [placed[number] for number in range(len(filings))]

    def keep(self, entries: Sequence[Entry], folder: str) -> list[str]:
        """The entries as they are in one folder below the archive's, durably; gives their files."""
        place = self.folder / folder
        names = [f"{checked(entry.arrival)}.dcm" for entry in entries]
        written: dict[Path, Draft] = {}
        with self.drafting() as drafts:
            self._folders.ensure(place)
            for entry, name in zip(entries, names, strict=True):
                if not (place / name).exists() and not _link(entry, place / name):
                    written[place / name] = drafts.write(entry)
            drafts.synchronise()
            for path, draft in written.items():
                draft.name(path)
            sync_folder(place)
        return [f"{folder}/{name}" for name in names]

    def sweep(self) -> int:
        """Drop files that were being written when their process died; gives how many."""
        return drop_abandoned(self._incoming)

    def drafting(self, *, gently: bool = False) -> AbstractContextManager[Drafts]:
        """Files to be written and named; see `drafts.drafting`."""
        return drafting(self._incoming, gently=gently)

    def study(self, study_uid: str) -> str:
        """The folder of a study, below the archive's; it is there when this returns."""
        folder = study_folder(study_uid)
        self._folders.ensure(self.folder / folder)
        return folder

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

    def _name(self, draft: Draft, folder: str) -> Placed:
        """The file under its arrival's name; if another content has it (made by older rules), with its digest added.

        So a file that the index may already know is never written over.
        """
        stamp = draft.head.stamp
        for name in (f"{stamp.arrival}.dcm", f"{stamp.arrival}-{stamp.digest[:16]}.dcm"):
            path = f"{self._root}/{folder}/{name}"
            placed = draft.placed(f"{folder}/{name}")
            if not os.path.exists(path):
                draft.name(path)
                return placed
            if _is(Path(path), stamp.digest):
                return placed
        raise ArchiveFailedError("a file of the archive is not what its name says")


def _link(entry: Entry, path: Path) -> bool:
    """Whether the entry's own file has the new name; an entry in a segment has no file of its own."""
    return entry.content is None and link(entry.path, path)


def _is(path: Path, digest: str) -> bool:
    try:
        return read_head(path).stamp.digest == digest
    except EntryUnreadableError:
        return False
