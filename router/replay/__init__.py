"""Replay: what has arrived at the archive, through the rules in force and through new ones. Writes nothing at all."""

from router.replay.differing import ARCHIVE
from router.replay.running import Choice, replay
from router.replay.tally import Deed, Kind, Pair, Seen, Sent, StudyTally, Tally, Unread
from router.replay.telling import Move, as_plain, moves

__all__ = [
    "ARCHIVE",
    "Choice",
    "Deed",
    "Kind",
    "Move",
    "Pair",
    "Seen",
    "Sent",
    "StudyTally",
    "Tally",
    "Unread",
    "as_plain",
    "moves",
    "replay",
]
