"""Regions made black in uncompressed pixels of every kind, compared with a pixel by pixel reckoning."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.errors import PixelsError
from router.pixels.rework import rework
from rules import PixelWork, Region
from tests.support.pictures import BIG_ENDIAN, DEFLATED, EXPLICIT, IMPLICIT, Kind, picture, read, written

REGIONS = st.lists(
    st.builds(Region, st.integers(0, 5), st.integers(0, 4), st.integers(1, 12), st.integers(1, 12)),
    min_size=1,
    max_size=3,
)
GREYS = st.sampled_from(["MONOCHROME1", "MONOCHROME2"])
KINDS = st.one_of(
    st.builds(Kind, st.just(5), st.integers(6, 9), st.integers(1, 3), GREYS, st.just(1), st.just(1)),
    st.builds(
        lambda frames, grey, bits, less, signed: Kind(5, 7, frames, grey, bits, bits - less, signed),
        st.integers(1, 3), GREYS, st.sampled_from([8, 16, 32]), st.integers(0, 5), st.booleans(),
    ),
    st.builds(
        lambda frames, colours, bits, planar: Kind(5, 7, frames, colours, bits, bits, planar=planar),
        st.integers(1, 3), st.sampled_from(["RGB", "YBR_FULL"]), st.sampled_from([8, 16]), st.sampled_from([0, 1]),
    ),
)  # fmt: skip


def samples(pixels: bytes, kind: Kind) -> dict[tuple[int, int, int, int], int]:
    """Each sample by frame, row, column and number, found one by one."""
    found = {}
    for frame in range(kind.frames):
        for row in range(kind.rows):
            for column in range(kind.columns):
                for sample in range(kind.samples):
                    if kind.planar:
                        at = ((frame * kind.samples + sample) * kind.rows + row) * kind.columns + column
                    else:
                        at = ((frame * kind.rows + row) * kind.columns + column) * kind.samples + sample
                    if kind.bits == 1:
                        value = pixels[at // 8] >> at % 8 & 1
                    else:
                        size = kind.bits // 8
                        value = int.from_bytes(pixels[at * size : at * size + size], "little", signed=kind.signed)
                    found[frame, row, column, sample] = value
    return found


def black(kind: Kind, sample: int) -> int:
    """The value of a black sample."""
    if kind.photometric == "MONOCHROME1":
        return (1 << kind.stored - kind.signed) - 1
    if kind.photometric == "MONOCHROME2":
        return -(1 << kind.stored - 1) if kind.signed else 0
    return 1 << kind.bits - 1 if sample and kind.photometric == "YBR_FULL" else 0


def little(data: bytes, syntax: str, kind: Kind) -> bytes:
    """The pixels of a data set with the least significant byte first."""
    pixels = bytes(read(data, syntax).PixelData)
    size = kind.bits // 8 or 1
    if syntax == BIG_ENDIAN:
        pixels = b"".join(pixels[at : at + size][::-1] for at in range(0, len(pixels), size))
    return pixels


@given(
    kind=KINDS, regions=REGIONS, syntax=st.sampled_from([IMPLICIT, EXPLICIT, BIG_ENDIAN, DEFLATED]), seed=st.integers()
)
def test_regions_are_black_and_nothing_else_is_changed(
    kind: Kind, regions: list[Region], syntax: str, seed: int
) -> None:
    """In every frame, for every kind of pixel and order of bytes; the header stays, and the same comes of it again."""
    data = written(picture(kind, seed), syntax)
    work = PixelWork(tuple(regions), syntax)
    made = rework(data, syntax, work)
    before, after = samples(little(data, syntax, kind), kind), samples(little(made, syntax, kind), kind)
    for (frame, row, column, sample), value in after.items():
        is_inside = any(x <= column < x + width and y <= row < y + height for x, y, width, height in regions)
        assert value == (black(kind, sample) if is_inside else before[frame, row, column, sample])
    one, other = read(data, syntax), read(made, syntax)
    del one.PixelData, other.PixelData
    assert one == other
    assert rework(data, syntax, work) == made


def test_colours_of_pairs() -> None:
    """Of YBR_FULL_422 a pair that a region cuts is blanked whole, for its colour is that of both."""
    kind = Kind(4, 6, 2, "YBR_FULL_422", 8, 8)
    data = written(picture(kind))
    before = bytes(read(data, EXPLICIT).PixelData)
    after = bytes(read(rework(data, EXPLICIT, PixelWork((Region(1, 1, 2, 1),), EXPLICIT)), EXPLICIT).PixelData)
    expected = bytearray(before)
    for frame in range(2):
        at = (frame * 4 + 1) * 12
        expected[at : at + 8] = b"\0\0\x80\x80" * 2
    assert after == expected


@pytest.mark.parametrize("syntax", [EXPLICIT, BIG_ENDIAN])
def test_a_palette_has_its_darkest_colour(syntax: str) -> None:
    """The value that is displayed darkest is written, whatever number it has."""
    tables = ([9, 7, 60_000, 8], [9, 0, 60_000, 8], [9, 1, 60_000, 8])
    attributes: dict[str, object] = {}
    for colour, table in zip(("Red", "Green", "Blue"), tables, strict=True):
        order = "big" if syntax == BIG_ENDIAN else "little"
        attributes[f"{colour}PaletteColorLookupTableDescriptor"] = [4, 10, 16]
        attributes[f"{colour}PaletteColorLookupTableData"] = b"".join(each.to_bytes(2, order) for each in table)
    kind = Kind(photometric="PALETTE COLOR", bits=8, stored=8)
    data = written(picture(kind, **attributes), syntax)
    made = rework(data, syntax, PixelWork((Region(0, 0, 8, 6),), syntax))
    assert set(bytes(read(made, syntax).PixelData)) == {11}


def test_the_cells_of_a_shifted_pixel() -> None:
    """Bits that are not stored at the bottom of a cell are blanked with it, also an overlay in those above."""
    kind = Kind(photometric="MONOCHROME1", bits=16, stored=8)
    made = rework(written(picture(kind, HighBit=11)), EXPLICIT, PixelWork((Region(0, 0, 8, 6),), EXPLICIT))
    assert bytes(read(made, EXPLICIT).PixelData) == b"\xf0\x0f" * 48


@pytest.mark.parametrize(
    ("kind", "attributes", "region", "reason"),
    [
        (Kind(), {}, Region(8, 0, 5, 5), "outside the picture"),
        (Kind(), {}, Region(0, 6, 5, 5), "outside the picture"),
        (Kind(), {"NumberOfFrames": 2}, Region(0, 0, 5, 5), "not as long as"),
        (Kind(frames=3), {"NumberOfFrames": 2}, Region(0, 0, 5, 5), "not as long as"),
        (Kind(), {"Rows": None}, Region(0, 0, 5, 5), "Rows is absent"),
        (Kind(), {"BitsStored": 17, "HighBit": 16}, Region(0, 0, 5, 5), "contradicts itself"),
        (Kind(), {"PhotometricInterpretation": "ARGB"}, Region(0, 0, 5, 5), "what is black"),
        (Kind(), {"NumberOfFrames": 100_000_000}, Region(0, 0, 5, 5), "512 MB"),
        (Kind(columns=7, photometric="YBR_FULL_422", bits=8, stored=8), {}, Region(0, 0, 5, 5), "8-bit pairs"),
    ],
)  # fmt: skip
def test_what_cannot_be_blanked(kind: Kind, attributes: dict[str, object], region: Region, reason: str) -> None:
    """It is refused with a reason, never left as it is."""
    data = written(picture(kind, **attributes))
    with pytest.raises(PixelsError, match=reason):
        rework(data, EXPLICIT, PixelWork((region,), EXPLICIT))


def test_floating_point_pixels_are_not_blanked() -> None:
    """What is black among them nobody knows."""
    made = picture(Kind())
    del made.PixelData
    made.FloatPixelData = bytes(8 * 6 * 4)
    with pytest.raises(PixelsError, match="floating-point"):
        rework(written(made), EXPLICIT, PixelWork((Region(0, 0, 1, 1),), EXPLICIT))
