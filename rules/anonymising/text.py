"""Free text without what identifies: the words that are known to, dates, long numbers, addresses, titled names."""

import re
from collections.abc import Iterable

_PATTERNS = [
    re.compile(pattern)
    for pattern in (
        r"[\w.+-]+@[\w-]+(\.[\w-]+)+",  # mail
        r"\b(https?|ftp)://\S+|\bwww\.\S+",
        r"\b\d{1,4}[./-]\d{1,2}[./-]\d{1,4}\b",  # a date in any order
        r"(?i)\b\d{1,2}[ .-]?(jan|feb|mar|apr|ma[iy]|jun|jul|aug|sep|o[ck]t|nov|de[cz])[a-z]*[ .-]?\d{2,4}\b",
        r"(?i)\b(dr|mr|mrs|ms|prof|herr|frau|mme|sr|sra)\b\.? ?[^\W\d_][\w'-]*",
        r"\+?\d[\d /()-]{6,}\d",  # a telephone number
        r"\b\w*\d{5,}\w*\b",  # a number that could be anybody's
    )
]
_SPACES = re.compile(r"\s{2,}")


def without_words(text: str, words: Iterable[str]) -> str:
    """The text without these words, whole ones in any case; the same text if it has none of them."""
    lowered = text.lower()
    there = sorted((word for word in words if word in lowered), key=len, reverse=True)
    cleaned = text
    for word in there:
        cleaned = re.sub(rf"(?<![^\W_]){re.escape(word)}(?![^\W_])", " ", cleaned, flags=re.IGNORECASE)
    return text if cleaned == text else _tidy(cleaned)


def without_identity(text: str, words: Iterable[str]) -> str:
    """The text without these words and without what looks like identity; perhaps empty."""
    text = without_words(text, words)
    for pattern in _PATTERNS:
        text = pattern.sub(" ", text)
    return _tidy(text)


def _tidy(text: str) -> str:
    return _SPACES.sub(" ", text).strip(" ,;:-_/")
