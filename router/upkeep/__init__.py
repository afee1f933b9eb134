"""Keeping house: what is done by the clock and not because something arrived."""

from router.upkeep.doubt import Doubt
from router.upkeep.schedule import Upkeep
from router.upkeep.verification import Rounds, Verifier

__all__ = ["Doubt", "Rounds", "Upkeep", "Verifier"]
