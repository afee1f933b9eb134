"""Headers of the demo phantom's study, its three series and their instances; writes no file and paints no pixel.

Attributes follow the PET Image IOD (PS3.3 A.21) and the CT Image IOD (PS3.3 A.3). Activities are decay-corrected to the
start of the PET series, so SUV = value x weight / (dose x 2^(-(series time - injection time) / half-life)).
"""

import hashlib
import math
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage, PositronEmissionTomographyImageStorage

from router.demo.phantom_pixels import (
    BACKGROUND_SUV,
    CT_GRID,
    HOT_SUV,
    HU_OFFSET,
    PET_GRID,
    PET_STORED_PER_SUV,
    SLICE_SPACING,
)
from router.demo.phantom_shape import Grid

PATIENT_ID = "1234567"  # seven digits: the demo's rule makes it eight
PATIENT_NAME = "Hong^Gildong=洪^吉洞=홍^길동"  # PS3.5 I.2
WEIGHT_KG = 70.0
DOSE_BQ = 370e6
HALF_LIFE_S = 6588.0
CT_START = datetime(2026, 11, 2, 9, 55)  # noqa: DTZ001 - DICOM dates and times are local
PET_START = datetime(2026, 11, 2, 10, 0)  # noqa: DTZ001
UPTAKE = timedelta(minutes=60)
BED_SECONDS = 180
SLICES_A_BED = 36  # 47 planes a bed position, 11 of them overlap the next

BQML_PER_SUV = DOSE_BQ * 2 ** (-UPTAKE.total_seconds() / HALF_LIFE_S) / (WEIGHT_KG * 1000)


@dataclass(frozen=True, slots=True)
class Identifiers:
    """The UIDs of one run, all derived from its seed (PS3.5 B.2: 2.25 and a UUID as a number)."""

    seed: str

    def uid(self, *names: object) -> str:
        """The UID of what `names` name, the same for the same seed."""
        digest = hashlib.sha256("/".join([self.seed, *map(str, names)]).encode()).digest()
        return f"2.25.{uuid.UUID(bytes=digest[:16], version=5).int}"

    @property
    def accession_number(self) -> str:
        """Eight digits after an A."""
        return f"A{int(hashlib.sha256(self.seed.encode()).hexdigest(), 16) % 10**8:08d}"


@dataclass(frozen=True, slots=True)
class SeriesPlan:
    """What tells one of the three series from another; `name` is also its folder."""

    name: str
    number: int
    description: str
    modality: str
    attenuation_corrected: bool


SERIES = (
    SeriesPlan("pet-ac", 3, "PET AC", "PT", attenuation_corrected=True),
    SeriesPlan("pet-nac", 4, "PET NAC", "PT", attenuation_corrected=False),
    SeriesPlan("ct", 2, "CT for attenuation correction", "CT", attenuation_corrected=False),
)


def series_header(plan: SeriesPlan, identifiers: Identifiers, slices: int) -> Dataset:
    """Everything that all instances of a series share."""
    header = Dataset()
    header.SpecificCharacterSet = ["", "ISO 2022 IR 149"]
    _describe_study(header, identifiers)
    header.Modality = plan.modality
    header.SeriesInstanceUID = identifiers.uid("series", plan.name)
    header.SeriesNumber = plan.number
    header.SeriesDescription = plan.description
    header.BodyPartExamined = "WHOLEBODY"
    header.ProtocolName = "Whole body PET/CT"
    header.FrameOfReferenceUID = identifiers.uid("frame of reference")
    header.PositionReferenceIndicator = ""
    header.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    header.SliceThickness = SLICE_SPACING
    header.SpacingBetweenSlices = SLICE_SPACING
    header.SamplesPerPixel = 1
    header.PhotometricInterpretation = "MONOCHROME2"
    header.BitsAllocated = 16
    header.LossyImageCompression = "00"
    header.BurnedInAnnotation = "NO"
    block = header.private_block(0x0019, "MICROPACS PHANTOM 01", create=True)
    block.add_new(0x01, "DS", f"{BACKGROUND_SUV:g}")
    block.add_new(0x02, "DS", f"{HOT_SUV:g}")
    if plan.modality == "PT":
        _describe_pet(header, plan, slices)
    else:
        _describe_ct(header)
    return header


