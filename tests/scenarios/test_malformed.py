"""Bad instances from a real sender: each is refused truthfully or held for a person; the appliance stays up."""

import hashlib
from pathlib import Path

import pytest
from pydicom.uid import ImplicitVRLittleEndian

from tests.support.appliance import RunningAppliance, wait_until
from tests.support.data import data_files, needs_data
from tests.support.dcmtk import dcmsend, echoscu, needs_dcmtk, storescp
from tests.support.part10 import part10_head, read_part10
from tests.support.scanning import Scanner

pytestmark = [needs_data, needs_dcmtk, pytest.mark.peer]

CT = "1.2.840.10008.5.1.4.1.1.2"
YAML = """
appliance: {{ae_title: MICROPACS, listen: "127.0.0.1:{{port}}", data: ./data}}
sources: {{any: {{ae_title: SCANNER, host: 127.0.0.1}}}}
destinations: {{pacs: {{ae_title: PACS, host: 127.0.0.1, port: {pacs}, retry: {{first: 1s, longest: 1s}}}}}}
normalise:
  - {{name: touch every header, edit: [set: {{InstitutionName: X}}]}}
routes: [{{name: all, to: [pacs]}}]
"""
GOOD = "series/mr-siemens-avanto"


FILED, NO_STUDY, NO_SERIES = "filed", "StudyInstanceUID is missing", "SeriesInstanceUID is missing"
CUT_SHORT = "the data set ends before its pixel data does"
SAME_UID = "the archive holds another instance with this SOP Instance UID and other content"
UIDS_DIFFER = 0xA900
# What is odd only in its pixels, its private parts or its wording is kept as it came; nothing is decoded on the way.
OUTCOMES: dict[str, str | int] = {
    "2022-03-08-RicSmi.dcm": FILED,
    "2026-05-26-oob-monochrome-65535.dcm": FILED,
    "ColorTestMalaterre.dcm": FILED,
    "ExplVR_BigEndNoMeta.dcm": UIDS_DIFFER,
    "ExplVR_LitEndNoMeta.dcm": UIDS_DIFFER,
    "GDCMJ2K_TextGBR.dcm": FILED,
    "Image1.dcm": FILED,
    "Image2.dcm": FILED,
    "Image3.dcm": FILED,
    "Issue1097_FailToOpenDeflatedFileWithSQ.dcm": FILED,
    "Issue140.dcm": FILED,
    "Issue22-NoPixelData.dcm": FILED,
    "J2K_pixelrep_mismatch.dcm": FILED,
    "JPEG2000-embedded-sequence-delimiter.dcm": FILED,
    "MR_truncated.dcm": CUT_SHORT,
    "OutOfBoundsOverlay.dcm": FILED,
    "SC_jpeg_no_color_transform.dcm": FILED,
    "SC_rgb_small_odd.dcm": FILED,
    "UN_sequence.dcm": UIDS_DIFFER,
    "UnknownSopClassUid.dcm": FILED,
    "badVR.dcm": UIDS_DIFFER,
    "bad_sequence.dcm": UIDS_DIFFER,
    "empty_charset_LEI.dcm": UIDS_DIFFER,
    "emri_small_jpeg_2k_lossless_too_short.dcm": CUT_SHORT,
    "explicit_VR-UN.dcm": FILED,
    "meta_missing_tsyntax.dcm": UIDS_DIFFER,
    "nested_priv_SQ.dcm": UIDS_DIFFER,
    "no_meta.dcm": UIDS_DIFFER,
    "no_meta_group_length.dcm": UIDS_DIFFER,
    "priv_SQ.dcm": UIDS_DIFFER,
    "reportsi_with_empty_number_tags.dcm": FILED,
    "rtplan_truncated.dcm": UIDS_DIFFER,
    "rtstruct.dcm": UIDS_DIFFER,
    "cut-in-header.dcm": NO_STUDY,
    "cut-in-pixel-data.dcm": CUT_SHORT,
    "empty-series-uid.dcm": NO_SERIES,
    "meta-uid-differs.dcm": UIDS_DIFFER,
    "no-study-uid.dcm": NO_STUDY,
    "path-traversal-id.dcm": FILED,
    "preamble-mz.dcm": SAME_UID,  # the one before and the four here are one instance in several forms
    "preamble-tiff.dcm": SAME_UID,
    "same-uid-other-pixels.dcm": SAME_UID,
    "text.dcm": UIDS_DIFFER,
    "trailing-garbage.dcm": SAME_UID,
    "zero-bytes.dcm": UIDS_DIFFER,
    "zipMR.gz": UIDS_DIFFER,
}


def _sent(folder: Path) -> dict[str, str]:
    """Every malformed file as it would be sent, in `folder`; the digest of its data set by name.

    What has no usable head is sent whole, as the data set of a CT instance.
    """
    digests = {}
    for number, path in enumerate(data_files("malformed")):
        part = read_part10(path)
        data_set = part.data_set if part else path.read_bytes()
        head = b"" if part else part10_head(CT, f"2.25.{number + 5000}", ImplicitVRLittleEndian)
        (folder / f"{number:03d}.dcm").write_bytes(head + path.read_bytes())
        digests[path.name] = hashlib.sha256(data_set).hexdigest()
    return digests


def test_every_malformed_file_is_refused_or_held_or_kept(tmp_path: Path) -> None:
    """Each file has the outcome of the table; what is held is not sent; no role falls over and a good study passes."""
    (tmp_path / "scanner").mkdir()
    digests = _sent(tmp_path / "scanner")
    (tmp_path / "site").mkdir()
    with (
        storescp(tmp_path / "pacs", "+xa") as pacs,
        RunningAppliance(tmp_path / "site", YAML.format(pacs=pacs)) as appliance,
    ):
        before = appliance.roles()
        answers = Scanner(appliance.port, tmp_path / "scanner").finish()
        wait_until(lambda: not appliance.waiting(), 30, "the spool to be filed")
        kept = {str(digest): FILED for (digest,) in appliance.sql("select received_digest from instances")}
        held = dict(appliance.sql("select digest, reason from held where state = 'held'"))
        outcomes = {
            name: answer["status"] or kept.get(digest) or held.get(digest)
            for (name, digest), answer in zip(digests.items(), answers, strict=True)
        }
        assert outcomes == OUTCOMES
        assert appliance.count("select count(*) from deliveries") == len(kept), "what is held is never sent"
        good = data_files(GOOD)[:20]
        assert dcmsend(appliance.port, good, "-dn", "-aet", "SCANNER").returncode == 0
        appliance.filed(len(kept) + len(good))
        assert echoscu(appliance.port, "-aet", "SCANNER")
        assert appliance.roles() == before, "no role had to be started again"
        log = appliance.log.read_text()
        for name in ("CompressedSamples", "Doe", "../"):
            assert name not in log
