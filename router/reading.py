"""Reads the header at the start of a kept file, taking no more bytes than it needs. Decides nothing."""

from pathlib import Path

from rules import Header, HeaderIncompleteError

FIRST_READ_BYTES = 64 * 1024
GROWTH = 8


def read_header(path: Path, data_set_offset: int, transfer_syntax_uid: str) -> Header:
    """The header of the Part 10 file at `path`, whose data set begins at byte `data_set_offset`.

    Raises `rules.HeaderError` if it cannot be read, OSError if the disk fails.
    """
    limit = FIRST_READ_BYTES
    with path.open("rb") as file:
        while True:
            file.seek(data_set_offset)
            data = file.read(limit)
            complete = len(data) < limit
            try:
                return Header.scan(data, transfer_syntax_uid, complete=complete)
            except HeaderIncompleteError as incomplete:
                if complete:
                    raise
                limit = max(limit * GROWTH, incomplete.needed)