def instance_header(plan: SeriesPlan, identifiers: Identifiers, index: int, z: float) -> Dataset:
    """What differs from instance to instance; `index` counts from 0 at the head, z in mm."""
    header = Dataset()
    grid = PET_GRID if plan.modality == "PT" else CT_GRID
    header.SOPInstanceUID = identifiers.uid("instance", plan.name, index)
    header.InstanceNumber = index + 1
    header.ImagePositionPatient = [f"{grid.origin:g}", f"{grid.origin:g}", f"{z:.3f}"]
    header.SliceLocation = f"{z:.3f}"
    if plan.modality == "PT":
        _time_bed(header, index)
        header.ImageIndex = index + 1
    else:
        _time(header, CT_START + timedelta(seconds=0.05 * index))
    return header


def _describe_study(header: Dataset, identifiers: Identifiers) -> None:
    header.StudyInstanceUID = identifiers.uid("study")
    header.StudyDate, header.StudyTime = _date_and_time(CT_START)
    header.StudyID = identifiers.accession_number[1:]
    header.AccessionNumber = identifiers.accession_number
    header.StudyDescription = "PET/CT FDG TRIAL NEMA BODY PHANTOM"
    header.ReferringPhysicianName = ""
    header.Manufacturer = "micropacs"
    header.ManufacturerModelName = "Demonstration PET/CT"
    header.DeviceSerialNumber = "0"
    header.SoftwareVersions = "1"
    header.StationName = "DEMO"
    header.InstitutionName = "Phantom Hospital"
    header.PatientName = PATIENT_NAME
    header.PatientID = PATIENT_ID
    header.PatientBirthDate = "19600101"
    header.PatientSex = "M"
    header.PatientAge = "066Y"
    header.PatientSize = "1.75"
    header.PatientWeight = f"{WEIGHT_KG:g}"


def _describe_ct(header: Dataset) -> None:
    header.SOPClassUID = CTImageStorage
    header.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    header.SeriesDate, header.SeriesTime = _date_and_time(CT_START)
    header.PatientPosition = "HFS"
    header.AcquisitionNumber = 1
    header.ScanOptions = "HELICAL MODE"
    header.KVP = 140
    header.XRayTubeCurrent = 90
    header.ExposureTime = 870
    header.GantryDetectorTilt = 0
    header.ConvolutionKernel = "STANDARD"
    header.RotationDirection = "CW"
    _describe_matrix(header, CT_GRID, stored=12, signed=0)
    header.RescaleIntercept = -HU_OFFSET
    header.RescaleSlope = 1
    header.RescaleType = "HU"
    header.WindowCenter, header.WindowWidth = 40, 400


