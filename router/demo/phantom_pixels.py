"""Pixel data of the demo phantom's CT and PET slices, fast without numpy; knows no DICOM header.

Slices repeat along the axis, so each distinct section is painted once. Noise is added by one addition of two long
integers that hold a whole slice as 16-bit lanes: no lane is ever negative or overflows, so none disturbs the next.
"""

import random
from array import array
from dataclasses import dataclass, field
from functools import lru_cache

from router.demo.phantom_shape import (
    BODY_RADIUS,
    LUNG_RADIUS,
    WALL,
    Grid,
    Section,
    body,
    disc,
    paint_spheres,
    section_at,
    slab,
)

CT_GRID = Grid(512, 0.9765625)
PET_GRID = Grid(128, 5.46875)
HU_OFFSET = 1024  # stored value = HU + 1024
PET_STORED_PER_SUV = 3000
HOT_SUV = 8.0
BACKGROUND_SUV = 1.0
SLICE_SPACING = 3.27

_AIR, _WATER, _PLASTIC, _LUNG, _CARBON, _FOAM = -1000, 0, 110, -700, -350, -960
_CT_NOISE = 12  # standard deviation, HU
_PET_NOISE = 80  # stored units, 2.7 % of the background, and never more than 1 % of a hot sphere
_LANE = 0xFFFF


@dataclass(frozen=True, slots=True)
class _Template:
    """A slice without noise as one integer, and which bits of the noise it takes."""

    pixels: int
    mask: int


