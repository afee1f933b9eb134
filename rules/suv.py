"""Whether standardized uptake values can be computed from a PET header, and why not. It computes none.

What is asked for is what the PET modules define (PS3.3 C.8.9.1, C.8.9.2) and what the vendor-neutral pseudo-code of the
QIBA FDG-PET profile takes. Reasons name attributes, never their values.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta

from rules.attribute import Attribute
from rules.facts import Readable

_ITEM = "RadiopharmaceuticalInformationSequence"
_PHILIPS_SUV_FACTOR = "(7053,xx00 Philips PET Private Group)"
_PHILIPS_ACTIVITY_FACTOR = "(7053,xx09 Philips PET Private Group)"
_GE_SCAN_DATE_TIME = "(0009,xx0D GEMS_PETD_01)"
_NOT_JUDGED = {
    "1.2.840.10008.5.1.4.1.1.130": "Enhanced PET images are not judged",
    "1.2.840.10008.5.1.4.1.1.128.1": "Legacy Converted Enhanced PET images are not judged",
}
_LONGEST_HALF_LIVES = 10  # a thousandth of the dose is left: an injection before that is a date that was changed
_START_TIMES_DIFFER = timedelta(minutes=1)  # one may be rounded, the other not


def obstacles(header: Readable) -> tuple[str, ...] | None:
    """Why no SUV can be computed from this image, nothing if it can; None for what is no PET image."""
    if _text(header, "Modality").upper() != "PT":
        return None
    not_judged = _NOT_JUDGED.get(_text(header, "SOPClassUID"))
    return (not_judged,) if not_judged else tuple(_obstacles(header))


def _obstacles(header: Readable) -> Iterator[str]:
    corrected = {value.strip().upper() for value in header.values(Attribute.parse("CorrectedImage")) or ()}
    for correction in ("ATTN", "DECY"):
        if correction not in corrected:
            yield f"CorrectedImage has no {correction}"
    decay = _text(header, "DecayCorrection").upper()
    if decay not in {"START", "ADMIN"}:
        yield "DecayCorrection is neither START nor ADMIN"
    units = _text(header, "Units").upper()
    if units == "GML" or (units == "CNTS" and (_number(header, _PHILIPS_SUV_FACTOR) or 0) > 0):
        return  # they are SUVs, but for a factor
    if units == "CNTS":
        if not (_number(header, _PHILIPS_ACTIVITY_FACTOR) or 0) > 0:
            yield "Units is CNTS, without a factor of Philips that makes SUV or BQML of it"
    elif units != "BQML":
        yield "Units is neither BQML, nor GML, nor CNTS" if units else "Units is missing"
    yield from _not_positive(header, "PatientWeight")
    yield from _dose_obstacles(header)
    if decay != "ADMIN":  # with ADMIN the activity is that at the injection: no time is needed
        yield from _time_obstacles(header)


def _dose_obstacles(header: Readable) -> Iterator[str]:
    if header.values(Attribute.parse(f"{_ITEM}[1]")) is not None:
        yield "RadiopharmaceuticalInformationSequence has more than one item"
    yield from _not_positive(header, f"{_ITEM}[0].RadionuclideTotalDose")
    yield from _not_positive(header, f"{_ITEM}[0].RadionuclideHalfLife")


def _time_obstacles(header: Readable) -> Iterator[str]:
    """What keeps the time from injection to scan from being known."""
    missing = [
        name for name in ("SeriesDate", "SeriesTime", "AcquisitionDate", "AcquisitionTime") if not _text(header, name)
    ]
    start_time, start = _text(header, f"{_ITEM}[0].RadiopharmaceuticalStartTime"), _start_date_time(header)
    if not start_time and not _text(header, f"{_ITEM}[0].RadiopharmaceuticalStartDateTime"):
        missing.append("RadiopharmaceuticalStartTime and RadiopharmaceuticalStartDateTime")
    yield from (f"{name} is missing" for name in missing)
    if missing:
        return
    series = _moment(_text(header, "SeriesDate") + _text(header, "SeriesTime"))
    acquired = _moment(_text(header, "AcquisitionDate") + _text(header, "AcquisitionTime"))
    by_time = _moment(_text(header, "SeriesDate") + start_time) if start_time else None
    injected = start or by_time
    if series is None or acquired is None or injected is None:
        yield "a date or time of series, acquisition or injection cannot be read"
        return
    scanned = series
    if series > acquired:  # a series made later by the workstation: its time is not that of the scan
        scanned = _moment(_text(header, _GE_SCAN_DATE_TIME)) or acquired
        if not _text(header, _GE_SCAN_DATE_TIME) and _number(header, "FrameReferenceTime") is None:
            yield "SeriesTime is after AcquisitionTime, and without FrameReferenceTime no start of the scan is known"
    if start and by_time and _clock_difference(start, by_time) > _START_TIMES_DIFFER:
        yield "RadiopharmaceuticalStartTime and RadiopharmaceuticalStartDateTime contradict each other"
    half_life = _number(header, f"{_ITEM}[0].RadionuclideHalfLife") or 0.0
    if injected > scanned:
        yield "the injection is after the scan"
    elif half_life > 0 and (scanned - injected).total_seconds() > _LONGEST_HALF_LIVES * half_life:
        yield f"the injection is more than {_LONGEST_HALF_LIVES} half-lives before the scan"


def _start_date_time(header: Readable) -> datetime | None:
    """RadiopharmaceuticalStartDateTime, as the scanner's clock showed it."""
    text = _text(header, f"{_ITEM}[0].RadiopharmaceuticalStartDateTime")
    return _moment(text.partition("+")[0].partition("-")[0])


def _clock_difference(one: datetime, other: datetime) -> timedelta:
    """How far apart the two stand on the clock, whatever their days."""
    apart = abs(one - other) % timedelta(days=1)
    return min(apart, timedelta(days=1) - apart)


def _not_positive(header: Readable, name: str) -> Iterator[str]:
    """What is wrong with an attribute that must be a number above zero."""
    shown = name.rpartition(".")[2]
    number = _number(header, name)
    if number is None:
        yield f"{shown} is {'no number' if _text(header, name) else 'missing'}"
    elif not 0 < number < float("inf"):
        yield f"{shown} is not above zero"


def _text(header: Readable, name: str) -> str:
    """The first value, "" if there is none."""
    values = header.values(Attribute.parse(name))
    return values[0].strip(" \0") if values else ""


def _number(header: Readable, name: str) -> float | None:
    """The first value as a number, None if it is none."""
    try:
        return float(_text(header, name))
    except ValueError:
        return None


def _moment(text: str) -> datetime | None:
    """A date and time as DICOM writes them together (PS3.5 6.2, DT), also with the old separators; None if unreadable.

    What is left out of the time is zero.
    """
    digits = text.replace(".", "", 2) if text[4:5] == "." else text
    whole = digits.replace(":", "").partition(".")[0]
    if len(whole) < 10 or not whole.isdecimal():
        return None
    try:
        return datetime.strptime(whole[:14].ljust(14, "0"), "%Y%m%d%H%M%S")  # noqa: DTZ007 - DICOM times are local
    except ValueError:
        return None
