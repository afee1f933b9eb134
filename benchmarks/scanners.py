"""Four scanners at once against one: instances a second in all, and how much of the machine the senders take."""

import resource
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks import peers
from benchmarks.figure import Figure, at_least
from benchmarks.settings import Settings
from benchmarks.site import Site, settle_disk, site
from benchmarks.study import Scanner, counts, scanner

AT_ONCE = 4


@dataclass(frozen=True, slots=True)
class _Rush:
    """What some senders did: instances a second in all, and the cores their own CPU time filled."""

    rate: float
    cores: float


def measure(settings: Settings) -> list[Figure]:
    """Ours and `storescp +B --fork`: four `dcmsend` with a quarter of a study each against one with all quarters."""
    folder, make = settings.folder, scanner()
    rushes: dict[str, list[_Rush]] = defaultdict(list)
    with site(folder / "site") as ours, peers.storescp(folder / "storescp", "--fork") as plain:
        for number in range(settings.rounds):
            settings.say(f"scanners: round {number + 1} of {settings.rounds}")
            alone = _quarters(make, folder / f"alone-{number}", settings)
            together = _quarters(make, folder / f"together-{number}", settings)
            for name, folders in (("alone", [alone[0].parent]), ("together", together)):
                rushes[f"storescp {name}"].append(_rush(plain.port, folders))
                plain.clear()
                rushes[f"ours {name}"].append(_filed(ours, folders))
    return [
        _figure("4 scanners at once against 1", "ours", rushes, is_judged=True),
        _figure("… the same at storescp --fork", "storescp", rushes, is_judged=False),
    ]


def _quarters(make: Scanner, folder: Path, settings: Settings) -> list[Path]:
    return [make.study(folder / str(number), *counts(settings, AT_ONCE)).folder for number in range(AT_ONCE)]


def _filed(ours: Site, folders: Sequence[Path]) -> _Rush:
    """A rush at the appliance, which has filed everything before the next one begins."""
    before = ours.marks()
    rush = _rush(ours.port, folders)
    ours.wait_filed(before, _count(folders))
    return rush


def _rush(port: int, folders: Sequence[Path]) -> _Rush:
    settle_disk()
    used = _children_seconds()
    started = time.monotonic()
    for sending in [peers.start_dcmsend(port, folder) for folder in folders]:
        peers.finish(sending)
    seconds = time.monotonic() - started
    return _Rush(_count(folders) / seconds, (_children_seconds() - used) / seconds)


def _children_seconds() -> float:
    """The CPU seconds of all processes started here that have ended: the senders, not the receivers."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _count(folders: Sequence[Path]) -> int:
    return sum(1 for folder in folders for path in folder.rglob("*") if path.is_file())


def _figure(what: str, who: str, rushes: dict[str, list[_Rush]], *, is_judged: bool) -> Figure:
    alone, together = rushes[f"{who} alone"], rushes[f"{who} together"]
    four, one = median(each.rate for each in together), median(each.rate for each in alone)
    cores = median(each.cores for each in together), median(each.cores for each in alone)
    return Figure(
        what,
        "/s",
        four,
        one,
        "one scanner",
        four / one,
        at_least(1.3) if is_judged else None,
        note=f"the senders' own CPU: {cores[0]:.2f} cores for four, {cores[1]:.2f} for one",
        samples={"four": [each.rate for each in together], "one": [each.rate for each in alone]},
    )
