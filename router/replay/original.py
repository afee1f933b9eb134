"""The header of a past arrival as it was received, from the beginning of its file. Reads no more than it needs."""

from archive import Entry, Past, Undoing, beginning
from rules import Header, HeaderIncompleteError, undo

FIRST_READ_BYTES = 16 * 1024
GROWTH = 8
_ROOM = 64  # bytes beyond the changed ones, so that the element after them is seen


def original(past: Past) -> tuple[Entry, Header]:
    """The header as received, and an entry as filing saw it.

    EntryUnreadableError if the file is not as it was kept, `rules.RulesError` if its header cannot be read or what
    the rules changed cannot be undone, OSError if this process is short of means.
    """
    room = sum(len(each.restore) + _ROOM for each in past.undoings)
    limit = max(FIRST_READ_BYTES, room + max((each.prefix_length for each in past.undoings), default=0))
    while True:
        read = beginning(past, limit)
        data = _undone(read.data, past.undoings)
        try:
            header = Header.scan(data, past.identity.transfer_syntax_uid, complete=read.is_all)
        except HeaderIncompleteError as incomplete:
            if read.is_all:
                raise
            limit = max(limit * GROWTH, incomplete.needed + room)
        else:
            shift = len(read.data) - len(data)  # what follows the header lies so many bytes further on
            return _entry(past, read.data_set_offset + shift, past.bytes - shift), header


def _undone(data: bytes, undoings: tuple[Undoing, ...]) -> bytes:
    for each in undoings:
        data = undo(data[: each.prefix_length], each.restore) + data[each.prefix_length :]
    return data


def _entry(past: Past, offset: int, size: int) -> Entry:
    """The entry as it was received; its offset is right from the end of the header on."""
    return Entry(past.arrival, past.path, past.identity, past.origin, past.received_digest, offset, size)
