"""Forwarding with five header edits in the route against forwarding without: the same studies, the same receivers."""

from benchmarks import peers
from benchmarks.figure import Figure, at_most, ours_to_peer
from benchmarks.forward import Sent, forward, pair
from benchmarks.settings import Settings
from benchmarks.site import FIVE_EDITS
from benchmarks.study import counts, scanner

_PAIRS = 3  # a round: what the edits take is less than what one pair differs from the next


def measure(settings: Settings) -> list[Figure]:
    """Two appliances that differ in the edits of their route; from the first to the last arrival."""
    pairs = _PAIRS * settings.rounds
    folder, make = settings.folder, scanner()
    edited, plain = Sent(), Sent()
    with (
        pair(folder / "edited", peers.NO_NAGLE, FIVE_EDITS) as with_edits,
        pair(folder / "plain", peers.NO_NAGLE) as without,
    ):
        for number in range(pairs):
            settings.say(f"edits: pair {number + 1} of {pairs}")
            study = make.study(folder / f"study-{number}", *counts(settings))
            ways = (with_edits, edited), (without, plain)
            for way, sent in ways if number % 2 else reversed(ways):  # neither is always the first with a new study
                forward(way, study, sent)
    bounds = at_most(1.15), at_most(1.05)
    what = "forward with five header edits"
    return [ours_to_peer(what, "s", edited.from_first, plain.from_first, "without edits", *bounds)]
