"""One study from a `dcmsend` as it comes, with Nagle's algorithm on: the peers wait 40 ms a message, ours need not."""

from collections import defaultdict

from benchmarks import peers
from benchmarks.figure import Figure, at_least, peer_to_ours
from benchmarks.settings import Settings
from benchmarks.site import settle_disk, site
from benchmarks.study import counts, scanner

PARTS = 3  # a third of the study: the peers take a minute for the whole
MOST_ROUNDS = 3


def measure(settings: Settings) -> list[Figure]:
    """Ours, `storescp +B` and Orthanc as installed, until the last Success."""
    folder, make = settings.folder, scanner()
    rounds = min(settings.rounds, MOST_ROUNDS)
    studies = [make.study(folder / f"study-{number}", *counts(settings, PARTS)) for number in range(rounds)]
    taken: dict[str, list[float]] = defaultdict(list)
    with (
        site(folder / "site") as ours,
        peers.storescp(folder / "storescp", environment=peers.AS_IT_COMES) as plain,
        peers.orthanc_as_installed(folder / "orthanc") as orthanc,
    ):
        for number, study in enumerate(studies):
            settings.say(f"nagle: round {number + 1} of {rounds}, the peers take long")
            for name, port in (("ours", ours.port), ("plain", plain.port), ("orthanc", orthanc.port)):
                settle_disk()
                taken[name].append(peers.dcmsend(port, study.folder, peers.AS_IT_COMES))
            plain.clear()
    what = "receive, sender as it comes (Nagle on)"
    size = f"{len(studies[0].files)} instances: a third of the study"
    bounds = at_least(25), at_least(40)
    return [
        peer_to_ours(what, "s", taken["ours"], taken["plain"], "storescp +B", *bounds, size),
        peer_to_ours(what, "s", taken["ours"], taken["orthanc"], "Orthanc, as installed", *bounds),
    ]
