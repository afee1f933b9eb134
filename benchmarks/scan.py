"""Scanning a header and reading twelve attributes, in this process. No network, no disk."""

import time
from statistics import median

from pydicom.uid import ExplicitVRLittleEndian

from benchmarks.figure import Figure, at_most, ours_alone
from benchmarks.settings import Settings
from benchmarks.study import scanner
from router.part10 import part_ten
from rules import Attribute, Header

TIMES = 3000
TWELVE = (
    "SOPClassUID",
    "SOPInstanceUID",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "PatientID",
    "PatientName",
    "AccessionNumber",
    "StudyDate",
    "StudyDescription",
    "Modality",
    "SeriesDescription",
    "InstanceNumber",
)


def measure(settings: Settings) -> list[Figure]:
    """The median of many, each with the bytes of a whole small instance."""
    settings.say("scan")
    make = scanner()
    part = part_ten(make.study(settings.folder / "study", pet=1, ct=0).files[0])
    data = part.path.read_bytes()[part.data_set_offset :]
    attributes = [Attribute.parse(keyword) for keyword in TWELVE]
    taken: list[float] = []
    for _ in range(settings.scaled(TIMES, least=10)):
        started = time.perf_counter()
        header = Header.scan(data, str(ExplicitVRLittleEndian))
        for attribute in attributes:
            header.values(attribute)
        taken.append(1e6 * (time.perf_counter() - started))
    # a few numbers stand for all: every sample of a loop like this would only fill the record
    parts = [median(taken[start :: settings.rounds]) for start in range(settings.rounds)]
    what = f"header scan + 12 attributes, {make.pet.elements} elements"
    return [ours_alone(what, "µs", parts, at_most(120), at_most(60))]
