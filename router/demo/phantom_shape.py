"""The demo phantom's geometry after NEMA NU 2: body, lung insert, spheres and table, painted into rows; knows no DICOM.

Lengths are millimetres in the patient's system: x to the left hand, y to the back, z to the head. The spheres' centres
lie in the plane z = 0 on a circle around the z axis, the lung insert along that axis.
"""

import math
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass

BODY_RADIUS = 147.0  # of the upper half
FLANK_RADIUS = 77.0  # of the two lower corners
FLANK_X = BODY_RADIUS - FLANK_RADIUS
BODY_OFFSET_Y = 35.0  # puts the middle of the body's height on the axis
WALL = 3.0
HALF_LENGTH = 390.0
DOME = 60.0  # the last part of each end is rounded off
LUNG_RADIUS = 22.25
LUNG_HALF_LENGTH = 300.0
SPHERE_CIRCLE_RADIUS = 57.2

HalfWidth = Callable[[float], float]


@dataclass(frozen=True, slots=True)
class Sphere:
    """One fillable sphere: diameter and centre in mm, `hot` or else cold."""

    diameter: float
    x: float
    y: float
    hot: bool


def _sphere(place: int, diameter: float, *, hot: bool) -> Sphere:
    angle = math.radians(60.0 * place)
    return Sphere(diameter, SPHERE_CIRCLE_RADIUS * math.cos(angle), -SPHERE_CIRCLE_RADIUS * math.sin(angle), hot)


# The sizes and places of NEMA NU 2. Unlike there, the largest is hot: it alone is free of partial volume at its centre.
SPHERES = (
    _sphere(0, 17.0, hot=False),
    _sphere(1, 22.0, hot=True),
    _sphere(2, 28.0, hot=False),
    _sphere(3, 37.0, hot=True),
    _sphere(4, 10.0, hot=True),
    _sphere(5, 13.0, hot=True),
)


@dataclass(frozen=True, slots=True)
class Section:
    """What a plane across the axis cuts: equal sections give equal slices, so each is painted once.

    `scale` is the body's size against its full size, 0 outside of it; `spheres` holds one radius in mm per sphere.
    """

    scale: float
    lung: bool
    spheres: tuple[float, ...]


def section_at(z: float) -> Section:
    """The section at height z; a tenth of a millimetre of sphere radius is as fine as it is told apart."""
    beyond = abs(z) - (HALF_LENGTH - DOME)
    scale = 1.0 if beyond <= 0 else math.sqrt(max(0.0, 1.0 - (beyond / DOME) ** 2))
    radii = tuple(round(math.sqrt(max(0.0, (s.diameter / 2) ** 2 - z * z)), 1) for s in SPHERES)
    return Section(round(scale, 3), abs(z) <= LUNG_HALF_LENGTH, radii)


@dataclass(frozen=True, slots=True)
class Grid:
    """A square pixel matrix centred on the axis; `spacing` in mm."""

    size: int
    spacing: float

    @property
    def origin(self) -> float:
        """The x and y of the centre of the first pixel."""
        return -(self.size - 1) / 2 * self.spacing

    def blank(self, value: int) -> "array[int]":
        """A slice of one value: size x size unsigned 16 bit, row by row."""
        return array("H", [value]) * (self.size * self.size)

    def paint(self, pixels: "array[int]", value: int, half_width: HalfWidth, x: float = 0.0) -> None:
        """Fill every pixel whose centre lies within half_width(y) of x; a negative half width leaves a row alone."""
        for row in range(self.size):
            half = half_width(self.origin + row * self.spacing)
            if half < 0:
                continue
            first = max(0, math.ceil((x - half - self.origin) / self.spacing))
            last = min(self.size - 1, math.floor((x + half - self.origin) / self.spacing))
            if first <= last:
                start = row * self.size
                pixels[start + first : start + last + 1] = array("H", [value]) * (last - first + 1)


def body(scale: float, wall: float = 0.0) -> HalfWidth:
    """The body's outline: a half circle above, two quarter circles and a flat base below, `wall` mm wider."""

    def half_width(y: float) -> float:
        down = y / scale - BODY_OFFSET_Y if scale else math.inf
        if down <= 0:
            square = (BODY_RADIUS + wall) ** 2 - down**2
            return scale * math.sqrt(square) if square >= 0 else -1.0
        square = (FLANK_RADIUS + wall) ** 2 - down**2
        return scale * (FLANK_X + math.sqrt(square)) if square >= 0 else -1.0

    return half_width


def disc(radius: float, y: float = 0.0) -> HalfWidth:
    """A disc around height y; nothing for a radius of 0."""

    def half_width(at: float) -> float:
        square = radius**2 - (at - y) ** 2
        return math.sqrt(square) if radius > 0 and square >= 0 else -1.0

    return half_width


def slab(top: float, bottom: float, half: float) -> HalfWidth:
    """A rectangle from y = top to y = bottom, `half` mm to either side."""
    return lambda y: half if top <= y <= bottom else -1.0


def paint_spheres(
    grid: Grid, pixels: "array[int]", radii: Sequence[float], hot: int, cold: int, wall: float = 0
) -> None:
    """Fill the six spheres of a section with their values; those the section does not cut have radius 0."""
    for sphere, radius in zip(SPHERES, radii, strict=True):
        if radius > 0:
            grid.paint(pixels, hot if sphere.hot else cold, disc(radius + wall, sphere.y), sphere.x)