def _describe_pet(header: Dataset, plan: SeriesPlan, slices: int) -> None:
    header.SOPClassUID = PositronEmissionTomographyImageStorage
    header.ImageType = ["ORIGINAL", "PRIMARY"]
    header.SeriesDate, header.SeriesTime = _date_and_time(PET_START)
    header.CollimatorType = "NONE"
    header.FieldOfViewShape = "CYLINDRICAL RING"
    header.FieldOfViewDimensions = [700, 153]
    header.EnergyWindowRangeSequence = [Dataset()]
    header.EnergyWindowRangeSequence[0].EnergyWindowLowerLimit = 425
    header.EnergyWindowRangeSequence[0].EnergyWindowUpperLimit = 650
    header.RadiopharmaceuticalInformationSequence = [_radiopharmaceutical()]
    header.PatientOrientationCodeSequence = [_code("102538003", "SCT", "recumbent")]
    header.PatientOrientationCodeSequence[0].PatientOrientationModifierCodeSequence = [
        _code("40199007", "SCT", "supine")
    ]
    header.PatientGantryRelationshipCodeSequence = [_code("102540008", "SCT", "headfirst")]
    header.SeriesType = ["WHOLE BODY", "IMAGE"]
    header.Units = "BQML"
    header.CountsSource = "EMISSION"
    header.NumberOfSlices = slices
    header.DecayCorrection = "START"
    header.RandomsCorrectionMethod = "SING"
    header.ReconstructionMethod = "3D IR"
    header.CorrectedImage = ["DECY", "DTIM", "RAN", "DCAL", "NORM"]
    if plan.attenuation_corrected:
        header.CorrectedImage = ["DECY", "ATTN", "SCAT", "DTIM", "RAN", "DCAL", "NORM"]
        header.AttenuationCorrectionMethod = "CT-derived"
        header.ScatterCorrectionMethod = "Convolution subtraction"
    header.ActualFrameDuration = BED_SECONDS * 1000
    header.DoseCalibrationFactor = 1
    header.SliceSensitivityFactor = 1
    header.AcquisitionContextSequence = []
    _describe_matrix(header, PET_GRID, stored=16, signed=1)
    header.RescaleIntercept = 0
    header.RescaleSlope = f"{BQML_PER_SUV / PET_STORED_PER_SUV:.12g}"


def _describe_matrix(header: Dataset, grid: Grid, *, stored: int, signed: int) -> None:
    header.Rows = header.Columns = grid.size
    header.PixelSpacing = [grid.spacing, grid.spacing]
    header.ReconstructionDiameter = grid.size * grid.spacing
    header.BitsStored = stored
    header.HighBit = stored - 1
    header.PixelRepresentation = signed


def _radiopharmaceutical() -> Dataset:
    item = Dataset()
    injected = PET_START - UPTAKE
    item.Radiopharmaceutical = "FDG -- fluorodeoxyglucose"
    item.RadiopharmaceuticalStartTime = injected.strftime("%H%M%S")
    item.RadiopharmaceuticalStartDateTime = injected.strftime("%Y%m%d%H%M%S")
    item.RadionuclideTotalDose = f"{DOSE_BQ:.0f}"
    item.RadionuclideHalfLife = f"{HALF_LIFE_S:g}"
    item.RadionuclidePositronFraction = "0.97"
    item.RadionuclideCodeSequence = [_code("77004003", "SCT", "^18^Fluorine")]
    item.RadiopharmaceuticalCodeSequence = [_code("35321007", "SCT", "Fluorodeoxyglucose F^18^")]
    return item


def _code(value: str, scheme: str, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item


def _time_bed(header: Dataset, index: int) -> None:
    """Acquisition of the bed position a slice belongs to: its mean activity is that at the frame reference time."""
    started = BED_SECONDS * (index // SLICES_A_BED)
    decay = math.log(2) / HALF_LIFE_S
    mean_time = math.log(decay * BED_SECONDS / -math.expm1(-decay * BED_SECONDS)) / decay
    _time(header, PET_START + timedelta(seconds=started))
    header.FrameReferenceTime = f"{1000 * (started + mean_time):.0f}"
    header.DecayFactor = f"{math.exp(decay * (started + mean_time)):.6g}"


def _time(header: Dataset, at: datetime) -> None:
    header.AcquisitionDate, header.AcquisitionTime = _date_and_time(at)
    header.ContentDate, header.ContentTime = header.AcquisitionDate, header.AcquisitionTime


def _date_and_time(at: datetime) -> Sequence[str]:
    """DICOM DA and TM (PS3.5 6.2)."""
    return at.strftime("%Y%m%d"), at.strftime("%H%M%S.%f")[:9] if at.microsecond else at.strftime("%H%M%S")
