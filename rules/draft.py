"""A header with edits laid over it, and the splice that makes them. It never touches a byte that no edit names."""

from collections.abc import Sequence
from dataclasses import dataclass

from rules.attribute import Attribute
from rules.header import Header


@dataclass(frozen=True, slots=True)
class Splice:
    """The edited data set is `prefix + original[resume:]`; `restore` undoes it (see `undo`)."""

    prefix: bytes
    resume: int
    restore: bytes


class Draft:
    """A readable overlay over a header. Edits are seen by `values` at once; `splice` encodes them."""

    def __init__(self, header: Header) -> None:
        self.header = header

    @property
    def changed(self) -> bool:
        """Whether any edit changed anything."""
        raise NotImplementedError

    def values(self, attribute: Attribute) -> tuple[str, ...] | None:
        """As `Header.values`, with the edits made so far."""
        raise NotImplementedError

    def set(self, attribute: Attribute, values: Sequence[str]) -> None:
        """Give the attribute these values; EditError if its VR cannot hold them."""
        raise NotImplementedError

    def blank(self, attribute: Attribute) -> None:
        """Empty the attribute where it is present."""
        raise NotImplementedError

    def remove(self, attribute: Attribute) -> None:
        """Take the attribute away where it is present."""
        raise NotImplementedError

    def splice(self) -> Splice:
        """Encode the edits. EditError if the header cannot be edited."""
        raise NotImplementedError


def undo(prefix: bytes, restore: bytes) -> bytes:
    """The original bytes [0:resume] again, from a splice's prefix and its `restore`."""
    raise NotImplementedError
