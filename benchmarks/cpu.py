"""CPU time of the receive process for one instance, large and small, from `dcmsend` without Nagle; and `storescp`'s."""

from collections.abc import Sequence
from statistics import median

from benchmarks import peers
from benchmarks.figure import Figure, at_most, ours_alone, ours_to_peer
from benchmarks.processes import Cpu, cpu, listening_on
from benchmarks.settings import Settings
from benchmarks.site import Site, settle_disk, site
from benchmarks.study import PET_INSTANCES, Study, scanner


def measure(settings: Settings) -> list[Figure]:
    """Several hundred instances of each size a round; the median of the rounds.

    How long a core takes for the same work is not the same on two machines, nor on this one in two hours: so the
    milliseconds are judged, and what `storescp` used for the same study stands beside them.
    """
    folder, make = settings.folder, scanner()
    count = settings.scaled(PET_INSTANCES)
    sizes = {"530 kB": (0, count, 0.5, 0.3), "35 kB": (count, 0, 0.3, 0.2)}
    ours: dict[str, list[Cpu]] = {size: [] for size in sizes}
    plain: dict[str, list[Cpu]] = {size: [] for size in sizes}
    with site(folder / "site") as appliance, peers.storescp(folder / "storescp") as receiver:
        for pet, ct, *_ in sizes.values():  # the spool's segments are new once, and then written over and over
            _used(appliance, make.study(folder / f"{pet}-{ct}", pet=pet, ct=ct))
        for number in range(settings.rounds):
            settings.say(f"cpu: round {number + 1} of {settings.rounds}")
            for size, (pet, ct, *_) in sizes.items():
                study = make.study(folder / f"{pet}-{ct}-{number}", pet=pet, ct=ct)
                plain[size].append(_of_storescp(receiver, study))
                ours[size].append(_used(appliance, study))
    return [
        figure
        for size, (*_, reach, beyond) in sizes.items()
        for figure in _figures(size, ours[size], plain[size], count, (reach, beyond))
    ]


def _used(ours: Site, study: Study) -> Cpu:
    """The CPU time of the receive process for a study, until it is filed."""
    settle_disk()
    receiver = ours.running.roles()["receive"]
    before, used = ours.marks(), cpu(receiver)
    peers.dcmsend(ours.port, study.folder)
    ours.wait_filed(before, len(study.files))
    return cpu(receiver) - used


def _of_storescp(receiver: peers.Receiver, study: Study) -> Cpu:
    """The CPU time of `storescp` for a study, which it does not synchronise."""
    settle_disk()
    receiver.clear()
    process = listening_on(receiver.port)
    used = cpu(process)
    peers.dcmsend(receiver.port, study.folder)
    return cpu(process) - used


def _figures(
    size: str, used: Sequence[Cpu], plain: Sequence[Cpu], count: int, bounds: tuple[float, float]
) -> list[Figure]:
    each, theirs = ([1000 * one.total / count for one in found] for found in (used, plain))
    user = sum(one.user for one in used) / sum(one.total for one in used) if any(each) else 0.0
    note = f"{user:.0%} of it in user mode, the rest in the kernel"
    figures = [ours_alone(f"CPU to receive {size}", "ms", each, at_most(bounds[0]), at_most(bounds[1]), note)]
    if median(theirs):
        figures.append(ours_to_peer(f"CPU to receive {size}, beside storescp", "ms", each, theirs, "storescp +B"))
    return figures
