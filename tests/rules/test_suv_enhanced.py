"""Whether SUVs can be computed from Enhanced PET images: yes where every frame says what is needed, else why not."""

from collections.abc import Callable

import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from rules import Header
from rules.suv import obstacles
from tests.support.rules import EXPLICIT_LITTLE_ENDIAN, arrival, encoded, ruleset

FRAMES = 3
Change = Callable[[Dataset], object]


def mapping(*codes: str, scheme: str = "UCUM") -> Dataset:
    """A functional group with a real world value mapping for each of the codes."""
    group, items = Dataset(), []
    for code in codes:
        unit, item = Dataset(), Dataset()
        unit.CodeValue, unit.CodingSchemeDesignator, unit.CodeMeaning = code, scheme, "unit"
        item.MeasurementUnitsCodeSequence = Sequence([unit])
        items.append(item)
    group.RealWorldValueMappingSequence = Sequence(items)
    return group


def enhanced() -> Dataset:
    """The header of an Enhanced PET image with the unit in the shared functional groups."""
    made, dose = Dataset(), Dataset()
    made.SOPClassUID, made.Modality = "1.2.840.10008.5.1.4.1.1.130", "PT"
    made.NumberOfFrames, made.PatientWeight = FRAMES, "70"
    made.AttenuationCorrected = made.DecayCorrected = "YES"
    made.DecayCorrectionDateTime = "20261102100000.00+0900"
    dose.RadiopharmaceuticalStartDateTime = "20261102090000.00+0900"
    dose.RadionuclideTotalDose, dose.RadionuclideHalfLife = "370000000", "6586.2"
    made.RadiopharmaceuticalInformationSequence = Sequence([dose])
    made.SharedFunctionalGroupsSequence = Sequence([mapping("Bq/ml")])
    made.PerFrameFunctionalGroupsSequence = Sequence([Dataset() for _ in range(FRAMES)])
    return made


def scanned(made: Dataset) -> Header:
    """The header as an instance would bring it."""
    return Header.scan(encoded(made), EXPLICIT_LITTLE_ENDIAN)


def given(**attributes: object) -> Change:
    """Attributes of the image with other values; None takes one away."""

    def change(made: Dataset) -> None:
        for name, value in attributes.items():
            setattr(made, name, value) if value is not None else delattr(made, name)

    return change


def injected(**attributes: object) -> Change:
    """Attributes of the radiopharmaceutical with other values; None takes one away."""
    return lambda made: given(**attributes)(made.RadiopharmaceuticalInformationSequence[0])


def frames(*groups: Dataset, shared: Dataset | None = None) -> Change:
    """Functional groups of each frame, and of all together."""
    return given(
        PerFrameFunctionalGroupsSequence=Sequence(list(groups)),
        SharedFunctionalGroupsSequence=Sequence([shared or Dataset()]),
    )


FAULTS: list[tuple[Change, str]] = [
    (given(AttenuationCorrected="NO"), "AttenuationCorrected is not YES"),
    (given(AttenuationCorrected=None), "AttenuationCorrected is not YES"),
    (given(DecayCorrected="NO"), "DecayCorrected is not YES"),
    (given(PatientWeight=None), "PatientWeight is missing"),
    (given(DecayCorrectionDateTime=None), "DecayCorrectionDateTime is missing"),
    (given(DecayCorrectionDateTime="2026"), "DateTime or DecayCorrectionDateTime cannot be read"),
    (given(DecayCorrectionDateTime="20261102100000"), "have different time zones"),
    (given(DecayCorrectionDateTime="20261102085959+0900"), "the injection is after DecayCorrectionDateTime"),
    (given(DecayCorrectionDateTime="20261103100000+0900"), "the injection is more than 10 half-lives before"),
    (injected(RadiopharmaceuticalStartDateTime=None), "RadiopharmaceuticalStartDateTime is missing"),
    (injected(RadionuclideTotalDose="0"), "RadionuclideTotalDose is not above zero"),
    (injected(RadionuclideHalfLife=None), "RadionuclideHalfLife is missing"),
    (
        lambda made: made.RadiopharmaceuticalInformationSequence.append(Dataset()),
        "RadiopharmaceuticalInformationSequence has more than one item",
    ),
    (frames(*[Dataset()] * FRAMES), "MeasurementUnitsCodeSequence is missing"),
    (frames(shared=mapping("{counts}")), "MeasurementUnitsCodeSequence is neither Bq/ml nor g/ml{SUVbw}"),
    (frames(shared=mapping("Bq/ml", scheme="99OWN")), "MeasurementUnitsCodeSequence is not a unit of UCUM"),
    (
        frames(mapping("Bq/ml"), mapping("Bq/ml"), mapping("{counts}")),
        "not judged: enhanced PET whose frames have different units",
    ),
    (frames(mapping("Bq/ml"), mapping("Bq/ml"), Dataset()), "not judged: enhanced PET whose frames do not have one"),
    (frames(mapping("Bq/ml", "Bq/ml"), mapping("Bq/ml"), Dataset()), "enhanced PET whose frames do not have one unit"),
    (frames(mapping("Bq/ml"), shared=mapping("Bq/ml")), "enhanced PET whose frames do not have one unit each"),
    (frames(shared=mapping("Bq/ml", "g/ml{SUVbw}")), "enhanced PET whose frames have different units"),
]


@pytest.mark.parametrize(
    "change",
    [
        given(),
        frames(*[mapping("Bq/ml")] * FRAMES),
        injected(RadiopharmaceuticalStartDateTime="20261101233000+0900"),
        given(DecayCorrectionDateTime="20261102090000+0900"),
        frames(shared=mapping("Bq/mL")),
    ],
)
def test_what_says_everything_is_quantifiable(change: Change) -> None:
    """The unit may stand in the shared groups or in those of every frame, the injection on the day before."""
    made = enhanced()
    change(made)
    assert obstacles(scanned(made)) == ()


@pytest.mark.parametrize(("fault", "reason"), FAULTS)
def test_what_is_missing_is_told(fault: Change, reason: str) -> None:
    """One fault is told, and it is the only one."""
    made = enhanced()
    fault(made)
    (found,) = obstacles(scanned(made)) or ()
    assert reason in found


def test_what_is_an_suv_already_needs_no_dose() -> None:
    """Frames in g/ml{SUVbw} are quantifiable without weight, dose and times, but not without the corrections."""
    made = enhanced()
    frames(*[mapping("g/ml{SUVbw}")] * FRAMES)(made)
    given(PatientWeight=None, RadiopharmaceuticalInformationSequence=None, DecayCorrectionDateTime=None)(made)
    assert obstacles(scanned(made)) == ()
    made.DecayCorrected = "NO"
    assert obstacles(scanned(made)) == ("DecayCorrected is not YES",)


def test_the_gate_holds_and_lets_pass() -> None:
    """A rule with `suv_computable: no` holds enhanced PET with the reason, and lets through what is whole."""
    rules = ruleset("normalise: [{name: gate, when: {suv_computable: no}, hold: no SUV}]")
    made = enhanced()
    assert rules.decide(scanned(made), arrival()).held is None
    frames(mapping("Bq/ml"), mapping("{counts}"), mapping("Bq/ml"))(made)
    held = rules.decide(scanned(made), arrival()).held
    assert held is not None
    assert held.reason == "no SUV; not judged: enhanced PET whose frames have different units"
