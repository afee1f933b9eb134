"""One study from our own sender, which is faster than `dcmsend`, to the appliance and to `storescp +B`."""

from benchmarks import peers
from benchmarks.figure import Figure, at_most, ours_to_peer
from benchmarks.settings import Settings
from benchmarks.site import settle_disk, site
from benchmarks.study import counts, scanner


def measure(settings: Settings) -> list[Figure]:
    """From connecting to releasing, as the sender itself measures it."""
    folder, make = settings.folder, scanner()
    ours_seconds: list[float] = []
    plain_seconds: list[float] = []
    with site(folder / "site") as ours, peers.storescp(folder / "storescp") as plain:
        for number in range(settings.rounds):
            settings.say(f"sender: round {number + 1} of {settings.rounds}")
            study = make.study(folder / f"study-{number}", *counts(settings))
            settle_disk()
            plain_seconds.append(peers.own_sender(plain.port, study.folder))
            plain.clear()
            settle_disk()
            before = ours.marks()
            ours_seconds.append(peers.own_sender(ours.port, study.folder))
            ours.wait_filed(before, len(study.files))
    what = "receive from our own sender"
    return [ours_to_peer(what, "s", ours_seconds, plain_seconds, "storescp +B", at_most(2.2), at_most(1.5))]
