"""The CPU an appliance takes that has nothing to do but to keep 50 idle associations open."""

import time

from benchmarks.figure import Figure, at_most
from benchmarks.processes import cpu
from benchmarks.settings import Settings
from benchmarks.site import Site, site
from router.dimse import Peer, Requestor

ASSOCIATIONS = 50
SECONDS = 20.0
VERIFICATION = "1.2.840.10008.1.1"
IMPLICIT_LITTLE_ENDIAN = "1.2.840.10008.1.2"


def measure(settings: Settings) -> list[Figure]:
    """All processes of the appliance together, per cent of one core."""
    with site(settings.folder / "site") as ours:
        peer = Peer("MICROPACS", "127.0.0.1", ours.port)
        contexts = [(VERIFICATION, [IMPLICIT_LITTLE_ENDIAN])]
        settings.say(f"idle: {ASSOCIATIONS} associations are open")
        alone = _percent(ours, settings)
        associations = [Requestor.connect(peer, "SCANNER", contexts) for _ in range(ASSOCIATIONS)]
        with_all = _percent(ours, settings)
        if not all(association.is_open for association in associations):
            raise ValueError("an idle association was ended")
        for association in associations:
            association.release()
    each = ", ".join(f"{name} {percent:.2f} %" for name, percent in with_all.items())
    note = f"{each}; without any association {sum(alone.values()):.2f} %"
    what = f"CPU of an idle appliance, {ASSOCIATIONS} associations"
    return [Figure(what, "%", sum(with_all.values()), reach=at_most(1), note=note)]


def _percent(ours: Site, settings: Settings) -> dict[str, float]:
    """Per process, over some seconds in which nothing happens."""
    assert ours.running.process is not None
    processes = {"supervisor": ours.running.process.pid, **ours.running.roles()}
    seconds = max(1.0, SECONDS * settings.scale)
    before = {name: cpu(pid) for name, pid in processes.items()}
    time.sleep(seconds)
    return {name: 100 * (cpu(pid) - before[name]).total / seconds for name, pid in processes.items()}
