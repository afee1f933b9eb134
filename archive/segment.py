"""One segment of the spool: a file that is written over and over, one received instance after the other.

Knows the format only: an entry is a head, then the data set as it came, and starts at a multiple of the block size, so
that nothing acknowledged shares a block with what is written later. It keeps no file open and chooses nothing.
"""

import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from io import FileIO
from struct import Struct

from archive.files import read_at
from archive.origin import Identity, Origin

HEAD_BYTES = 2048
SUFFIX = ".segment"
_BLOCK_BYTES = 4096
_MAGIC = b"MPACSEG1"
_HEAD = Struct("<8sB3xI16sQII")  # magic, state, check of the head, generation, size and check of the data set, length
_STATE_OFFSET, _GENERATION_OFFSET = 8, 16
GENERATION_BYTES = 16


class State(IntEnum):
    """How far an entry has come."""

    WRITTEN = 1  # complete, perhaps not on the disk yet, so not acknowledged
    SEALED = 2  # on the disk: may be acknowledged, waits to be filed
    FILED = 3  # its bytes are needed no more
    SET_ASIDE = 4  # cannot be read back; waits for a person


@dataclass(frozen=True, slots=True)
class SegmentEntry:
    """An entry's head. `size` (bytes) and `check` (CRC-32) are of its data set; `offset` is the head's in the file.

    `generation` is drawn anew each time a segment is written from its start again.
    """

    offset: int
    generation: bytes
    state: State
    arrival: str
    identity: Identity
    origin: Origin
    size: int
    check: int

    @property
    def data_set_offset(self) -> int:
        """Where the data set starts in the file."""
        return self.offset + HEAD_BYTES

    @property
    def end(self) -> int:
        """Where the next entry's head is."""
        return after(self.offset, self.size)


def after(offset: int, size: int) -> int:
    """Where the entry that follows one at `offset` with a data set of `size` bytes starts."""
    return -(-(offset + HEAD_BYTES + size) // _BLOCK_BYTES) * _BLOCK_BYTES


def encode(entry: SegmentEntry) -> bytes:
    """The head, HEAD_BYTES long; ValueError if what is known of the instance is too long for it."""
    identity, origin = entry.identity, entry.origin
    information = json.dumps(
        (
            entry.arrival,
            (identity.sop_class_uid, identity.sop_instance_uid, identity.transfer_syntax_uid),
            (origin.source, origin.calling_ae, origin.called_ae, origin.host, origin.received_at.isoformat()),
        )
    ).encode("ascii")
    if _HEAD.size + len(information) > HEAD_BYTES:
        raise ValueError("an entry says too much of itself")
    fields = (entry.generation, entry.size, entry.check, len(information))
    check = zlib.crc32(_HEAD.pack(_MAGIC, 0, 0, *fields) + information)
    return (_HEAD.pack(_MAGIC, entry.state, check, *fields) + information).ljust(HEAD_BYTES, b"\0")


def decode(head: bytes, offset: int) -> SegmentEntry | None:
    """The head at `offset`; None where there is none, or only what is left of one."""
    if len(head) < HEAD_BYTES or not head.startswith(_MAGIC):
        return None
    magic, state, check, *fields = _HEAD.unpack_from(head)
    generation, size, data_check, length = fields
    information = head[_HEAD.size : _HEAD.size + length]
    if check != zlib.crc32(_HEAD.pack(magic, 0, 0, *fields) + information):
        return None
    try:
        arrival, identity, (source, calling_ae, called_ae, host, received_at) = json.loads(information)
        origin = Origin(source, calling_ae, called_ae, host, datetime.fromisoformat(received_at))
        return SegmentEntry(offset, generation, State(state), arrival, Identity(*identity), origin, size, data_check)
    except (ValueError, TypeError):
        return None


def entry_at(file: FileIO, offset: int) -> SegmentEntry | None:
    """The entry whose head is at `offset`, None if there is none. Raises OSError."""
    return decode(read_at(file, HEAD_BYTES, offset), offset)


def generation_at(file: FileIO, offset: int) -> bytes:
    """The generation of the head at `offset`, unchecked; something else where there is none. Raises OSError."""
    return read_at(file, GENERATION_BYTES, offset + _GENERATION_OFFSET)


def entries(file: FileIO, offset: int, generation: bytes = b"") -> Iterator[SegmentEntry]:
    """The entries of one generation (b"": that of the first) from `offset` on. Raises OSError."""
    entry = entry_at(file, offset)
    generation = generation or (entry.generation if entry else b"")
    while entry is not None and entry.generation == generation:
        yield entry
        entry = entry_at(file, entry.end)


def state_mark(entry_offset: int, state: State) -> tuple[int, bytes]:
    """Where in the file, and what, is written to bring an entry into `state`."""
    return entry_offset + _STATE_OFFSET, bytes((state,))
