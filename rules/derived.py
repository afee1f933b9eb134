"""Conditions on what no attribute says but several together: whether SUVs can be computed, whether frames agree.

Each tells in words what it found, for explanations and for who has to look at what is held.
"""

from collections.abc import Callable, Sequence

from rules.attribute import Attribute
from rules.clause import Clause
from rules.facts import FiledSeries, Readable
from rules.subject import Reading, fold
from rules.suv import obstacles
from rules.values import parse_flag

SUV_COMPUTABLE = "suv_computable"
SAME_FRAME_OF_REFERENCE = "same_frame_of_reference"
DERIVED = frozenset({SUV_COMPUTABLE, SAME_FRAME_OF_REFERENCE})

_MODALITY = Attribute.parse("Modality")
_FRAME = Attribute.parse("FrameOfReferenceUID")
_POSITION = Attribute.parse("ImagePositionPatient")
_IMAGE_TYPE = Attribute.parse("ImageType")


def suv_computable(text: str) -> Clause:
    """SUVs can, or cannot, be computed from the header; for what is no PET image neither holds."""
    wanted = parse_flag(text)

    def holds(reading: Reading) -> bool:
        found = obstacles(reading.header)
        return found is not None and (not found) is wanted

    def finding(reading: Reading) -> str | None:
        found = obstacles(reading.header)
        return None if found is None else "; ".join(found) or "SUV can be computed"

    return Clause(f"{SUV_COMPUTABLE}: {'true' if wanted else 'false'}", holds, finding=finding)


def same_frame_of_reference(modalities: Sequence[str]) -> Clause:
    """All series of these modalities that are known of the study have one Frame of Reference UID.

    Known are those that were filed before, and that of the instance itself.
    """
    wanted = frozenset(map(fold, modalities))

    def finding(reading: Reading) -> str:
        return frame_finding(reading, wanted) or "they have one Frame of Reference UID"

    return Clause(
        f"{SAME_FRAME_OF_REFERENCE}: {' and '.join(modalities)}",
        lambda reading: frame_finding(reading, wanted) is None,
        finding=finding,
        asks_for_filed_series=True,
    )


def frame_finding(reading: Reading, wanted: frozenset[str]) -> str | None:
    """Why the frames of reference are not one; None if they are, as far as the series are known."""
    known = [
        (fold(each.modality), each.frame_of_reference_uid)
        for each in reading.arrival.filed_series
        if fold(each.modality) in wanted or each.modality == "*"
    ]
    own = fold("".join(reading.header.values(_MODALITY) or ()))
    if own in wanted and has_place(reading.header.values):
        known.append((own, "".join(reading.header.values(_FRAME) or ())))
    missing = sorted({modality.upper() for modality, frame in known if not frame})
    if missing:
        shown = " and ".join(modality.replace("*", "what cannot be read") for modality in missing)
        return f"a series of {shown} has no FrameOfReferenceUID"
    frames = {frame for _, frame in known}
    if len(frames) > 1:
        shown = " and ".join(sorted({modality.upper() for modality, _ in known} - {"*"}))
        return f"series{f' of {shown}' if shown else ''} have {len(frames)} different values of FrameOfReferenceUID"
    return None


def filed_series(header: Readable) -> FiledSeries | None:
    """What later instances of the study are compared with; None for what has no place in a patient."""
    if not has_place(header.values):
        return None
    modality, frame = ("".join(header.values(each) or ()) for each in (_MODALITY, _FRAME))
    return FiledSeries(modality, frame)


def has_place(values: Callable[[Attribute], tuple[str, ...] | None]) -> bool:
    """Whether an image lies somewhere in a patient and is no localizer; a report or a screen capture does not."""
    is_localizer = "LOCALIZER" in {value.strip().upper() for value in values(_IMAGE_TYPE) or ()}
    return not is_localizer and bool(values(_FRAME) or values(_POSITION))
