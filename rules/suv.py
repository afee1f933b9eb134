"""Whether standardized uptake values can be computed from a PET header, and why not. It computes none.

What is asked for is what the PET modules define (PS3.3 C.8.9.1, C.8.9.2) and what the vendor-neutral pseudo-code of the
QIBA FDG-PET profile takes. Reasons name attributes, never their values.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta

from rules.attribute import Attribute
from rules.facts import Readable
from rules.quantities import moment, not_positive, number, split_zone, text
from rules.suv_enhanced import ENHANCED_PET, LONGEST_HALF_LIVES, dose_obstacles, enhanced_obstacles

_ITEM = "RadiopharmaceuticalInformationSequence"
_PHILIPS_SUV_FACTOR = "(7053,xx00 Philips PET Private Group)"
_PHILIPS_ACTIVITY_FACTOR = "(7053,xx09 Philips PET Private Group)"
_GE_SCAN_DATE_TIME = "(0009,xx0D GEMS_PETD_01)"
_LEGACY_CONVERTED = "1.2.840.10008.5.1.4.1.1.128.1"
_START_TIMES_DIFFER = timedelta(minutes=1)  # one may be rounded, the other not


def obstacles(header: Readable) -> tuple[str, ...] | None:
    """Why no SUV can be computed from this image, nothing if it can; None for what is no PET image."""
    if text(header, "Modality").upper() != "PT":
        return None
    sop_class_uid = text(header, "SOPClassUID")
    if sop_class_uid == _LEGACY_CONVERTED:
        return ("not judged: legacy converted enhanced PET",)
    return tuple(enhanced_obstacles(header) if sop_class_uid == ENHANCED_PET else _obstacles(header))


def _obstacles(header: Readable) -> Iterator[str]:
    corrected = {value.strip().upper() for value in header.values(Attribute.parse("CorrectedImage")) or ()}
    for correction in ("ATTN", "DECY"):
        if correction not in corrected:
            yield f"CorrectedImage has no {correction}"
    decay = text(header, "DecayCorrection").upper()
    if decay not in {"START", "ADMIN"}:
        yield "DecayCorrection is neither START nor ADMIN"
    units = text(header, "Units").upper()
    if units == "GML" or (units == "CNTS" and (number(header, _PHILIPS_SUV_FACTOR) or 0) > 0):
        return  # they are SUVs, but for a factor
    if units == "CNTS":
        if not (number(header, _PHILIPS_ACTIVITY_FACTOR) or 0) > 0:
            yield "Units is CNTS, without a factor of Philips that makes SUV or BQML of it"
    elif units != "BQML":
        yield "Units is neither BQML, nor GML, nor CNTS" if units else "Units is missing"
    yield from not_positive(header, "PatientWeight")
    yield from dose_obstacles(header)
    if decay != "ADMIN":  # with ADMIN the activity is that at the injection: no time is needed
        yield from _time_obstacles(header)


def _time_obstacles(header: Readable) -> Iterator[str]:
    """What keeps the time from injection to scan from being known."""
    missing = [
        name for name in ("SeriesDate", "SeriesTime", "AcquisitionDate", "AcquisitionTime") if not text(header, name)
    ]
    start_time, start = text(header, f"{_ITEM}[0].RadiopharmaceuticalStartTime"), _start_date_time(header)
    if not start_time and not text(header, f"{_ITEM}[0].RadiopharmaceuticalStartDateTime"):
        missing.append("RadiopharmaceuticalStartTime and RadiopharmaceuticalStartDateTime")
    yield from (f"{name} is missing" for name in missing)
    if missing:
        return
    series = moment(text(header, "SeriesDate") + text(header, "SeriesTime"))
    acquired = moment(text(header, "AcquisitionDate") + text(header, "AcquisitionTime"))
    by_time = moment(text(header, "SeriesDate") + start_time) if start_time else None
    injected = start or by_time
    if series is None or acquired is None or injected is None:
        yield "a date or time of series, acquisition or injection cannot be read"
        return
    scanned = series
    if series > acquired:  # a series made later by the workstation: its time is not that of the scan
        scanned = moment(text(header, _GE_SCAN_DATE_TIME)) or acquired
        if not text(header, _GE_SCAN_DATE_TIME) and number(header, "FrameReferenceTime") is None:
            yield "SeriesTime is after AcquisitionTime, and without FrameReferenceTime no start of the scan is known"
    if start and by_time and _clock_difference(start, by_time) > _START_TIMES_DIFFER:
        yield "RadiopharmaceuticalStartTime and RadiopharmaceuticalStartDateTime contradict each other"
    half_life = number(header, f"{_ITEM}[0].RadionuclideHalfLife") or 0.0
    if injected > scanned:
        yield "the injection is after the scan"
    elif half_life > 0 and (scanned - injected).total_seconds() > LONGEST_HALF_LIVES * half_life:
        yield f"the injection is more than {LONGEST_HALF_LIVES} half-lives before the scan"


def _start_date_time(header: Readable) -> datetime | None:
    """RadiopharmaceuticalStartDateTime, as the scanner's clock showed it."""
    return moment(split_zone(text(header, f"{_ITEM}[0].RadiopharmaceuticalStartDateTime"))[0])


def _clock_difference(one: datetime, other: datetime) -> timedelta:
    """How far apart the two stand on the clock, whatever their days."""
    apart = abs(one - other) % timedelta(days=1)
    return min(apart, timedelta(days=1) - apart)
