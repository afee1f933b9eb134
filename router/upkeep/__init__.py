"""Keeping house: what is done by the clock and not because something arrived."""

from router.upkeep.disks import NOT_SYNCHRONISED, DiskWatch, last_synchronising
from router.upkeep.doubt import Doubt
from router.upkeep.schedule import Upkeep
from router.upkeep.verification import Rounds, Verifier

__all__ = ["NOT_SYNCHRONISED", "DiskWatch", "Doubt", "Rounds", "Upkeep", "Verifier", "last_synchronising"]
