"""A study from the archive to `storescp +B`, against `dcmsend` of the same files to it. Edits no header (see edits)."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import time

from benchmarks import peers
from benchmarks.figure import Figure, at_least, at_most, ours_to_peer, peer_to_ours
from benchmarks.nagle import MOST_ROUNDS, PARTS
from benchmarks.settings import Settings
from benchmarks.site import Site, operator, settle_disk, site
from benchmarks.study import Study, counts, scanner


@dataclass(slots=True)
class Sent:
    """Seconds of every round: from the order to send until the last arrival, and from the first arrival to it."""

    from_order: list[float] = field(default_factory=list)
    from_first: list[float] = field(default_factory=list)

    def add(self, ordered: float, arrivals: tuple[float, float]) -> None:
        """One round more; all times are seconds since 1970."""
        first, last = arrivals
        self.from_order.append(last - ordered)
        self.from_first.append(last - first)


@dataclass(frozen=True, slots=True)
class Pair:
    """An appliance and the receiver that its destination is."""

    ours: Site
    receiver: peers.Receiver


@contextmanager
def pair(folder: Path, environment: Mapping[str, str], edits: str = "") -> Iterator[Pair]:
    """An appliance whose paused destination is a `storescp +B`."""
    with (
        peers.storescp(folder / "storescp", environment=environment) as receiver,
        site(folder / "site", receiver.port, edits) as ours,
    ):
        yield Pair(ours, receiver)


def forward(way: Pair, study: Study, sent: Sent) -> None:
    """Have the appliance receive a study, then measure how it sends it. ValueError where not every file arrived."""
    before = way.ours.marks()
    peers.dcmsend(way.ours.port, study.folder)
    way.ours.wait_filed(before, len(study.files))
    settle_disk()
    with operator(way.ours) as appliance:
        ordered = time()
        appliance.queue.resume("pacs")
        way.ours.wait_delivered()
        appliance.queue.pause("pacs", "measured")
    if way.receiver.received() != len(study.files):
        raise ValueError(f"{way.receiver.received()} files arrived: {way.ours.states()}")
    sent.add(ordered, way.receiver.arrivals())
    way.receiver.clear()


def measure(settings: Settings) -> list[Figure]:
    """Without Nagle at the receiver the whole study, with it a third of the study, as `dcmsend` takes so long."""
    ours, peer = _against_dcmsend(settings, "forward", 1, settings.rounds, peers.NO_NAGLE)
    bounds = at_most(0.7), at_most(0.45)
    figures = [
        ours_to_peer(
            "forward a study, first to last arrival", "s", ours.from_first, peer.from_first, "dcmsend", *bounds
        ),
        ours_to_peer(
            "forward a study, order to last arrival", "s", ours.from_order, peer.from_order, "dcmsend", *bounds
        ),
    ]
    rounds = min(settings.rounds, MOST_ROUNDS)
    ours, peer = _against_dcmsend(settings, "forward to Nagle", PARTS, rounds, peers.AS_IT_COMES)
    slow = at_least(40), at_least(80)
    what = "forward to a receiver with Nagle, first to last"
    return [
        *figures,
        peer_to_ours(what, "s", ours.from_first, peer.from_first, "dcmsend", *slow, "a third of the study"),
    ]


def _against_dcmsend(
    settings: Settings, name: str, parts: int, rounds: int, environment: Mapping[str, str]
) -> tuple[Sent, Sent]:
    folder, make = settings.folder / name.replace(" ", "-"), scanner()
    ours, peer = Sent(), Sent()
    # a receiver of its own for dcmsend: storescp takes one association at a time, and ours stays open for a while
    with pair(folder, environment) as way, peers.storescp(folder / "beside", environment=environment) as beside:
        for number in range(rounds):
            settings.say(f"{name}: round {number + 1} of {rounds}")
            study = make.study(folder / f"study-{number}", *counts(settings, parts))
            forward(way, study, ours)
            settle_disk()
            ordered = time()
            peers.dcmsend(beside.port, study.folder, environment)
            peer.add(ordered, beside.arrivals())
            beside.clear()
    return ours, peer
