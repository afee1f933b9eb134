"""Errors of the other rooms as DIMSE status and comment (PS3.7 annex C, PS3.4 table B.2-1); the only place for that."""

from archive import ArchiveError, SpoolFullError
from router.errors import RouterError
from rules import HeaderError

SUCCESS = 0x0000
INVALID_SOP_INSTANCE = 0x0117
SOP_CLASS_NOT_SUPPORTED = 0x0122
UNRECOGNISED_OPERATION = 0x0211
OUT_OF_RESOURCES = 0xA700
DATA_SET_DOES_NOT_MATCH = 0xA900
CANNOT_UNDERSTAND = 0xC000


class RefusedError(RouterError):
    """The request cannot be served; `status` says why."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


def status_of(error: ArchiveError | HeaderError | RefusedError) -> tuple[int, str]:
    """The status and the comment (at most 64 characters, our own words only) that tell the peer of an error."""
    if isinstance(error, RefusedError):
        return error.status, str(error)
    if isinstance(error, HeaderError):
        return CANNOT_UNDERSTAND, "the data set cannot be read"
    if isinstance(error, SpoolFullError):
        return OUT_OF_RESOURCES, "short of disk space"
    return OUT_OF_RESOURCES, "the disk failed"
