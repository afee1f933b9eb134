"""The errors of the room that keeps; each docstring is the default message. Never patient data in a text."""


class ArchiveError(Exception):
    """The archive cannot do what it was asked."""

    def __str__(self) -> str:
        """The message given, or else the docstring."""
        return super().__str__() or (self.__doc__ or "")


class SpoolFullError(ArchiveError):
    """The disk of the spool is short of space."""


class SpoolFailedError(ArchiveError):
    """The disk of the spool failed; nothing was acknowledged."""


class EntryUnreadableError(ArchiveError):
    """A spool entry cannot be read back."""

    def __init__(self, text: str = "", arrival: str | None = None) -> None:
        super().__init__(text)
        self.arrival = arrival  # which one, where that is not plain from the call


class ChangedMeanwhileError(ArchiveError):
    """The study was changed by somebody else, or grew, in the same moment."""


class KeyTakenError(ArchiveError):
    """An instance cannot go back to its study: another one is kept there under its UIDs."""


class DamagedError(ArchiveError):
    """A kept file is damaged, so no other version of it is made."""

    def __init__(self, file: str) -> None:
        super().__init__(f"the kept file {file} is damaged; micropacs verify")


class NotKeptError(ArchiveError):
    """The archive holds nothing under this name."""


class QueryError(ArchiveError):
    """The query is not one the archive can answer."""


class ArchiveFullError(ArchiveError):
    """The disk of the archive is short of space; nothing was filed."""


class ArchiveFailedError(ArchiveError):
    """The disk of the archive failed; nothing was filed."""


class VerificationStoppedError(ArchiveError):
    """The verification was told to stop before it was done."""


class DatabaseUnfitError(ArchiveError):
    """The database is set up so that it may lose what it has committed."""
