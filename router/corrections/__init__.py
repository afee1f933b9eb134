"""Corrections by a person to what is kept, and their undoing."""

from router.corrections.correcting import Corrected, CorrectionError, Corrector
from router.corrections.values import correctable
from router.corrections.versions import restored

__all__ = ["Corrected", "CorrectionError", "Corrector", "correctable", "restored"]
