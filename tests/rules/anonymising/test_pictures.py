"""Which pictures a person has to look at first: of each modality of the standard, of screens, and videos."""

import pytest
from pydicom.dataset import Dataset

from rules import Header
from rules.errors import EditHeldError
from tests.support.rules import EXPLICIT_LITTLE_ENDIAN, arrival, data_set, encoded, ruleset

# The defined terms of Modality (PS3.3 C.7.3.1.1.1, 2026), those that were retired, and what no standard knows.
MEASURED = "CR CT DX MG MR NM PT RF RTDOSE RTIMAGE SEG XA".split()  # noqa: SIM905 - a table of names
HELD = """
    ANN AR ASMT AU BDUS BI BMD CFM CTPROTOCOL DG DMS DOC ECG EEG EMG EOG EPS ES FID GM HC HD IO IOL IVOCT IVUS KER KO
    LEN LS M3D OAM OCT OP OPM OPT OPTBSV OPTENF OPV OSS OT PA PLAN POS PR PX REG RESP RG RTINTENT RTPLAN RTRAD RTRECORD
    RTSEGANN RTSTRUCT RWV SM SMR SR SRF STAIN TEXTUREMAP TG US VA XAPROTOCOL XC
    AS CD CF CP CS DD DF DM DS EC FA FS LP MA MS OPR ST VF
    SC PTCT
""".split()  # noqa: SIM905 - a table of names
MPEG_2, MPEG_4, HEVC = "1.2.840.10008.1.2.4.100", "1.2.840.10008.1.2.4.102.1", "1.2.840.10008.1.2.4.108"
JPEG_XL, JPEG_2000 = "1.2.840.10008.1.2.4.110", "1.2.840.10008.1.2.4.90"


def picture(**attributes: object) -> bytes:
    """An instance with pixels."""
    before: Dataset = data_set(PatientID="1", SOPInstanceUID="1.2", **attributes)
    before.PixelData = bytes(8)
    before["PixelData"].VR = "OW"
    return encoded(before)


def why_held(data: bytes, edits: str, syntax: str = EXPLICIT_LITTLE_ENDIAN) -> str:
    """The reason, "" for what leaves."""
    rules = ruleset(f"routes: [{{name: out, edit: [{edits}], to: [research]}}]")
    try:
        rules.prepare("out", Header.scan(data, syntax), arrival())
    except EditHeldError as reason:
        return str(reason)
    return ""


@pytest.mark.parametrize("modality", [*MEASURED, "ct"])
def test_measured_pictures_leave(modality: str) -> None:
    """Nothing is written into what was measured or computed, unless it is of a screen or says so."""
    assert why_held(picture(Modality=modality), "anonymise: basic") == ""
    screen = picture(Modality=modality, ImageType=["DERIVED", "SECONDARY", "SCREEN SAVE"])
    assert "may have names" in why_held(screen, "anonymise: basic")
    assert "BurnedInAnnotation is YES" in why_held(
        picture(Modality=modality, BurnedInAnnotation="YES"), "anonymise: basic"
    )


@pytest.mark.parametrize("modality", [*HELD, "", "sm"])
def test_all_others_are_held(modality: str) -> None:
    """Unless their header says NO, their rule trusts the device, or they have no pixels at all."""
    assert "may have names" in why_held(picture(Modality=modality), "anonymise: basic")
    assert why_held(picture(Modality=modality, BurnedInAnnotation="NO"), "anonymise: basic") == ""
    assert why_held(picture(Modality=modality), "anonymise: {burned_in: trust}") == ""
    assert why_held(encoded(data_set(SOPInstanceUID="1.2", Modality=modality)), "anonymise: basic") == ""


def test_a_picture_of_no_modality_is_held() -> None:
    """Nobody can tell what it is."""
    assert "may have names" in why_held(picture(), "anonymise: basic")


@pytest.mark.parametrize("syntax", [MPEG_2, MPEG_4, HEVC])
def test_videos_may_have_sound(syntax: str) -> None:
    """No header says that nobody is named in it, so that the rule has to; what is blanked is no video any more."""
    video = picture(Modality="ES", BurnedInAnnotation="NO")
    assert "sound" in why_held(video, "anonymise: basic", syntax)
    assert why_held(video, "anonymise: {burned_in: trust}", syntax) == ""
    blanked = "{blank_pixels: {regions: [[0, 0, 1, 1]]}}, {anonymise: basic}"
    assert "sound" not in why_held(video, blanked, syntax)


@pytest.mark.parametrize("syntax", [JPEG_XL, JPEG_2000, EXPLICIT_LITTLE_ENDIAN])
def test_pictures_have_none(syntax: str) -> None:
    """Other syntaxes are of pictures."""
    assert why_held(picture(Modality="ES", BurnedInAnnotation="NO"), "anonymise: basic", syntax) == ""
