"""Reads numbers and moments from a header, and says where there are none. Computes nothing of them."""

from collections.abc import Iterator
from datetime import datetime

from rules.attribute import Attribute
from rules.facts import Readable


def text(header: Readable, name: str) -> str:
    """The first value, "" if there is none."""
    values = header.values(Attribute.parse(name))
    return values[0].strip(" \0") if values else ""


def number(header: Readable, name: str) -> float | None:
    """The first value as a number, None if it is none."""
    try:
        return float(text(header, name))
    except ValueError:
        return None


def not_positive(header: Readable, name: str) -> Iterator[str]:
    """What is wrong with an attribute that must be a number above zero."""
    shown = name.rpartition(".")[2]
    found = number(header, name)
    if found is None:
        yield f"{shown} is {'no number' if text(header, name) else 'missing'}"
    elif not 0 < found < float("inf"):
        yield f"{shown} is not above zero"


def moment(written: str) -> datetime | None:
    """A date and time as DICOM writes them together (PS3.5 6.2, DT), also with the old separators; None if unreadable.

    What is left out of the time is zero.
    """
    digits = written.replace(".", "", 2) if written[4:5] == "." else written
    whole = digits.replace(":", "").partition(".")[0]
    if len(whole) < 10 or not whole.isdecimal():
        return None
    try:
        return datetime.strptime(whole[:14].ljust(14, "0"), "%Y%m%d%H%M%S")  # noqa: DTZ007 - DICOM times are local
    except ValueError:
        return None


def split_zone(written: str) -> tuple[str, str]:
    """A date and time as the clock showed it, and its offset from UTC (PS3.5 6.2, DT), "" if it has none."""
    for sign in "+-":
        clock, found, offset = written.partition(sign)
        if found:
            return clock, sign + offset
    return written, ""
