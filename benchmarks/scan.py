"""Scanning the headers of a series and reading twelve attributes of each, in this process. No network, no disk."""

import time
from collections.abc import Callable, Sequence
from io import BytesIO
from statistics import median
from typing import TypeVar

from pydicom import dcmread
from pydicom.uid import ExplicitVRLittleEndian

from benchmarks.figure import Figure, at_most, ours_alone, ours_to_peer
from benchmarks.settings import Settings
from benchmarks.study import PET_INSTANCES, scanner
from router.part10 import part_ten
from rules import Attribute, Header
from rules.recognition import RECOGNITION

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
ATTRIBUTES = tuple(Attribute.parse(keyword) for keyword in TWELVE)
T = TypeVar("T")


def measure(settings: Settings) -> list[Figure]:
    """Every round goes through all instances of one series: in turn, each as the first of its kind, with pydicom."""
    settings.say("scan")
    make = scanner()
    study = make.study(settings.folder / "study", pet=settings.scaled(PET_INSTANCES, least=10), ct=0)
    files = [path.read_bytes() for path in study.files]
    offsets = [part_ten(path).data_set_offset for path in study.files]
    data_sets = [file[offset:] for file, offset in zip(files, offsets, strict=True)]
    series: list[float] = []
    first: list[float] = []
    pydicom: list[float] = []
    for _ in range(settings.rounds):
        RECOGNITION.forget()
        series.append(_each(_ours, data_sets))
        first.append(_each(_ours, data_sets, RECOGNITION.forget))
        pydicom.append(_each(_pydicom, files))
    what = f"header scan + 12 attributes, {make.pet.elements} elements"
    return [
        ours_alone(what, "µs", series, at_most(120), at_most(60)),
        ours_alone("… the first of its kind", "µs", first, note="nothing is known of the headers before it"),
        ours_to_peer("… against pydicom", "µs", series, pydicom, "dcmread, stop_before_pixels"),
    ]


def _each(read: Callable[[T], None], instances: Sequence[T], before: Callable[[], None] | None = None) -> float:
    """The median of what one takes, in microseconds; `before` is done before each and not counted."""
    taken: list[float] = []
    for instance in instances:
        if before is not None:
            before()
        started = time.perf_counter()
        read(instance)
        taken.append(1e6 * (time.perf_counter() - started))
    return median(taken)


def _ours(data: bytes) -> None:
    header = Header.scan(data, str(ExplicitVRLittleEndian))
    for attribute in ATTRIBUTES:
        header.values(attribute)


def _pydicom(file: bytes) -> None:
    dataset = dcmread(BytesIO(file), stop_before_pixels=True)
    for keyword in TWELVE:
        dataset.get(keyword)
