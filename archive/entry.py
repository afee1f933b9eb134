"""One received instance in its file, before or after filing, read from the file alone. Moves and decides nothing."""

from dataclasses import dataclass
from pathlib import Path

from archive.errors import EntryUnreadableError
from archive.files import SHORT_OF_MEANS
from archive.origin import Identity, Origin
from archive.part10 import read_head


@dataclass(frozen=True, slots=True)
class Entry:
    """A sealed file. `digest` (SHA-256, hex) and `size` (bytes) are of the data set, which starts at `data_set_offset`.

    The file is `data_set_offset + size` bytes long.
    """

    arrival: str
    path: Path
    identity: Identity
    origin: Origin
    digest: str
    data_set_offset: int
    size: int

    def head(self, limit: int) -> bytes:
        """The first bytes of the data set, at most `limit`."""
        with self.path.open("rb", buffering=0) as file:
            file.seek(self.data_set_offset)
            return file.read(min(limit, self.size))

    def unreadable(self, error: OSError) -> EntryUnreadableError | OSError:
        """What an error in reading this file is to be raised as: itself where it says nothing of the file."""
        if error.errno in SHORT_OF_MEANS:
            return error
        return EntryUnreadableError(f"the file cannot be read: {error.strerror}", self.arrival)


def read_entry(path: Path) -> Entry:
    """The entry in this file of ours; EntryUnreadableError if it cannot be read."""
    head = read_head(path)
    stamp = head.stamp
    return Entry(stamp.arrival, path, head.identity, stamp.origin, stamp.digest, head.data_set_offset, stamp.size)
