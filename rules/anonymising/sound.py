"""Sound that may be a voice, in waveforms and in videos, and silence of the same length. It knows no profile."""

import re

# Curves of the body, of which PS3.3 A.34 lets no channel be sound; 9.4 is audio, private classes may be anything.
_OF_THE_BODY = re.compile(r"1\.2\.840\.10008\.5\.1\.4\.1\.1\.9\.[1235678]\.\d+")
_VIDEO = re.compile(r"1\.2\.840\.10008\.1\.2\.4\.10\d(\.1)?")  # MPEG-2, MPEG-4 and HEVC (PS3.5 A.4)
_SILENT = {"AB": b"\xd5", "MB": b"\xff", "UB": b"\x80"}  # samples of 8 bits (PS3.3 C.10.9.1.5); others are at rest at 0


def may_be_voice(sop_class_uid: str | None) -> bool:
    """Whether the waveforms of an instance may be sound: those of every class that is not known to have other ones."""
    return _OF_THE_BODY.fullmatch(sop_class_uid or "") is None


def silence(length: int, interpretation: str) -> bytes:
    """As many bytes of waveform data in which nothing is heard; Waveform Sample Interpretation says how they are read.

    Where it does not, what is written still says nothing.
    """
    return _SILENT.get(interpretation, b"\0") * length


def may_have_sound_track(transfer_syntax_uid: str) -> bool:
    """Whether the pixel data is a video's stream, in which PS3.5 8.2 allows sound."""
    return _VIDEO.fullmatch(transfer_syntax_uid) is not None
