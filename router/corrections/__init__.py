"""Corrections by a person to what is kept, and their undoing."""

from router.corrections.correcting import Corrected, CorrectionError, Corrector
from router.corrections.values import correctable

__all__ = ["Corrected", "CorrectionError", "Corrector", "correctable"]
