"""One study over one association from `dcmsend` without Nagle: until the last Success, and until it is filed."""

import os
import time
from collections import defaultdict
from pathlib import Path

from benchmarks import peers
from benchmarks.figure import Figure, at_least, at_most, ours_to_peer, peer_to_ours
from benchmarks.settings import Settings
from benchmarks.site import Site, settle_disk, site
from benchmarks.study import Study, counts, scanner


def measure(settings: Settings) -> list[Figure]:
    """Ours, `storescp +B` and Orthanc with its best settings; each round has a study of its own, new to everybody.

    A round before the first is not counted: the spool's segments are new once, and then written over and over.
    """
    folder, make = settings.folder, scanner()
    studies = [make.study(folder / f"study-{number}", *counts(settings)) for number in range(settings.rounds + 1)]
    found: dict[str, list[float]] = defaultdict(list)
    with (
        site(folder / "site") as ours,
        peers.storescp(folder / "storescp") as plain,
        peers.orthanc_at_best(folder / "orthanc") as orthanc,
    ):
        for number, study in enumerate(studies):
            settings.say(f"receive: round {number} of {settings.rounds}" if number else "receive: a round not counted")
            settle_disk()
            found["plain"].append(peers.dcmsend(plain.port, study.folder))
            plain.clear()
            settle_disk()
            success, filed = receive(ours, study)
            found["success"].append(success)
            found["filed"].append(filed)
            settle_disk()
            found["disk"].append(_write_durably(folder / f"disk-{number}", study))
            settle_disk()
            found["orthanc"].append(peers.dcmsend(orthanc.port, study.folder))
    taken = {name: seconds[1:] for name, seconds in found.items()}
    size = f"{len(studies[0].files)} instances, {studies[0].bytes / 1e6:.0f} MB; the headers are {make.headers}"
    what = "receive a study, until the last Success"
    return [
        ours_to_peer(what, "s", taken["success"], taken["plain"], "storescp +B", at_most(1.4), at_most(1.1), size),
        ours_to_peer(
            "receive a study, until it is filed",
            "s",
            taken["filed"],
            taken["plain"],
            "storescp +B",
            at_most(2),
            at_most(1.3),
        ),
        peer_to_ours(what, "s", taken["success"], taken["orthanc"], "Orthanc, best", at_least(3), at_least(4.5)),
        ours_to_peer(what, "s", taken["success"], taken["disk"], "the disk alone"),
    ]


def _write_durably(folder: Path, study: Study) -> float:
    """Write each file of a study anew and synchronise it before the next, nothing else; seconds."""
    contents = [path.read_bytes() for path in study.files]
    folder.mkdir()
    started = time.monotonic()
    for number, content in enumerate(contents):
        with (folder / str(number)).open("wb", buffering=0) as file:
            file.write(content)
            os.fdatasync(file.fileno())
    return time.monotonic() - started


def receive(ours: Site, study: Study) -> tuple[float, float]:
    """Send a study to the appliance; seconds until the sender has ended, and until all is indexed and queued."""
    before = ours.marks()
    started = time.monotonic()
    success = peers.dcmsend(ours.port, study.folder)
    ours.wait_filed(before, len(study.files))
    return success, time.monotonic() - started
