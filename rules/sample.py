"""A top level the loop has gone through, kept to be compared with the next of its kind. It makes no template of it."""

from rules.layout import SHORT_VRS, Layout
from rules.scanning import Scan

SAME, VALUE, LENGTH = 0, 1, 2  # what may differ in an element: nothing, the bytes of its value, its length as well
_UNDEFINED = b"\xff\xff\xff\xff"


class Sample:
    """Where the elements lie, and their bytes, with the tag and VR of the pixel data if the loop stopped there."""

    __slots__ = ("data", "end", "ends", "layout", "offsets", "starts", "stopped", "tags")

    def __init__(self, data: bytes, layout: Layout, scan: Scan) -> None:
        behind = 0 if scan.stopped is None else 4 if layout.implicit else 6
        self.data = data[: scan.end + behind]
        self.layout = layout
        self.offsets = scan.offsets
        self.tags = tuple(scan.offsets)
        self.starts = tuple(scan.offsets.values())
        self.ends = (*self.starts[1:], scan.end)
        self.end = scan.end
        self.stopped = scan.stopped

    def is_like(self, other: "Sample") -> bool:
        """Whether the other one has the same tags, in the same layout."""
        return self.tags == other.tags and self.layout is other.layout and self.stopped == other.stopped

    def head(self, index: int) -> tuple[int, int, str]:
        """Where the length of an element stands, where its value begins, and its VR as written."""
        start = self.starts[index]
        if self.layout.implicit:
            return start + 4, start + 8, ""
        written = self.data[start + 4 : start + 6]
        vr = SHORT_VRS.get(written)
        return (start + 8, start + 12, written.decode("ascii")) if vr is None else (start + 6, start + 8, vr)

    def difference(self, other: "Sample", index: int) -> int:
        """What may differ in an element, if it may be as in either of two samples that are alike: VALUE or LENGTH.

        A sequence of undefined length that is the same in both is SAME, since its value must be for its end to be.
        """
        start, end = self.starts[index], self.ends[index]
        other_start, other_end = other.starts[index], other.ends[index]
        length, value, _ = self.head(index)
        other_length, other_value, _ = other.head(index)
        written = other.data[other_length:other_value]
        if written == self.data[length:value] and written != _UNDEFINED:
            return VALUE
        return SAME if self.data[start:end] == other.data[other_start:other_end] else LENGTH
