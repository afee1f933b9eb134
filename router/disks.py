"""How the disks of spool, archive and database are: short of space, read-only, gone. Mends and moves nothing."""

import errno
import os
import shutil
from collections.abc import Collection
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

from sqlalchemy.engine import make_url

from router.config import Configuration
from router.errors import RouterError
from router.sizes import size

MOST_RESERVED_BYTES = 1_000_000_000
RESERVED_SHARE = 20
WARN_TIMES = 2  # the reserve
MARGIN_SHARE = 10  # of a limit that must be free beyond it before things count as better: no news at every instance

_MADE = {"spool": ("incoming", "sealed", "segments"), "archive": ("incoming", "[0-9a-f][0-9a-f]")}


class DiskGoneError(RouterError):
    """What was on a disk is not there any more."""


class Health(IntEnum):
    """How a disk is, from good to bad."""

    GOOD = 0
    SHORT = 1
    FULL = 2
    READ_ONLY = 3
    GONE = 4

    def __str__(self) -> str:
        return ("good", "getting full", "full", "read-only", "gone")[self]


@dataclass(frozen=True, slots=True)
class Disk:
    """One file system, and what of ours lies on it: "spool", "archive", "database". Sizes are in bytes.

    `reserve` is what should stay free; on the spool's disk it does.
    """

    uses: tuple[str, ...]
    folder: Path
    health: Health
    free: int = 0
    total: int = 0
    reserve: int = 0

    def __str__(self) -> str:
        """What it is like, and what to do."""
        return f"the disk of {', '.join(self.uses)} ({self.folder}) is {self.health}: {self._advice()}"

    def health_after(self, before: Health) -> Health:
        """As `health`, but no better than `before` while it is hardly better."""
        return max(self.health, min(before, _filled(self.free, self.reserve + self.reserve // MARGIN_SHARE)))

    def _advice(self) -> str:
        left = f"{size(self.free)} left"
        if self.health is Health.GOOD:
            return left
        if self.health is Health.READ_ONLY:
            return "look at the system's log, then mount it for writing"
        if self.health is Health.GONE:
            return "nothing of what it had is there; mount it again"
        if "spool" not in self.uses:
            return f"{left}; when it has none, filing stops and instances wait in the spool; make room"
        if self.health is Health.SHORT:
            return f"{left}; below {size(self.reserve)} scanners are refused with A700; make room"
        return f"{left}, and {size(self.reserve)} stay free, so scanners are refused with A700; make room"


def look(configuration: Configuration, *, has_run: bool = False) -> list[Disk]:
    """Each disk that something of ours lies on, once. `has_run` says that all of it must be there."""
    missing = _missing(configuration, has_run=has_run)
    by_device: dict[int, list[str]] = {}
    for use, place in _places(configuration).items():
        if use not in missing:
            by_device.setdefault(_nearest(place).stat().st_dev, []).append(use)
    disks = [_disk(configuration, tuple(uses)) for uses in by_device.values()]
    return disks + [Disk((use,), _places(configuration)[use], Health.GONE) for use in missing]


def refuse_what_is_missing(configuration: Configuration, uses: Collection[str]) -> None:
    """DiskGoneError where one of these was in use before and is not there: nothing is begun anew in its place.

    What was kept in an empty folder would be hidden as soon as the disk is mounted on it.
    """
    for use in _missing(configuration):
        if use in uses:
            raise DiskGoneError(
                f"the {use} was in use before, and {_places(configuration)[use]} is empty or not there: "
                f"mount its disk; or, if it is lost, remove {_witness(configuration)} to begin anew"
            )


def reserve(configuration: Configuration, use: str) -> int:
    """The bytes that should stay free: as configured, else 1 GB; no more than a twentieth of the disk.

    On the disk of the spool it is what is configured, however much.
    """
    configured = configuration.settings.archive.free_space
    if configured is not None and use == "spool":
        return configured
    total = shutil.disk_usage(_nearest(_places(configuration)[use])).total
    return min(MOST_RESERVED_BYTES if configured is None else configured, total // RESERVED_SHARE)


def _disk(configuration: Configuration, uses: tuple[str, ...]) -> Disk:
    folder = _nearest(_places(configuration)[uses[0]])
    usage, reserved = shutil.disk_usage(folder), reserve(configuration, uses[0])
    health = Health.READ_ONLY if _is_read_only(folder) else _filled(usage.free, reserved)
    return Disk(uses, folder, health, usage.free, usage.total, reserved)


def _is_read_only(folder: Path) -> bool:
    """By trying, since a file system that has found an error in itself may not say so."""
    try:
        os.utime(folder)
    except OSError as error:
        return error.errno == errno.EROFS
    return False


def _filled(free: int, reserved: int) -> Health:
    if free < reserved:
        return Health.FULL
    return Health.SHORT if free < WARN_TIMES * reserved else Health.GOOD


def _missing(configuration: Configuration, *, has_run: bool = False) -> list[str]:
    """What is not there although the appliance has run here before."""
    if not has_run and not _witness(configuration).exists():
        return []
    return [use for use, place in _places(configuration).items() if not _is_ours(use, place)]


def _is_ours(use: str, place: Path) -> bool:
    """Whether there is anything that the appliance makes there; a folder that nothing is mounted on has nothing."""
    return place.is_file() if use == "database" else any(any(place.glob(name)) for name in _MADE[use])


def _places(configuration: Configuration) -> dict[str, Path]:
    """Spool, archive, and the database if it is a file of ours."""
    places = {"spool": configuration.data / "spool", "archive": configuration.data / "archive"}
    named = configuration.settings.appliance.database
    url = make_url(named.reveal()) if named else None
    if url is None:
        places["database"] = configuration.data / "micropacs.db"
    elif url.get_backend_name() == "sqlite" and url.database:
        places["database"] = Path(url.database).absolute()
    return places


def _witness(configuration: Configuration) -> Path:
    """What is there once the appliance has run."""
    return configuration.data / "node"


def _nearest(place: Path) -> Path:
    """The folder a place is in or will be."""
    return next((folder for folder in (place, *place.parents) if folder.is_dir()), place)
