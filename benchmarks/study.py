"""Makes PET/CT studies as Part 10 files, each with UIDs of its own; real headers where there are any. Sends nothing."""

import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

from pydicom import Dataset, dcmread, dcmwrite
from pydicom.dataset import FileMetaDataset
from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian, PositronEmissionTomographyImageStorage

from benchmarks.settings import Settings
from router.demo.phantom import write_phantom
from router.part10 import find_files
from tests.support.data import DATA

PET_INSTANCES = 526
CT_INSTANCES = 263
_UID_LENGTH = 44  # characters of every UID made here, so that they can be exchanged in the encoded header
_CODES = {"study": 1, "series": 2, "instance": 3, "frame": 4}


@dataclass(frozen=True, slots=True)
class Template:
    """One kind of instance, encoded once: the file up to the pixel data's value with UIDs to be exchanged, and pixels.

    `elements` counts those of the data set's top level.
    """

    modality: str
    head: bytes
    pixels: bytes
    elements: int

    def instance(self, study: str, series: str, frame: str, sop_instance: str, salt: bytes) -> bytes:
        """A Part 10 file of this kind; `salt` goes over the first pixels, so that no two instances are alike."""
        head = self.head
        for name, uid in (("study", study), ("series", series), ("frame", frame), ("instance", sop_instance)):
            head = head.replace(_placeholder(name), uid.encode())
        return b"".join((head, salt, memoryview(self.pixels)[len(salt) :]))


@dataclass(frozen=True, slots=True)
class Study:
    """One study on disk."""

    folder: Path
    files: tuple[Path, ...]

    @property
    def bytes(self) -> int:
        """The size of all files."""
        return sum(path.stat().st_size for path in self.files)


@dataclass(frozen=True, slots=True)
class Scanner:
    """A PET/CT: makes studies of two series."""

    pet: Template
    ct: Template
    headers: str  # where the headers come from, for the report

    def study(self, folder: Path, pet: int = PET_INSTANCES, ct: int = CT_INSTANCES) -> Study:
        """Write a new study of so many instances of each kind below `folder`; no UID was ever used before."""
        study, frame = new_uid(), new_uid()
        files: list[Path] = []
        for template, count in ((self.pet, pet), (self.ct, ct)):
            series = new_uid()
            place = folder / template.modality
            place.mkdir(parents=True)
            for number in range(count):
                path = place / f"{number + 1:04d}.dcm"
                path.write_bytes(template.instance(study, series, frame, new_uid(), os.urandom(64)))
                files.append(path)
        return Study(folder, tuple(files))


def counts(settings: Settings, parts: int = 1) -> tuple[int, int]:
    """How many PET and CT instances a study has at this scale, or one of so many equal parts of it."""
    return settings.scaled(PET_INSTANCES // parts), settings.scaled(CT_INSTANCES // parts)


def new_uid() -> str:
    """A new UID, always of the same length (PS3.5 B.2)."""
    return f"2.25.{secrets.randbelow(2 * 10**38) + 10**38}"


def scanner() -> Scanner:
    """A scanner with the headers of real ones (`../shared/data/pet-ct-templates`), else with those of the demo."""
    real = _real_header()
    if real is not None:
        return Scanner(
            _template(real, "PT", PositronEmissionTomographyImageStorage, 128),
            _template(real, "CT", CTImageStorage, 512),
            f"a {real.ManufacturerModelName}'s, {len(real)} elements",
        )
    pet, ct = _demo_headers()
    return Scanner(
        _template(pet, "PT", pet.SOPClassUID, 128),
        _template(ct, "CT", ct.SOPClassUID, 512),
        f"the demo phantom's, {len(pet)} and {len(ct)} elements (the real ones are not there)",
    )


def _real_header() -> Dataset | None:
    """The richest of the template headers."""
    found = [] if DATA is None else [dcmread(path) for path in find_files([DATA / "pet-ct-templates"])]
    return max(found, key=len, default=None)


def _demo_headers() -> Sequence[Dataset]:
    with TemporaryDirectory() as folder:
        files = write_phantom(Path(folder), slices=1, seed="benchmarks").files
        headers = [dcmread(path) for path in files]
    return [next(each for each in headers if each.Modality == modality) for modality in ("PT", "CT")]


def _template(header: Dataset, modality: str, sop_class_uid: str, size: int) -> Template:
    """`header` as one of a `size` x `size` image of 16 bits, explicit VR little endian."""
    image = Dataset()
    image.update(header)
    image.Modality = modality
    image.SOPClassUID = sop_class_uid
    image.StudyInstanceUID = _placeholder("study").decode()
    image.SeriesInstanceUID = _placeholder("series").decode()
    image.SOPInstanceUID = _placeholder("instance").decode()
    image.FrameOfReferenceUID = _placeholder("frame").decode()
    image.Rows = image.Columns = size
    image.SamplesPerPixel, image.BitsAllocated, image.PhotometricInterpretation = 1, 16, "MONOCHROME2"
    image.PixelData = bytes(2 * size * size)
    image["PixelData"].VR = "OW"
    image.file_meta = _file_meta(sop_class_uid)
    encoded = BytesIO()
    dcmwrite(encoded, image, implicit_vr=False, little_endian=True, enforce_file_format=True)
    head = encoded.getvalue()[: -2 * size * size]
    return Template(modality, head, os.urandom(2 * size * size), len(image))


def _file_meta(sop_class_uid: str) -> FileMetaDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = UID(sop_class_uid)
    meta.MediaStorageSOPInstanceUID = UID(_placeholder("instance").decode())
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return meta


def _placeholder(name: str) -> bytes:
    return f"2.25.{_CODES[name]}".ljust(_UID_LENGTH, "7").encode()
