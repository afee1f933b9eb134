"""`blank_pixels` and `transcode`: what is to be done with a copy's pixels. It is noted here, and done by who sends."""

from typing import Annotated, ClassVar, Self

from pydantic import Field, PlainValidator

from rules.attribute import Attribute
from rules.draft import Draft
from rules.edits.edit import Edit, EditContext
from rules.pixels import TARGETS, Region
from rules.problems import closest
from rules.values import refusal, text_of

_ICON = Attribute.parse("IconImageSequence")
_REGION_MEMBERS = 4
_LONGEST_SIDE = 65_535  # Rows and Columns are 16-bit numbers


def _region(value: object) -> Region:
    """Four numbers from the configuration."""
    try:
        numbers = [int(text_of(each).strip()) for each in value] if isinstance(value, list | tuple) else []
    except ValueError:
        numbers = []
    if len(numbers) != _REGION_MEMBERS or not all(0 <= each <= _LONGEST_SIDE for each in numbers):
        raise refusal("a region is [x, y, width, height] in pixels from the upper left corner, such as [0, 0, 512, 40]")
    region = Region(*numbers)
    if not region.width or not region.height:
        raise refusal("a region without width or height has no pixels")
    return region


class BlankPixelsEdit(Edit):
    """Make regions of every frame black, whatever is written there; a compressed picture leaves uncompressed."""

    is_for_copies: ClassVar[bool] = True

    regions: tuple[Annotated[Region, PlainValidator(_region, json_schema_input_type=list[int])], ...] = Field(
        min_length=1, description="[x, y, width, height] in pixels each, from the upper left corner of the picture."
    )

    def apply(self, draft: Draft, context: EditContext) -> None:  # noqa: ARG002
        """Ask for it, and take away the icon, which is the picture once more."""
        draft.regions += self.regions
        draft.remove(_ICON)

    def writes(self) -> tuple[Attribute, ...]:
        """The icon; pixel data is no attribute of a header."""
        return (_ICON,)


class TranscodeEdit(Edit):
    """Send in another transfer syntax; every pixel value stays as it is."""

    is_for_copies: ClassVar[bool] = True

    transfer_syntax_uid: str

    @classmethod
    def parse(cls, value: object) -> Self:
        """A name or a UID of what can be written without loss. PydanticCustomError with a suggestion for others."""
        text = text_of(value).strip()
        uid = TARGETS.get(text.lower(), text)
        if uid not in TARGETS.values():
            meant = closest(text.lower(), TARGETS)
            raise refusal(f"{text!r} is no transfer syntax that can be written; there are {', '.join(TARGETS)}", meant)
        return cls(transfer_syntax_uid=uid)

    def apply(self, draft: Draft, context: EditContext) -> None:  # noqa: ARG002
        """Ask for it; of two the later counts."""
        draft.transfer_syntax_uid = self.transfer_syntax_uid

    def writes(self) -> tuple[Attribute, ...]:
        """No attribute: no data set says which transfer syntax it is in."""
        return ()
