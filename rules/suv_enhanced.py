"""Whether SUVs can be computed from the header of an Enhanced PET image (PS3.3 A.56), and why not. It computes none.

Corrections stand in the Enhanced PET Corrections module, the dose in the Enhanced PET Isotope module (PS3.3 C.8.22),
the units in the Real World Value Mapping of all frames together or of each (C.7.6.16.2.11, CID 84).
"""

from collections.abc import Iterator

from rules.attribute import Attribute
from rules.facts import Readable
from rules.quantities import moment, not_positive, number, split_zone, text

ENHANCED_PET = "1.2.840.10008.5.1.4.1.1.130"
LONGEST_HALF_LIVES = 10  # a thousandth of the dose is left: an injection before that is a date that was changed

_ITEM = "RadiopharmaceuticalInformationSequence"
_START = f"{_ITEM}[0].RadiopharmaceuticalStartDateTime"
_UNITS = "RealWorldValueMappingSequence.MeasurementUnitsCodeSequence"
_SHARED, _PER_FRAME = "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"
_ACTIVITY = frozenset({"Bq/ml", "Bq/mL"})
_SUV = frozenset({"g/ml{SUVbw}", "g/mL{SUVbw}"})


def enhanced_obstacles(header: Readable) -> Iterator[str]:
    """Why no SUV can be computed from this image, nothing if it can."""
    for corrected in ("AttenuationCorrected", "DecayCorrected"):
        if text(header, corrected).upper() != "YES":
            yield f"{corrected} is not YES"
    units, problem = _unit(header)
    if units in _SUV:
        return
    if problem:
        yield problem
    elif units not in _ACTIVITY:
        yield "MeasurementUnitsCodeSequence is neither Bq/ml nor g/ml{SUVbw}"
    yield from not_positive(header, "PatientWeight")
    yield from dose_obstacles(header)
    yield from _time_obstacles(header)


def dose_obstacles(header: Readable) -> Iterator[str]:
    """What is wrong with the radiopharmaceutical; the same in all PET images."""
    if _is_there(header, f"{_ITEM}[1]"):
        yield "RadiopharmaceuticalInformationSequence has more than one item"
    yield from not_positive(header, f"{_ITEM}[0].RadionuclideTotalDose")
    yield from not_positive(header, f"{_ITEM}[0].RadionuclideHalfLife")


def _unit(header: Readable) -> tuple[str, str | None]:
    """The unit that every frame has; or "" and why there is none."""
    frames = number(header, "NumberOfFrames")
    for group, expected in ((_SHARED, 1), (_PER_FRAME, frames)):
        codes, schemes = (_all(header, f"{group}.{_UNITS}.{name}") for name in ("CodeValue", "CodingSchemeDesignator"))
        if not codes:
            continue
        if len(set(codes)) > 1:
            return "", "not judged: enhanced PET whose frames have different units"
        if len(codes) != expected or any(
            _is_there(header, each) for each in (f"{_other(group)}.{_UNITS}", *_second(group))
        ):
            return "", "not judged: enhanced PET whose frames do not have one unit each"
        if set(schemes) != {"UCUM"}:
            return "", "MeasurementUnitsCodeSequence is not a unit of UCUM"
        return codes[0], None
    return "", "MeasurementUnitsCodeSequence is missing"


def _other(group: str) -> str:
    return _PER_FRAME if group == _SHARED else _SHARED


def _second(group: str) -> tuple[str, str]:
    """What is there where a frame has more than one unit."""
    sequence, _, codes = _UNITS.partition(".")
    return f"{group}.{sequence}[1]", f"{group}.{sequence}.{codes}[1]"


def _is_there(header: Readable, name: str) -> bool:
    return header.values(Attribute.parse(name)) is not None


def _all(header: Readable, name: str) -> list[str]:
    return [value.strip(" \0") for value in header.values(Attribute.parse(name)) or ()]


def _time_obstacles(header: Readable) -> Iterator[str]:
    """What keeps the time from injection to the moment of the decay correction from being known."""
    names = (_START, "DecayCorrectionDateTime")
    written = [text(header, name) for name in names]
    missing = [name.rpartition(".")[2] for name, found in zip(names, written, strict=True) if not found]
    yield from (f"{name} is missing" for name in missing)
    if missing:
        return
    (start, start_zone), (end, end_zone) = map(split_zone, written)
    injected, corrected_to = moment(start), moment(end)
    half_life = number(header, f"{_ITEM}[0].RadionuclideHalfLife") or 0.0
    if injected is None or corrected_to is None:
        yield "RadiopharmaceuticalStartDateTime or DecayCorrectionDateTime cannot be read"
    elif start_zone != end_zone:
        yield "RadiopharmaceuticalStartDateTime and DecayCorrectionDateTime have different time zones"
    elif injected > corrected_to:
        yield "the injection is after DecayCorrectionDateTime"
    elif half_life > 0 and (corrected_to - injected).total_seconds() > LONGEST_HALF_LIVES * half_life:
        yield f"the injection is more than {LONGEST_HALF_LIVES} half-lives before DecayCorrectionDateTime"
