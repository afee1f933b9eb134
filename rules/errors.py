"""The errors of the room that decides; each docstring is the default message. Never patient data in a text."""

from typing import NamedTuple


class Missing(NamedTuple):
    """A value that a table has no line for. It is the instance's own: for the person who asks, never for a log."""

    table: str
    column: str | None
    keyword: str
    key: str


class RulesError(Exception):
    """A rule, a header or an edit is not as it must be."""

    def __str__(self) -> str:
        """The message given, or else the docstring."""
        return super().__str__() or (self.__doc__ or "")


class HeaderError(RulesError):
    """The header cannot be read."""


class HeaderIncompleteError(HeaderError):
    """The header goes on after the bytes given."""

    def __init__(self, needed: int) -> None:
        super().__init__()
        self.needed = needed  # bytes from the start of the data set, at the least


class AttributeNameError(RulesError):
    """There is no attribute of this name."""

    def __init__(self, name: str, suggestion: str | None = None) -> None:
        super().__init__(f"{name!r} is not a DICOM keyword, tag, path or fact of the arrival")
        self.name = name
        self.suggestion = suggestion


class EditError(RulesError):
    """An edit cannot be made; the instance is held."""


class EditHeldError(EditError):
    """An edit asks a person to look; the instance is held."""

    def __init__(self, message: str = "", missing: Missing | None = None) -> None:
        super().__init__(*filter(None, [message]))
        self.missing = missing


class EditRejectedError(EditError):
    """An edit rejects the instance."""