@dataclass(frozen=True, slots=True)
class Noise:
    """Gaussian noise, cut at two deviations, as 16-bit lanes around `mean`, `spread` lanes more than `size`."""

    lanes: bytes
    mean: int
    size: int
    spread: int

    @classmethod
    def made(cls, rng: random.Random, size: int, deviation: int, *, smooth: bool) -> "Noise":
        """Noise for slices of `size` pixels; `smooth` joins neighbours as a reconstruction does."""
        bell = [int(max(-2.0, min(2.0, rng.gauss(0.0, 1.0))) * deviation) for _ in range(509)]
        bell += [-value for value in bell]  # so that the mean stays what it is
        spread = 4093
        values = rng.choices(bell, k=size + spread)
        if smooth:
            values = [(a + b) * 5 // 7 for a, b in zip(values, values[1:] + values[:1], strict=True)]
        mean = 3 * deviation
        return cls(array("H", [value + mean for value in values]).tobytes(), mean, size, spread)

    def turned(self, number: int) -> int:
        """The noise of slice `number`: the buffer read from another place."""
        start = 2 * (number * 1031 % self.spread)
        return int.from_bytes(self.lanes[start : start + 2 * self.size], "little")


def _template(pixels: "array[int]", noise_mean: int, floor: int, low_mask: int) -> _Template:
    """A template whose lanes above `floor` take all noise, the others only the bits of `low_mask`."""
    masked = array("H", [_LANE if value > floor else low_mask for value in pixels])
    lowered = array("H", [value - noise_mean if value > floor else value for value in pixels])
    return _Template(int.from_bytes(lowered.tobytes(), "little"), int.from_bytes(masked.tobytes(), "little"))


@dataclass(slots=True)
class PhantomPixels:
    """Slices of one run, the same bytes for the same seed."""

    seed: str
    _ct_noise: Noise = field(init=False)
    _pet_noise: Noise = field(init=False)

    def __post_init__(self) -> None:
        rng = random.Random(self.seed)  # noqa: S311 - noise in a picture
        self._ct_noise = Noise.made(rng, CT_GRID.size**2, _CT_NOISE, smooth=False)
        self._pet_noise = Noise.made(rng, PET_GRID.size**2, _PET_NOISE, smooth=True)

    def ct(self, z: float, number: int) -> bytes:
        """512 x 512 unsigned 16 bit little endian: HU + 1024 at height z mm; `number` picks the noise."""
        template = _ct_template(section_at(z), self._ct_noise.mean)
        return _joined(template, self._ct_noise.turned(number), CT_GRID)

    def pet(self, z: float, number: int, *, attenuation_corrected: bool) -> bytes:
        """128 x 128 unsigned 16 bit little endian: 3000 x SUV at height z mm; `number` picks the noise."""
        sections = tuple(section_at(z + step * SLICE_SPACING) for step in (-1, 0, 1))
        template = _pet_template(sections, self._pet_noise.mean, attenuation_corrected)
        return _joined(template, self._pet_noise.turned(number), PET_GRID)


def _joined(template: _Template, noise: int, grid: Grid) -> bytes:
    return (template.pixels + (noise & template.mask)).to_bytes(2 * grid.size**2, "little")


@lru_cache(maxsize=64)
def _ct_template(section: Section, noise_mean: int) -> _Template:
    grid = CT_GRID
    pixels = grid.blank(_AIR + HU_OFFSET)
    grid.paint(pixels, _CARBON + HU_OFFSET, slab(118.0, 148.0, 210.0))
    grid.paint(pixels, _FOAM + HU_OFFSET, slab(121.0, 145.0, 207.0))
    if section.scale > 0:
        grid.paint(pixels, _PLASTIC + HU_OFFSET, body(section.scale, WALL))
        grid.paint(pixels, _WATER + HU_OFFSET, body(section.scale))
    if section.lung:
        grid.paint(pixels, _PLASTIC + HU_OFFSET, disc(LUNG_RADIUS + WALL))
        grid.paint(pixels, _LUNG + HU_OFFSET, disc(LUNG_RADIUS))
    plastic, water = _PLASTIC + HU_OFFSET, _WATER + HU_OFFSET
    paint_spheres(grid, pixels, section.spheres, plastic, plastic, wall=1.0)
    paint_spheres(grid, pixels, section.spheres, water, water)
    return _template(pixels, noise_mean, floor=100, low_mask=0x000F)


@lru_cache(maxsize=128)
def _pet_template(
    sections: tuple[Section, Section, Section], noise_mean: int, attenuation_corrected: bool
) -> _Template:
    """One PET slice: blurred over a voxel along all three axes, as a scanner's resolution does."""
    below, here, above = (_activity(section) for section in sections)
    mixed = [(a + 2 * b + c) // 4 for a, b, c in zip(below, here, above, strict=True)]
    for stride in (1, PET_GRID.size):
        edge = [0] * stride
        mixed = [
            (a + 2 * b + c) // 4 for a, b, c in zip(edge + mixed[:-stride], mixed, mixed[stride:] + edge, strict=True)
        ]
    if not attenuation_corrected:
        mixed = [value * part // 1000 for value, part in zip(mixed, _escaping(), strict=True)]
    return _template(array("H", mixed), noise_mean, floor=2 * noise_mean, low_mask=0)


@lru_cache(maxsize=64)
def _activity(section: Section) -> "array[int]":
    pixels = PET_GRID.blank(0)
    if section.scale > 0:
        PET_GRID.paint(pixels, int(BACKGROUND_SUV * PET_STORED_PER_SUV), body(section.scale))
    if section.lung:
        PET_GRID.paint(pixels, 0, disc(LUNG_RADIUS))
    paint_spheres(PET_GRID, pixels, section.spheres, hot=int(HOT_SUV * PET_STORED_PER_SUV), cold=0)
    return pixels


@lru_cache(maxsize=1)
def _escaping() -> list[int]:
    """Per mille of the photons that leave the body from each pixel, roughly: few from the middle, most from the rim."""
    places = [PET_GRID.origin + index * PET_GRID.spacing for index in range(PET_GRID.size)]
    half_height = 112.0
    return [
        int(250 + 750 * min(1.0, (x / BODY_RADIUS) ** 2 + (y / half_height) ** 2) ** 2) for y in places for x in places
    ]


def covered(slices: int) -> list[float]:
    """Heights z in mm of so many slices from the head down, centred on the plane of the spheres."""
    return [((slices - 1) / 2 - index) * SLICE_SPACING for index in range(slices)]
