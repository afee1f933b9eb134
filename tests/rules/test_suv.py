"""Whether SUVs can be computed: real scanners' headers say yes, and each thing that is missing is told by name."""

from collections.abc import Callable

import pydicom
import pytest
from pydicom.dataset import Dataset

from router.demo.phantom_header import SERIES, Identifiers, instance_header, series_header
from rules import Header, explained
from rules.suv import obstacles
from tests.support.data import DATA, needs_data
from tests.support.rules import EXPLICIT_LITTLE_ENDIAN, arrival, encoded, ruleset


def phantom() -> Dataset:
    """A corrected PET image of the demo's phantom, without pixels."""
    made = series_header(SERIES[0], Identifiers("suv"), 3)
    made.update(instance_header(SERIES[0], Identifiers("suv"), 0, 0.0))
    return made


def item(made: Dataset) -> Dataset:
    """Its radiopharmaceutical."""
    found: Dataset = made.RadiopharmaceuticalInformationSequence[0]
    return found


def scanned(made: Dataset) -> Header:
    """The header as an instance would bring it."""
    return Header.scan(encoded(made), EXPLICIT_LITTLE_ENDIAN)


def without(name: str) -> Callable[[Dataset], object]:
    """An attribute taken away."""
    return lambda made: delattr(made, name)


def given(**attributes: object) -> Callable[[Dataset], object]:
    """Attributes of the image with other values."""
    return lambda made: [setattr(made, name, value) for name, value in attributes.items()]


def injected(**attributes: object) -> Callable[[Dataset], object]:
    """Attributes of the radiopharmaceutical with other values."""
    return lambda made: [setattr(item(made), name, value) for name, value in attributes.items()]


FAULTS: list[tuple[Callable[[Dataset], object], str]] = [
    (without("PatientWeight"), "PatientWeight is missing"),
    (given(PatientWeight="0"), "PatientWeight is not above zero"),
    (without("Units"), "Units is missing"),
    (given(Units="PROPCPS"), "Units is neither BQML, nor GML, nor CNTS"),
    (given(Units="CNTS"), "Units is CNTS, without a factor of Philips that makes SUV or BQML of it"),
    (given(DecayCorrection="NONE"), "DecayCorrection is neither START nor ADMIN"),
    (given(CorrectedImage=["DECY", "SCAT"]), "CorrectedImage has no ATTN"),
    (given(CorrectedImage=["ATTN", "SCAT"]), "CorrectedImage has no DECY"),
    (without("SeriesTime"), "SeriesTime is missing"),
    (without("AcquisitionDate"), "AcquisitionDate is missing"),
    (given(SeriesDate="20261101"), "the injection is after the scan"),
    (given(SeriesDate="20261105", AcquisitionDate="20261105"), "the injection is more than 10 half-lives"),
    (injected(RadionuclideTotalDose=None), "RadionuclideTotalDose is missing"),
    (injected(RadionuclideHalfLife="0"), "RadionuclideHalfLife is not above zero"),
    (injected(RadiopharmaceuticalStartTime="083000"), "contradict each other"),
    (injected(RadiopharmaceuticalStartDateTime="20261102100001"), "the injection is after the scan"),
    (
        injected(RadiopharmaceuticalStartTime=None, RadiopharmaceuticalStartDateTime=None),
        "RadiopharmaceuticalStartTime and RadiopharmaceuticalStartDateTime is missing",
    ),
    (
        lambda made: made.RadiopharmaceuticalInformationSequence.append(Dataset()),
        "RadiopharmaceuticalInformationSequence has more than one item",
    ),
    (given(SOPClassUID="1.2.840.10008.5.1.4.1.1.128.1"), "not judged: legacy converted enhanced PET"),
]


def test_the_phantom_is_quantifiable() -> None:
    """A PET image with all that is needed has no obstacle; CT is not asked at all."""
    assert obstacles(scanned(phantom())) == ()
    assert obstacles(scanned(series_header(SERIES[2], Identifiers("suv"), 3))) is None


