"""Keeping house: what is done by the clock and not because something arrived."""

from router.upkeep.schedule import Upkeep

__all__ = ["Upkeep"]
