"""What `blank_pixels` and `transcode` ask for, and what is refused when they are read."""

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from rules import Prepared, RulesError
from rules.edits import AnyEdit, Edit
from rules.errors import EditHeldError
from rules.header import Header
from rules.pixels import TARGETS, PixelWork, Region
from tests.support.elements import explicit, implicit
from tests.support.rules import EXPLICIT_LITTLE_ENDIAN, arrival, data_set, decoded, encoded, ruleset

EDIT: TypeAdapter[Edit] = TypeAdapter(AnyEdit)
RLE = TARGETS["rle"]
JPEG = "1.2.840.10008.1.2.4.50"
BLANK = "blank_pixels: {regions: [[0, 0, 512, 40]]}"
TOP = Region(0, 0, 512, 40)
PICTURE = explicit(0x7FE00010, "OW", bytes(8))


def picture(uid: str = EXPLICIT_LITTLE_ENDIAN, *, pixels: bool = True, **attributes: object) -> Header:
    """The header of a secondary capture with or without pixel data."""
    made = data_set(PatientID="1", SOPClassUID="1.2.840.10008.5.1.4.1.1.7", SOPInstanceUID="1.2", **attributes)
    if pixels:
        made.PixelData = bytes(8)
        made["PixelData"].VR = "OW"
    return Header.scan(encoded(made), uid)


def prepared(header: Header, *edits: str) -> Prepared:
    """The copy that a route with these edits sends."""
    listed = ", ".join(f"{{{edit}}}" for edit in edits)
    return ruleset(f"routes: [{{name: out, edit: [{listed}], to: [x]}}]").prepare("out", header, arrival())


@pytest.mark.parametrize("written", [*TARGETS, *TARGETS.values(), "RLE", " JPEG-LS "])
def test_transcode_takes_names_and_uids(written: str) -> None:
    """Every transfer syntax that can be written has a name, in any case, and its UID."""
    wanted = TARGETS.get(written.strip().lower(), written)
    uid = "1.2.840.10008.1.2.2"  # one that none of them is
    assert prepared(picture(EXPLICIT_LITTLE_ENDIAN), f"transcode: '{written}'").pixels == (
        None if wanted == EXPLICIT_LITTLE_ENDIAN else PixelWork((), wanted)
    )
    rules = ruleset(f"routes: [{{name: out, edit: [{{transcode: '{written}'}}], to: [x]}}]")
    assert rules.leaves_as("out", uid)[0] == wanted


@pytest.mark.parametrize(("written", "meant"), [("jpeg-2000", "jpeg2000"), ("1.2.840.10008.1.2.4.50", None)])
def test_what_cannot_be_written_is_refused(written: str, meant: str | None) -> None:
    """Another name or a lossy syntax is a mistake when it is read; a close name is told."""
    with pytest.raises(ValidationError) as refused:
        EDIT.validate_python({"transcode": written})
    (error,) = refused.value.errors()
    assert "is no transfer syntax that can be written" in error["msg"]
    assert error["ctx"].get("suggestion") == meant


@pytest.mark.parametrize(
    "regions", [[], [[0, 0, 10]], [["a", 0, 1, 1]], [[-1, 0, 5, 5]], [[0, 0, 0, 5]], [[0, 0, 5, 70_000]], ["0 0 1 1"]]
)
def test_regions_that_are_none_are_refused(regions: list[Any]) -> None:
    """A region is four numbers and has pixels; there is one at least."""
    with pytest.raises(ValidationError):
        EDIT.validate_python({"blank_pixels": {"regions": regions}})


def test_both_belong_into_a_route() -> None:
    """The archive keeps the pixels that came."""
    for edit in (BLANK, "transcode: rle"):
        with pytest.raises(RulesError, match="belongs into a route"):
            ruleset(f"normalise: [{{name: n, edit: [{{{edit}}}]}}]")


def test_blank_pixels_asks_for_its_regions_and_takes_the_icon_away() -> None:
    """An uncompressed copy stays in its transfer syntax; the icon would show the picture once more."""
    icon = data_set(Rows=1, Columns=1)
    made = prepared(picture(IconImageSequence=[icon]), BLANK, "blank_pixels: {regions: [['3', '4', '5', '6']]}")
    assert made.pixels == PixelWork((TOP, Region(3, 4, 5, 6)), EXPLICIT_LITTLE_ENDIAN)
    assert made.splice is not None
    assert "IconImageSequence" not in decoded(made.splice.prefix)
    assert [(each.attribute, each.new) for each in made.changes if each.attribute == "PixelData"] == [
        ("PixelData", "black in 2 region(s)")
    ]


def test_a_compressed_picture_leaves_uncompressed_or_as_asked() -> None:
    """Without `transcode` the copy is explicit VR little endian."""
    assert prepared(picture(JPEG), BLANK).pixels == PixelWork((TOP,), EXPLICIT_LITTLE_ENDIAN)
    assert prepared(picture(JPEG), BLANK, "transcode: rle").pixels == PixelWork((TOP,), RLE)


