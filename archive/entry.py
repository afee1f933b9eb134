"""One received instance in its file, before or after filing, read from the file alone. Moves and decides nothing."""

from dataclasses import dataclass, field
from pathlib import Path

from archive.errors import EntryUnreadableError
from archive.files import SHORT_OF_MEANS
from archive.origin import Identity, Origin
from archive.part10 import Head, read_head


@dataclass(frozen=True, slots=True)
class Entry:
    """A sealed instance. `digest` (SHA-256, hex) and `size` (bytes) are of the data set.

    It starts at byte `data_set_offset` of the file. An entry in a segment of the spool shares the file with others,
    and has its data set with it as `content`; for all others the file is a Part 10 file and ends with the data set.
    """

    arrival: str
    path: Path
    identity: Identity
    origin: Origin
    digest: str
    data_set_offset: int
    size: int
    content: bytes | None = field(default=None, repr=False, compare=False)

    def data_set(self, start: int, size: int) -> bytes:
        """At most `size` bytes of the data set from its byte `start` on. Raises OSError."""
        if self.content is not None:
            return self.content[start : start + size]
        with self.path.open("rb", buffering=0) as file:
            file.seek(self.data_set_offset + start)
            return file.read(min(size, max(0, self.size - start)))

    def unreadable(self, error: OSError) -> EntryUnreadableError | OSError:
        """What an error in reading this file is to be raised as: itself where it says nothing of the file."""
        if error.errno in SHORT_OF_MEANS:
            return error
        return EntryUnreadableError(f"the file cannot be read: {error.strerror}", self.arrival)


def read_entry(path: Path) -> Entry:
    """The entry in this file of ours; EntryUnreadableError if it cannot be read."""
    return entry_of(path, read_head(path))


def entry_of(path: Path, head: Head) -> Entry:
    """The entry in a file of ours with this head."""
    stamp = head.stamp
    return Entry(stamp.arrival, path, head.identity, stamp.origin, stamp.digest, head.data_set_offset, stamp.size)
