"""Dates moved by whole days. Times stay, so that decay and SUV still compute."""

import re
from datetime import date, timedelta

_DATE = re.compile(r"(\d{4})(\d\d)(\d\d)")
_OLD_DATE = re.compile(r"(\d{4})\.(\d\d)\.(\d\d)")  # ACR-NEMA, still read (PS3.5 6.2)


def shifted(value: str, vr: str, days: int) -> str | None:
    """A DA or DT value so many days later; None where it names no day of the calendar and so cannot be moved."""
    text = value.strip()
    match = _DATE.match(text) if vr == "DT" else _DATE.fullmatch(text) or _OLD_DATE.fullmatch(text)
    if match is None:
        return None
    try:
        moved = date(int(match[1]), int(match[2]), int(match[3])) + timedelta(days)
    except (ValueError, OverflowError):
        return None
    return f"{moved.year:04d}{moved.month:02d}{moved.day:02d}{text[match.end() :]}"
