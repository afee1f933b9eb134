"""What comes before what: numbers, dates, times and ages as values that can be compared. It decides no condition."""

import re
from collections.abc import Callable
from decimal import Decimal, InvalidOperation

Ranking = Callable[[str], Decimal | None]

_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,6})?")
_AGE = re.compile(r"([0-9]{1,3})([DWMY])", re.IGNORECASE)
_DAYS = {"D": Decimal(1), "W": Decimal(7), "M": Decimal("30.4375"), "Y": Decimal("365.25")}
_DATE = re.compile(r"([0-9]{4})[-.]?(0[1-9]|1[0-2])[-.]?(0[1-9]|[12][0-9]|3[01])")
_TIME = re.compile(r"([01][0-9]|2[0-3])(?::?([0-5][0-9])(?::?([0-5][0-9]|60)(?:\.([0-9]{1,6}))?)?)?")
_DATE_TIME = re.compile(r"([0-9]{4}(?:[0-9]{2}){0,5})(?:\.([0-9]{1,6}))?(?:[+-][0-9]{4})?")
_FIRST_MOMENT = "00000101000000"


def number(text: str) -> Decimal | None:
    """A decimal number; None if the text is none."""
    text = text.strip()
    if not _NUMBER.fullmatch(text):
        return None
    try:
        return Decimal(text)
    except InvalidOperation:  # an exponent beyond all measure
        return None


def age(text: str) -> Decimal | None:
    """An age (AS, PS3.5 6.2: `045Y`, `018M`, `02W`, `3D`) in days; None if the text is none."""
    match = _AGE.fullmatch(text.strip())
    return Decimal(match[1]) * _DAYS[match[2].upper()] if match else None


def date(text: str) -> Decimal | None:
    """A date (DA; also `2024-01-31` and the old `2024.01.31`) as YYYYMMDD; None if the text is none."""
    match = _DATE.fullmatch(text.strip())
    return Decimal("".join(match.groups())) if match else None


def time(text: str) -> Decimal | None:
    """A time (TM; also with colons) as HHMMSSFFFFFF, what is not given taken as zero; None if the text is none."""
    match = _TIME.fullmatch(text.strip())
    if not match:
        return None
    hour, minute, second, fraction = (part or "" for part in match.groups())
    return Decimal(f"{hour}{minute:0<2}{second:0<2}{fraction:0<6}")


def date_time(text: str) -> Decimal | None:
    """A date and time (DT) as YYYYMMDDHHMMSSFFFFFF by the clock it was written by; None if the text is none."""
    match = _DATE_TIME.fullmatch(text.strip())
    if not match:
        return None
    moment, fraction = match[1], match[2] or ""
    return Decimal(f"{moment}{_FIRST_MOMENT[len(moment) :]}{fraction:0<6}")


_BY_VR: dict[str, tuple[Ranking, str]] = {
    "DA": (date, "a date such as 20240131"),
    "TM": (time, "a time such as 13:30"),
    "DT": (date_time, "a date and time such as 20240131133000"),
    "AS": (age, "an age such as 018Y, 006M, 02W or 10D"),
}


def ranking(vr: str | None) -> tuple[Ranking, str]:
    """How values of this VR are ordered and what they are called; as numbers where it has no form of its own."""
    return _BY_VR.get(vr or "", (number, "a number"))
