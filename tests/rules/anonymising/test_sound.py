"""Sound in a waveform leaves as silence, as long as it was and as valid; curves of the body leave as they are."""

import shutil
import subprocess
from pathlib import Path

import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from archive import Identity
from router.folder.writer import file_head
from rules import Header
from tests.support.rules import EXPLICIT_LITTLE_ENDIAN, arrival, data_set, decoded, encoded, ruleset

CLASSES = "1.2.840.10008.5.1.4.1.1."
VOICE, AUDIO, TRIAL, PRIVATE = f"{CLASSES}9.4.1", f"{CLASSES}9.4.2", f"{CLASSES}9.1", "1.2.826.0.1.3680043.9.7777"
BODY = [f"{CLASSES}9.{last}" for last in ("1.1", "1.2", "1.3", "2.1", "3.1", "5.1", "6.1", "6.2", "7.1", "7.4", "8.1")]
SPOKEN = b"Zwetschgenbaum, Anna, please"
IMPLICIT = "1.2.840.10008.1.2"
_needs_dciodvfy = pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="dciodvfy is not installed (dicom3tools)")


def _code(value: str, scheme: str, meaning: str) -> Dataset:
    made = Dataset()
    made.CodeValue, made.CodingSchemeDesignator, made.CodeMeaning = value, scheme, meaning
    return made


def waveform(sop_class: str | None, interpretation: str = "UB", bits: int = 8, samples: bytes = SPOKEN) -> Dataset:
    """An instance with one channel of samples, such as a dictation."""
    channel = Dataset()
    channel.ChannelSourceSequence = Sequence([_code("110010", "DCM", "Operator's narrative")])
    channel.WaveformBitsStored, channel.ChannelSampleSkew = bits, "0"
    group = Dataset()
    group.WaveformOriginality, group.NumberOfWaveformChannels = "ORIGINAL", 1
    group.NumberOfWaveformSamples, group.SamplingFrequency = len(samples) * 8 // bits, "8000"
    group.ChannelDefinitionSequence = Sequence([channel])
    group.WaveformBitsAllocated = bits
    group.WaveformSampleInterpretation = interpretation
    group.add_new(0x54001010, "OB" if bits == 8 else "OW", samples)
    more = {} if sop_class is None else {"SOPClassUID": sop_class}
    made = data_set(
        SOPInstanceUID="1.2.3.4.1", StudyInstanceUID="1.2.3.4", SeriesInstanceUID="1.2.3.4.5", Modality="AU", **more
    )
    made.update(data_set(PatientID="4711", PatientName="Muster^Eva", PatientBirthDate="", PatientSex="F"))
    made.update(data_set(StudyDate="20240229", StudyTime="1015", StudyID="", AccessionNumber="", SeriesNumber="1"))
    made.update(data_set(ReferringPhysicianName="", Manufacturer="", InstanceNumber="1"))
    made.update(data_set(ContentDate="20240229", ContentTime="1015", AcquisitionDateTime="20240229101500"))
    made.AcquisitionContextSequence = Sequence()
    made.WaveformSequence = Sequence([group])
    return made


def copy(data: bytes, syntax: str = EXPLICIT_LITTLE_ENDIAN) -> bytes:
    """What leaves, from a rule that trusts the device: a voice is a voice."""
    rules = ruleset("routes: [{name: out, edit: [{anonymise: {burned_in: trust}}], to: [research]}]")
    splice = rules.prepare("out", Header.scan(data, syntax), arrival()).splice
    assert splice is not None
    return splice.prefix + data[splice.resume :]


def samples(made: Dataset) -> bytes:
    """The samples of the only channel."""
    return bytes(made.WaveformSequence[0][0x54001010].value)


@pytest.mark.parametrize("sop_class", [VOICE, AUDIO, TRIAL, PRIVATE, f"{BODY[0]}.4", "", None])
def test_a_voice_is_silenced(sop_class: str | None) -> None:
    """Of each class that may have one, and of those nobody knows; nothing else of the waveform changes."""
    before = waveform(sop_class)
    made = decoded(copy(encoded(before)))
    assert samples(made) == b"\x80" * len(SPOKEN)
    group = made.WaveformSequence[0]
    assert (group.NumberOfWaveformSamples, group.SamplingFrequency) == (len(SPOKEN), 8000)
    assert group.ChannelDefinitionSequence == before.WaveformSequence[0].ChannelDefinitionSequence


@pytest.mark.parametrize("sop_class", BODY)
def test_curves_of_the_body_stay(sop_class: str) -> None:
    """A heart does not tell a name."""
    assert samples(decoded(copy(encoded(waveform(sop_class))))) == SPOKEN


@pytest.mark.parametrize(
    ("interpretation", "bits", "silent"),
    [("UB", 8, b"\x80"), ("MB", 8, b"\xff"), ("AB", 8, b"\xd5"), ("SB", 8, b"\0"), ("SS", 16, b"\0"), ("??", 8, b"\0")],
)
def test_nothing_is_heard(interpretation: str, bits: int, silent: bytes) -> None:
    """Every coding has its own value at rest, and every value is it; so in implicit VR."""
    before = waveform(AUDIO, interpretation, bits)
    assert samples(decoded(copy(encoded(before)))) == silent * len(SPOKEN)
    made = decoded(copy(encoded(before, implicit=True), IMPLICIT), implicit=True)
    assert samples(made) == silent * len(SPOKEN)


def test_a_voice_deeper_down_is_silenced() -> None:
    """Wherever samples stand, also without the sequence they belong in."""
    inner = waveform(AUDIO)
    outer = data_set(SOPInstanceUID="1.2.3.4.1", SOPClassUID=AUDIO, EnergyWindowInformationSequence=Sequence([inner]))
    outer.add_new(0x54001010, "OW", SPOKEN)
    made = decoded(copy(encoded(outer)))
    assert samples(made.EnergyWindowInformationSequence[0]) == b"\x80" * len(SPOKEN)
    assert bytes(made[0x54001010].value) == bytes(len(SPOKEN))


@_needs_dciodvfy
@pytest.mark.peer
def test_it_is_as_valid_as_it_was(tmp_path: Path) -> None:
    """A dictation is one for dciodvfy, before and after, and it finds no error in either."""
    before = encoded(waveform(VOICE))
    made = copy(before)
    errors = []
    for name, data, uid in (("before", before, "1.2.3.4.1"), ("after", made, decoded(made).SOPInstanceUID)):
        path = tmp_path / name
        path.write_bytes(file_head(Identity(VOICE, uid, EXPLICIT_LITTLE_ENDIAN)) + data)
        done = subprocess.run(["dciodvfy", path], capture_output=True, text=True, check=False)
        assert "BasicVoice" in done.stdout + done.stderr
        errors.append({line for line in (done.stdout + done.stderr).splitlines() if line.startswith("Error")})
    assert errors == [set(), set()]
