"""The composition root: the one place that introduces archive, rules, queue and journal to each other. Does no work."""

import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from archive import Archive, Database, Spool, replace_durably
from router.config import Configuration
from router.delivery import Bell, Queue, machine_clock
from router.disks import refuse_what_is_missing, reserve
from router.journal import Journal
from router.migrations import upgrade
from router.revisions import Revisions

_NODE = re.compile(r"[0-9a-f]{16}")


def utc_now() -> datetime:
    """The wall clock, aware."""
    return datetime.now(UTC)


def database_url(configuration: Configuration) -> str:
    """The database of `configuration`: what it names, or else the embedded one in its data folder."""
    named = configuration.settings.appliance.database
    return named.reveal() if named else f"sqlite:///{(configuration.data / 'micropacs.db').as_posix()}"


def open_spool(configuration: Configuration) -> Spool:
    """The spool of `configuration`; DiskGoneError if it was there before and is not."""
    refuse_what_is_missing(configuration, ["spool"])
    return Spool(configuration.data / "spool", free_space=free_space(configuration))


def free_space(configuration: Configuration) -> int:
    """The bytes that are left free on the disk of the spool."""
    return reserve(configuration, "spool")


@dataclass(frozen=True, slots=True)
class Appliance:
    """The opened parts; each user takes those it needs."""

    database: Database
    spool: Spool
    archive: Archive
    queue: Queue
    journal: Journal
    revisions: Revisions
    bell: Bell

    @classmethod
    def open(cls, configuration: Configuration, now: Callable[[], datetime] = utc_now) -> "Appliance":
        """Open the database (its schema brought up to date), the spool and the archive of `configuration`.

        DiskGoneError where one of them was there before and is not.
        """
        refuse_what_is_missing(configuration, ["spool", "archive", "database"])
        data = configuration.data
        data.mkdir(parents=True, exist_ok=True, mode=0o750)
        database = Database(database_url(configuration))
        upgrade(database)
        archive = Archive(database, data / "archive")
        bell = Bell(data / "bell")
        journal = Journal(database, now)
        return cls(
            database,
            open_spool(configuration),
            archive,
            Queue(database, _holder(data), now, archive.touch, machine_clock(), journal.clock_set, bell),
            journal,
            Revisions(database, now, data),
            bell,
        )

    def close(self) -> None:
        """Let the database go."""
        self.database.dispose()


def _holder(data: Path) -> str:
    """The name this data folder's leases are held under: chosen once, the same after every restart."""
    file = data / "node"
    name = file.read_text(encoding="ascii", errors="replace") if file.exists() else ""
    if not _NODE.fullmatch(name):  # a power cut may have left an empty file, too
        name = secrets.token_hex(8)
        replace_durably(file, name.encode("ascii"), data)
    return name
