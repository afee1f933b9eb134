"""A header with edits laid over it, and the splice that makes them. It never touches a byte that no edit names."""

from collections.abc import Callable, Sequence

from rules.attribute import Attribute, Step
from rules.charset import UnencodableError
from rules.decoding import PLAIN_VRS, SINGLE_VALUE_VRS, TEXT_VRS, unpadded
from rules.encoding import encode_values
from rules.errors import EditError
from rules.header import Header
from rules.overlay import EditedLevel, Replacement
from rules.path import read
from rules.pixels import Region
from rules.splicing import Hunk, Splice, hunks_of, splice_of, undo

__all__ = ["Draft", "Splice", "undo"]


class Draft:
    """A readable overlay over a header. Edits are seen by `values` at once; `splice` encodes them.

    What is asked for beyond the header stands in `regions` (to be made black) and `transfer_syntax_uid` (to leave in).
    """

    def __init__(self, header: Header) -> None:
        self.header = header
        self.top = EditedLevel(header.top)
        self.regions: tuple[Region, ...] = ()
        self.transfer_syntax_uid: str | None = None

    @property
    def changed(self) -> bool:
        """Whether the edits made so far leave anything different from the data set."""
        return self.top.changed

    def values(self, attribute: Attribute) -> tuple[str, ...] | None:
        """As `Header.values`, with the edits made so far."""
        tag = attribute.tag
        if tag is None and not self.top.changed:
            return self.header.values(attribute)
        values = read(self.top, attribute) if tag is None else self.top.text(tag)
        first = attribute.steps[0]
        if values is None and len(attribute.steps) == 1 and first.tag and first.tag not in self.header.top.offsets:
            return self.header.values(attribute)  # what is no element of the header: transfer syntax, pixel data
        return values

    def set(self, attribute: Attribute, values: Sequence[str], *, checked: bool = True) -> None:
        """Give the attribute these values; none is as `blank` but also makes it where it is absent.

        On a path without an item number the first item is meant, and made if there is none. EditError if the VR cannot
        hold the values, or the path cannot be followed. Not `checked`, a text may be as wrong as scanners send it, and
        a path may add the next item to a sequence.
        """
        self._check_writable(attribute)
        if not self.header.editable and self.values(attribute) == tuple(values):
            return
        self._check_editable()
        if checked and attribute.maximum_values is not None and len(values) > attribute.maximum_values:
            raise EditError(f"{attribute.name} holds {attribute.maximum_values} value(s) only")
        try:
            level = self.top
            for step in attribute.steps[:-1]:
                level = _item(level, step, may_add=not checked)
            step = attribute.steps[-1]
            tag = level.reserve(step.private) if step.private else step.tag
            if tag is not None:
                self._put(level, tag, attribute, tuple(values), checked=checked)
        except EditError as problem:
            raise _named(attribute, problem) from None

    def rewrite(self, attribute: Attribute, change: Callable[[tuple[str, ...]], Sequence[str]]) -> None:
        """Make new values of the old ones wherever the attribute is present and not empty. EditError as `set`."""
        self._check_writable(attribute)
        for level, tag in self._places(attribute):
            values = level.text(tag) or ()
            if values or tag in level.level.repeated:
                try:
                    self._put(level, tag, attribute, tuple(change(values)))
                except EditError as problem:
                    raise _named(attribute, problem) from None

    def blank(self, attribute: Attribute) -> None:
        """Empty the attribute wherever it is present; on a path without an item number in every item."""
        self._check_writable(attribute)
        for level, tag in self._places(attribute):
            level.put(tag, Replacement(*level.written_vr(tag, attribute), ()))

    def remove(self, attribute: Attribute) -> None:
        """Take the attribute away wherever it is present; on a path without an item number from every item."""
        self._check_writable(attribute)
        for level, tag in self._places(attribute):
            level.put(tag, None)

    def splice(self) -> Splice:
        """Encode the edits. EditError if these bytes cannot be edited."""
        return splice_of(self.header, self.hunks())

    def hunks(self) -> list[Hunk]:
        """The bytes that the edits replace, and by which. EditError as `splice`."""
        self._check_editable()
        return hunks_of(self.top)

    def _check_writable(self, attribute: Attribute) -> None:
        """EditError for what no edit may change."""
        if reason := attribute.unwritable_reason:
            raise EditError(f"{attribute.name}: {reason}")

    def _check_editable(self) -> None:
        """EditError for a header that was read by other means than its bytes."""
        if not self.header.editable:
            raise EditError("the header is too irregular to be edited")

    def _put(
        self, level: EditedLevel, tag: int, attribute: Attribute, values: tuple[str, ...], *, checked: bool = True
    ) -> None:
        """Replace one element's values; its character set gives way to UTF-8 if it cannot hold them."""
        written_vr, vr = level.written_vr(tag, attribute)
        if not checked and vr in TEXT_VRS | PLAIN_VRS:
            vr = "UT" if vr in SINGLE_VALUE_VRS else "UC"  # the two that take text of any form and length
        values = unpadded(values, vr)
        if values == ("",):
            values = ()
        little = level.level.layout.little or written_vr == "UN"
        if level.text(tag) == values and tag not in level.level.repeated:
            return
        charset = level.charset
        encoded = None
        try:
            encoded = charset, encode_values(values, vr, little=little, charset=charset)
        except UnencodableError:
            self._convert(level.scope)
        level.put(tag, Replacement(written_vr, vr, values, encoded))

    def _convert(self, scope: EditedLevel) -> None:
        """Mark a level to be converted to UTF-8; EditError if its text cannot be."""
        scope.converted = True
        try:
            hunks_of(scope)
        except EditError:
            scope.converted = False
            raise

    def _places(self, attribute: Attribute) -> list[tuple[EditedLevel, int]]:
        """Every place where the attribute is present."""
        levels = [self.top]
        for step in attribute.steps[:-1]:
            levels = [child for level in levels for child in _items(level, step)]
        found = [(level, level.find(attribute.steps[-1])) for level in levels]
        places = [(level, tag) for level, tag in found if tag is not None and level.has(tag)]
        if places:
            self._check_editable()
        return places


def _named(attribute: Attribute, problem: EditError) -> EditError:
    """The same problem with the attribute's name before it."""
    if str(problem).startswith(f"{attribute.name}:"):
        return problem
    return type(problem)(f"{attribute.name}: {problem}")


def _items(level: EditedLevel, step: Step) -> list[EditedLevel]:
    """The items a step names that are there."""
    tag = level.find(step)
    items = [] if tag is None else level.children(tag)
    return items if step.item is None else items[step.item : step.item + 1]


def _item(level: EditedLevel, step: Step, *, may_add: bool) -> EditedLevel:
    """The one item a step names; the first is made where there is none. EditError for one that cannot be."""
    tag = level.reserve(step.private) if step.private else step.tag
    sequence = level.sequence(tag or 0)
    number = step.item or 0
    if number < len(sequence.levels):
        return sequence.levels[number]
    if number == 0 or (may_add and number == len(sequence.levels)):
        return sequence.add()
    raise EditError(f"there is no item {number}")
