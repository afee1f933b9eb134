"""Finds files in the archive's study folders that the index does not know. It reads names only and removes nothing."""

import os
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from sqlalchemy import select

from archive.arrivals import ARRIVAL_LENGTH
from archive.database import Database
from archive.records import in_parts
from archive.spool import Backlog
from archive.tables import instances, leftovers

YOUNG_SECONDS = 300.0  # a file is placed before the transaction that makes it known
_STUDY_FOLDER = (re.compile(r"[0-9a-f]{2}"), re.compile(r"[0-9a-f]{2}"), re.compile(r"[0-9a-f]{24}"))
_FILE = re.compile(rf"([0-9a-f]{{{ARRIVAL_LENGTH}}})(-[0-9a-f]{{16}})?\.dcm")


def orphans(database: Database, folder: Path, backlog: Callable[[], Backlog]) -> Iterator[tuple[str, bool]]:
    """Each `*.dcm` below the study folders, below `folder` and with `/`, and whether it is an orphan.

    `backlog` says what waits to be filed, and since when the first of it does: a file of what came since is none yet.
    Nor is one that was written a moment ago.
    """
    for study in _study_folders(folder):
        for some in in_parts(_files(folder, study)):
            strangers = _unknown(database, some)
            if strangers:  # asked again after a look at the spool: what left it was committed before
                since = _since(backlog())
                strangers &= {file for file in _unknown(database, some) if not _may_be_on_its_way(folder, file, since)}
            yield from ((file, file in strangers) for file in some)


def _study_folders(folder: Path) -> Iterator[str]:
    def below(place: str, depth: int) -> Iterator[str]:
        if depth == len(_STUDY_FOLDER):
            yield place
            return
        with os.scandir(folder / place) as found:
            names = sorted(each.name for each in found if _STUDY_FOLDER[depth].fullmatch(each.name) and each.is_dir())
        for name in names:
            yield from below(f"{place}/{name}" if place else name, depth + 1)

    return below("", 0)


def _files(folder: Path, study: str) -> Iterator[str]:
    with os.scandir(folder / study) as found:
        for each in found:
            if each.name.endswith(".dcm"):
                yield f"{study}/{each.name}"


def _unknown(database: Database, files: list[str]) -> set[str]:
    by_arrival = {match[1] for file in files if (match := _FILE.fullmatch(file.rsplit("/", 1)[1]))}
    with database.read() as connection:
        query = select(instances.c.file).where(instances.c.arrival.in_(sorted(by_arrival)))
        leaving = select(leftovers.c.file).where(leftovers.c.file.in_(files))
        return set(files).difference(connection.scalars(query), connection.scalars(leaving))


def _since(backlog: Backlog) -> float | None:
    """The earliest time of arrival of what may be about to be filed; None if that is nothing."""
    if not backlog.count:
        return None
    return backlog.oldest.timestamp() if backlog.oldest is not None else 0.0


def _may_be_on_its_way(folder: Path, file: str, since: float | None) -> bool:
    match = _FILE.fullmatch(file.rsplit("/", 1)[1])
    if match and since is not None and int(match[1][:16], 16) / 1e6 >= since:
        return True
    try:
        return (folder / file).stat().st_mtime > time.time() - YOUNG_SECONDS
    except FileNotFoundError:
        return True
