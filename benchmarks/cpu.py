"""CPU time of the receive process for one instance, large and small, sent by `dcmsend` without Nagle."""

from benchmarks import peers
from benchmarks.figure import Figure, at_most, ours_alone
from benchmarks.processes import Cpu, cpu
from benchmarks.settings import Settings
from benchmarks.site import Site, settle_disk, site
from benchmarks.study import PET_INSTANCES, Study, scanner


def measure(settings: Settings) -> list[Figure]:
    """Several hundred instances of each size a round; the median of the rounds."""
    folder, make = settings.folder, scanner()
    count = settings.scaled(PET_INSTANCES)
    large: list[Cpu] = []
    small: list[Cpu] = []
    with site(folder / "site") as ours:
        for number in range(settings.rounds):
            settings.say(f"cpu: round {number + 1} of {settings.rounds}")
            large.append(_used(ours, make.study(folder / f"large-{number}", pet=0, ct=count)))
            small.append(_used(ours, make.study(folder / f"small-{number}", pet=count, ct=0)))
    return [
        _figure("530 kB", large, count, 0.5, 0.3),
        _figure("35 kB", small, count, 0.3, 0.2),
    ]


def _used(ours: Site, study: Study) -> Cpu:
    """The CPU time of the receive process for a study, until it is filed."""
    settle_disk()
    receiver = ours.running.roles()["receive"]
    before, used = ours.marks(), cpu(receiver)
    peers.dcmsend(ours.port, study.folder)
    ours.wait_filed(before, len(study.files))
    return cpu(receiver) - used


def _figure(size: str, used: list[Cpu], count: int, reach: float, beyond: float) -> Figure:
    each = [1000 * one.total / count for one in used]
    user = sum(one.user for one in used) / sum(one.total for one in used) if any(one.total for one in used) else 0.0
    note = f"{user:.0%} of it in user mode, the rest in the kernel"
    return ours_alone(f"CPU to receive {size}", "ms", each, at_most(reach), at_most(beyond), note)