def test_what_has_no_pixels() -> None:
    """It is not compressed and has nothing to blank; in another uncompressed syntax it leaves as asked."""
    assert prepared(picture(pixels=False), BLANK).pixels is None
    assert prepared(picture(pixels=False), "transcode: rle").pixels is None
    assert prepared(picture(pixels=False), "transcode: implicit").pixels == PixelWork((), TARGETS["implicit"])


@pytest.mark.parametrize("uid", ["1.2.840.10008.1.2.4.94", "1.2.840.10008.1.2.7.1", "1.2.840.113619.5.2"])
def test_pixels_that_cannot_be_reached_hold(uid: str) -> None:
    """Pixels that are elsewhere, or in a syntax that nobody here knows, are never taken for blanked."""
    with pytest.raises(EditHeldError, match="cannot be worked on"):
        prepared(picture(uid, pixels=False), BLANK)


def test_the_syntaxes_of_a_route_are_known_before_its_copies() -> None:
    """Whatever an instance turns out to be, its copy is in one of those that were told for its route."""
    rules = ruleset(
        f"routes: [{{name: out, edit: [{{{BLANK}}}, {{transcode: rle}}], to: [x]}}, {{name: plain, to: [y]}}, "
        f"{{name: blank, edit: [{{{BLANK}}}], to: [z]}}, {{name: pad, edit: [{{upper: PatientID}}], to: [z]}}]"
    )
    assert rules.leaves_as("plain", JPEG) == rules.leaves_as("pad", JPEG) == (JPEG,)
    assert rules.leaves_as("blank", JPEG) == (EXPLICIT_LITTLE_ENDIAN,)
    assert rules.leaves_as("blank", TARGETS["implicit"]) == (TARGETS["implicit"],)
    for pixels in (True, False):
        for uid in (EXPLICIT_LITTLE_ENDIAN, JPEG, RLE):
            work = rules.prepare("out", picture(uid, pixels=pixels), arrival()).pixels
            assert (work.transfer_syntax_uid if work else uid) in rules.leaves_as("out", uid)


def test_anonymise_after_blank_pixels_does_not_hold() -> None:
    """The picture is clean then, and the copy says so and how; in the other order a person has to look."""
    made = prepared(picture(BurnedInAnnotation="YES"), BLANK, "anonymise: basic")
    assert made.pixels == PixelWork((TOP,), EXPLICIT_LITTLE_ENDIAN)
    assert made.splice is not None
    copy = decoded(made.splice.prefix)
    assert copy.BurnedInAnnotation == "NO"
    assert [item.CodeValue for item in copy.DeidentificationMethodCodeSequence] == ["113100", "113101"]
    with pytest.raises(EditHeldError, match="BurnedInAnnotation is YES"):
        prepared(picture(BurnedInAnnotation="YES"), "anonymise: basic", BLANK)


def test_anonymise_alone_says_nothing_of_clean_pixels() -> None:
    """Where nothing was blanked, no copy says that its pixels were cleaned."""
    made = prepared(picture(BurnedInAnnotation="NO"), "anonymise: basic")
    assert made.splice is not None
    codes = [item.CodeValue for item in decoded(made.splice.prefix).DeidentificationMethodCodeSequence]
    assert codes == ["113100"]


@pytest.mark.parametrize("edits", [(BLANK,), (BLANK, "transcode: explicit"), (BLANK, "upper: StationName")])
def test_a_header_read_by_other_means_never_leaves_with_its_picture_as_it_came(edits: tuple[str, ...]) -> None:
    """Where nobody can say where its pixels lie, an instance whose regions are to be black is held."""
    irregular = implicit(0x00080070, b"X ")  # among elements of explicit VR
    header = Header.scan(encoded(data_set(SOPInstanceUID="1.2")) + irregular + PICTURE, EXPLICIT_LITTLE_ENDIAN)
    assert not header.editable
    with pytest.raises(EditHeldError, match="too irregular for its pixels"):
        prepared(header, *edits)


@pytest.mark.parametrize("before", [(), (BLANK,)])
def test_an_overlay_in_bits_of_the_pixels_is_held(before: tuple[str, ...]) -> None:
    """Its attributes are taken away, the overlay itself is not: a person has to look, or the device is trusted."""
    overlay = Header.scan(
        encoded(data_set(PatientID="1", SOPInstanceUID="1.2", BurnedInAnnotation="NO"))
        + explicit(0x60000102, "US", b"\x0c\0")
        + PICTURE,
        EXPLICIT_LITTLE_ENDIAN,
    )
    with pytest.raises(EditHeldError, match="an overlay lies in bits of the pixels"):
        prepared(overlay, *before, "anonymise: basic")
    assert prepared(overlay, *before, "anonymise: {burned_in: trust}").splice is not None
