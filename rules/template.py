"""What a top level must be like to lie as earlier ones did, asked in a few calls. It decodes no value, keeps nothing.

A template is made of what the loop found (see scanning). It finds what the loop would find, or nothing at all.
"""

import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from rules.errors import HeaderError
from rules.layout import UNDEFINED, end_of_undefined
from rules.sample import LENGTH, SAME, VALUE, Sample
from rules.scanning import Scan

_LONG_VALUE = 512  # bytes; a longer value is passed over rather than compared
_ELEMENTS_A_RUN = 3  # on average and at the least, or a template saves too little


class Run(NamedTuple):
    """A stretch of bytes from a base on: what is the same in every instance is taken out of it at once and compared.

    All but the last run end with the length of an element whose length varies; the next base is where that ends.
    """

    unpack: Callable[[bytes, int], tuple[Any, ...]]
    expected: tuple[bytes, ...]
    size: int  # bytes
    vr: str  # of the element whose length varies


class Offsets(Mapping[int, int]):
    """Where elements begin, by tag in file order: so many bytes behind the base of the run they stand in."""

    __slots__ = ("_bases", "_places")

    def __init__(self, places: Mapping[int, tuple[int, int]], bases: Sequence[int]) -> None:
        self._places = places
        self._bases = bases

    def __getitem__(self, tag: int) -> int:
        run, offset = self._places[tag]
        return self._bases[run] + offset

    def get(self, tag: int, default: Any = None) -> Any:  # noqa: ANN401 - as Mapping has it, but in one call
        """The offset of an element, `default` if it is absent."""
        place = self._places.get(tag)
        return default if place is None else self._bases[place[0]] + place[1]

    def __contains__(self, tag: object) -> bool:
        return tag in self._places

    def __iter__(self) -> Iterator[int]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)


class Template:
    """What all the samples have in common that it was made of, their tags at the least. It is never changed."""

    __slots__ = ("_kinds", "_last", "_places", "_runs", "beginning", "sample")

    def __init__(self, sample: Sample, kinds: bytes) -> None:
        """Of the latest sample; `kinds` says what may differ in each element."""
        self.sample = sample
        self._kinds = kinds
        runs = _made(sample, kinds)
        self._runs, self._last = runs[:-1], runs[-1]
        self._places = _places(sample, kinds) if self._runs else None
        self.beginning = runs[0].expected[0]  # what a data set must begin with to be worth asking about

    @classmethod
    def of(cls, sample: Sample) -> "Template":
        """One of a single sample, which finds nothing but its double."""
        return cls(sample, bytes(len(sample.tags)))

    def joined(self, other: Sample) -> "Template":
        """The template of one more sample, which is like the others; of it alone if they have too little in common."""
        mine, kinds = self.sample, bytearray(self._kinds)
        places = zip(self._kinds, mine.starts, mine.ends, other.starts, other.ends, strict=True)
        for index, (kind, start, end, new_start, new_end) in enumerate(places):
            if (
                kind != SAME
                or new_end - new_start > _LONG_VALUE
                or mine.data[start:end] != other.data[new_start:new_end]
            ):
                kinds[index] = max(kind, mine.difference(other, index))
        runs = kinds.count(LENGTH) + 1
        return Template.of(other) if runs * _ELEMENTS_A_RUN > len(kinds) else Template(other, bytes(kinds))

    def scan(self, data: bytes) -> Scan | None:
        """What the loop would find in this top level; None if it must be asked."""
        sample = self.sample
        base, bases = 0, [0]
        try:
            for unpack, expected, size, vr in self._runs:
                found = unpack(data, base)
                if found[:-1] != expected:
                    return None
                length = found[-1]
                base += size
                if length == UNDEFINED:
                    base = end_of_undefined(data, base, len(data), sample.layout, vr)
                else:
                    base += length
                bases.append(base)
            if self._last.unpack(data, base) != self._last.expected:
                return None
        except (struct.error, HeaderError):
            return None
        end = base + self._last.size
        if (len(data) - end < 8) is not (sample.stopped is None):
            return None  # the loop would not have come to the pixel data, or would have gone on
        offsets = sample.offsets if self._places is None else Offsets(self._places, bases)
        return Scan(offsets, end, sample.stopped)


def _made(sample: Sample, kinds: bytes) -> list[Run]:
    """The runs, of which all but the last end with a length."""
    runs: list[Run] = []
    piece = _Piece(sample, 0)
    for index in (index for index, kind in enumerate(kinds) if kind != SAME):
        if kinds[index] == VALUE:
            piece.pass_over(index)
        else:
            runs.append(piece.run_to(index))
            piece = _Piece(sample, sample.ends[index])
    return [*runs, piece.last_run()]


def _places(sample: Sample, kinds: bytes) -> dict[int, tuple[int, int]]:
    """For each tag the number of its run, and its offset there."""
    places: dict[int, tuple[int, int]] = {}
    run = base = 0
    for tag, start, end, kind in zip(sample.tags, sample.starts, sample.ends, kinds, strict=True):
        places[tag] = run, start - base
        if kind == LENGTH:
            run, base = run + 1, end
    return places


class _Piece:
    """A run that is being made, from `base` on."""

    def __init__(self, sample: Sample, base: int) -> None:
        self.base = base
        self._sample = sample
        self._same_from = base
        self._fields = ["<" if sample.layout.little else ">"]
        self._expected: list[bytes] = []

    def pass_over(self, index: int) -> None:
        """Leave the value of an element out."""
        _, value, _ = self._sample.head(index)
        end = self._sample.ends[index]
        self._same_to(value)
        self._fields.append(f"{end - value}x")
        self._same_from = end

    def run_to(self, index: int) -> Run:
        """The run that ends with the length of this element."""
        length, value, vr = self._sample.head(index)
        self._same_to(length)
        self._fields.append("H" if value - length == 2 else "L")
        return self._run(value, vr)

    def last_run(self) -> Run:
        """The run that ends where the loop ended, and looks at what it stopped at."""
        self._same_to(len(self._sample.data))
        return self._run(self._sample.end, "")

    def _same_to(self, end: int) -> None:
        if end > self._same_from:
            self._fields.append(f"{end - self._same_from}s")
            self._expected.append(self._sample.data[self._same_from : end])

    def _run(self, end: int, vr: str) -> Run:
        return Run(struct.Struct("".join(self._fields)).unpack_from, tuple(self._expected), end - self.base, vr)
