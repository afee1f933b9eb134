"""Writes the demo's phantom PET/CT study as Part 10 files; draws no picture and sends nothing."""

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydicom.charset import convert_encodings
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_data_element, write_file_meta_info
from pydicom.uid import UID, ExplicitVRLittleEndian

from router.demo.phantom_header import PATIENT_ID, SERIES, Identifiers, SeriesPlan, instance_header, series_header
from router.demo.phantom_pixels import PhantomPixels, covered

_IMPLEMENTATION_CLASS_UID = "2.25.302413850493541229134521375427135029931"


@dataclass(frozen=True, slots=True)
class PhantomStudy:
    """What was written: `series_uids` in the order AC PET, non-AC PET, CT; `files` in the order of writing."""

    study_uid: str
    series_uids: tuple[str, ...]
    files: tuple[Path, ...]
    patient_id: str


def write_phantom(
    folder: Path, *, slices: int = 263, seed: str, progress: Callable[[int], None] | None = None
) -> PhantomStudy:
    """Write three series of `slices` instances each under `folder`; the same seed gives the same bytes.

    `progress` is called with the number of instances written so far, after each. Raises OSError.
    """
    identifiers = Identifiers(seed)
    pixels = PhantomPixels(seed)
    files: list[Path] = []
    for plan in SERIES:
        shared = series_header(plan, identifiers, slices)
        encoded = _encoded(shared)
        place = folder / plan.name
        place.mkdir(parents=True, exist_ok=True)
        for index, z in enumerate(covered(slices)):
            own = instance_header(plan, identifiers, index, z)
            path = place / f"{index + 1:04d}.dcm"
            path.write_bytes(
                _file_meta(shared.SOPClassUID, own.SOPInstanceUID)
                + _merged(encoded, _encoded(own))
                + _pixel_data(_slice(pixels, plan, index, z))
            )
            files.append(path)
            if progress:
                progress(len(files))
    series_uids = tuple(identifiers.uid("series", plan.name) for plan in SERIES)
    return PhantomStudy(identifiers.uid("study"), series_uids, tuple(files), PATIENT_ID)


def _slice(pixels: PhantomPixels, plan: SeriesPlan, index: int, z: float) -> bytes:
    number = index + 1000 * plan.number
    if plan.modality == "CT":
        return pixels.ct(z, number)
    return pixels.pet(z, number, attenuation_corrected=plan.attenuation_corrected)


def _encoded(header: Dataset) -> dict[int, bytes]:
    """Each element's bytes by tag, explicit VR little endian, so that a series' shared part is encoded once."""
    elements: dict[int, bytes] = {}
    encodings = convert_encodings(header.get("SpecificCharacterSet", ""))
    for element in header:
        out = DicomBytesIO()
        out.is_little_endian, out.is_implicit_VR = True, False
        write_data_element(out, element, encodings)
        elements[int(element.tag)] = out.getvalue()
    return elements


def _merged(shared: Mapping[int, bytes], own: Mapping[int, bytes]) -> bytes:
    elements = {**shared, **own}
    return b"".join(elements[tag] for tag in sorted(elements))


def _file_meta(sop_class_uid: str, sop_instance_uid: str) -> bytes:
    """Preamble and group 2 (PS3.10 7.1)."""
    meta = FileMetaDataset()
    meta.FileMetaInformationVersion = b"\x00\x01"
    meta.MediaStorageSOPClassUID = UID(sop_class_uid)
    meta.MediaStorageSOPInstanceUID = UID(sop_instance_uid)
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = UID(_IMPLEMENTATION_CLASS_UID)
    meta.ImplementationVersionName = "MICROPACS_DEMO"
    out = DicomBytesIO()
    write_file_meta_info(out, meta, enforce_standard=True)
    return bytes(128) + b"DICM" + out.getvalue()


def _pixel_data(pixels: bytes) -> bytes:
    return struct.pack("<HH2sHI", 0x7FE0, 0x0010, b"OW", 0, len(pixels)) + pixels