@pytest.mark.parametrize(("fault", "reason"), FAULTS, ids=lambda each: each if isinstance(each, str) else "")
def test_what_is_missing_is_told(fault: Callable[[Dataset], object], reason: str) -> None:
    """One fault in an image from which SUVs could be computed: that is what is told."""
    made = phantom()
    fault(made)
    found = obstacles(scanned(made)) or ()
    assert any(reason in each for each in found), found


def test_times_of_a_series_made_later() -> None:
    """A series that a workstation made after the scan counts from the acquisition, if the frame's time is known."""
    made = phantom()
    made.SeriesTime = "180000"
    assert obstacles(scanned(made)) == ()
    del made.FrameReferenceTime
    (reason,) = obstacles(scanned(made)) or ()
    assert "no start of the scan is known" in reason


def test_an_injection_before_midnight() -> None:
    """The date and time of the injection may lie on the day before; a time alone may not."""
    made = phantom()
    made.SeriesTime, made.AcquisitionTime = "003000", "003010"
    item(made).RadiopharmaceuticalStartTime = "233000"
    item(made).RadiopharmaceuticalStartDateTime = "20261101233000"
    assert obstacles(scanned(made)) == ()
    del item(made).RadiopharmaceuticalStartDateTime
    assert obstacles(scanned(made)) == ("the injection is after the scan",)


@needs_data
@pytest.mark.parametrize(
    ("name", "reasons"),
    [
        ("GH184.dcm", ()),
        ("2020-11-16-SalimKanounAnonymization.dcm", ()),
        (
            "GH610.dcm",
            (
                "CorrectedImage has no ATTN",
                "Units is neither BQML, nor GML, nor CNTS",
                "PatientWeight is missing",
                "SeriesDate is missing",
                "SeriesTime is missing",
            ),
        ),
    ],
)
def test_real_scanners(name: str, reasons: tuple[str, ...]) -> None:
    """A GE Discovery STE, a Siemens Biograph mCT, and an uncorrected image that was anonymised."""
    assert DATA is not None
    read = pydicom.dcmread(DATA / "pet-ct-templates" / name, stop_before_pixels=True)
    assert obstacles(scanned(read)) == reasons


RULES = """
normalise:
  - {name: gate, when: {Modality: PT, suv_computable: no}, hold: no SUV}
  - {name: quality, when: {StationName: OLD}, hold: this scanner needs a look}
"""


def test_the_reason_is_told_in_hold_and_explanation() -> None:
    """Who has to look is told what is missing, and so is who asks for an explanation; no value is in it."""
    made = phantom()
    del made.PatientWeight
    rules = ruleset(RULES)
    decision = rules.decide(scanned(made), arrival())
    assert decision.held is not None
    assert (decision.held.rule, decision.held.reason) == ("gate", "no SUV; PatientWeight is missing")
    story = "\n".join(explained(rules, scanned(made), arrival()).lines())
    assert "✓ suv_computable: false (PatientWeight is missing)" in story
    assert "normalise: quality - not reached" in story
    good = "\n".join(explained(rules, scanned(phantom()), arrival()).lines())
    assert "✗ suv_computable: false (SUV can be computed)" in good


def test_released_once_it_is_not_held_by_that_rule_again() -> None:
    """A release lets it by the rule that held it, not by later ones; what was corrected is judged anew by all."""
    made = phantom()
    del made.PatientWeight
    made.StationName = "OLD"
    rules, header = ruleset(RULES), scanned(made)

    def held_by(corrections: dict[str, str], before: str) -> str | None:
        held = rules.decide(header, arrival(), corrections, let_by=None if corrections else before).held
        return held.rule if held else None

    assert held_by({}, "gate") == "quality"
    assert held_by({}, "quality") is None
    assert held_by({}, "a rule that is gone") == "gate"
    assert held_by({"PatientID": "1"}, "gate") == "gate"
    assert held_by({"PatientWeight": "70"}, "gate") == "quality"
    assert held_by({"StationName": "NEW"}, "quality") == "gate"
    assert held_by({"StationName": "NEW", "PatientWeight": "70"}, "quality") is None
    assert rules.decide(header, arrival(), {"PatientWeight": "70"}, let_by="quality").held is None
