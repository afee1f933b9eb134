"""One segment of the spool: a file that is written over and over, one received instance after the other.

Knows the format only: an entry is a head, then the data set as it came, and starts at a multiple of the block size, so
that nothing acknowledged shares a block with what is written later. It keeps no file open and chooses nothing.

A segment is read from its start, entry by entry, as long as the generation stays the same: what follows is left from
the time before, and was filed on the disk before the first head of a new generation was written.
"""

import json
import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from io import FileIO
from struct import Struct
from typing import NamedTuple

from archive.files import SHORT_OF_MEANS, read_at
from archive.origin import Identity, Origin

SEGMENT_BYTES = 32 << 20
LARGEST_BYTES = 4 << 20  # of a data set in a segment; a longer one gets a file of its own, and pays nothing for it
HEAD_BYTES = 2048
SUFFIX = ".segment"
_BLOCK_BYTES = 4096
_MAGIC = b"MPACSEG1"
_HEAD = Struct("<8sB3xI16sQQI")  # magic, state, check of the head, generation, size and check of the data set, length
_STATE_OFFSET, _GENERATION_OFFSET = 8, 16
GENERATION_BYTES = 16


class State(IntEnum):
    """How far an entry has come."""

    WRITTEN = ord("W")  # complete, perhaps not on the disk yet, so not acknowledged
    SEALED = ord("S")  # on the disk: may be acknowledged, waits to be filed
    FILED = ord("F")  # its bytes are needed no more
    SET_ASIDE = ord("A")  # cannot be read back; waits for a person


@dataclass(frozen=True, slots=True)
class SegmentEntry:
    """An entry's head, at `offset` in the file. `size` (bytes) and `check` (XXH3, 64 bits) are of its data set.

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


@dataclass(frozen=True, slots=True)
class Damage:
    """An entry whose head cannot be read, and all up to the next that can; `end` is None if there is none so far."""

    offset: int
    end: int | None


class Beginning(NamedTuple):
    """The generation that is being written (b"" if none is), and where the first head of it that can be read is."""

    generation: bytes
    offset: int
    is_damaged: bool  # there is one before it that cannot


def after(offset: int, size: int) -> int:
    """Where the entry that follows one at `offset` with a data set of `size` bytes starts."""
    return -(-(offset + HEAD_BYTES + size) // _BLOCK_BYTES) * _BLOCK_BYTES


def has_room(end: int) -> bool:
    """Whether the longest data set has room in a segment whose entries end there; else nothing is added to it."""
    return end + HEAD_BYTES + LARGEST_BYTES <= SEGMENT_BYTES


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


def beginning(file: FileIO) -> Beginning:
    """Where a segment is to be read from. Raises OSError only where it says nothing of the file."""
    head = _head_at(file, 0)
    entry = decode(head or b"", 0)
    if entry is not None:
        return Beginning(entry.generation, 0, is_damaged=False)
    if head is not None and not any(head):
        return Beginning(b"", 0, is_damaged=False)
    for offset in range(_BLOCK_BYTES, SEGMENT_BYTES, _BLOCK_BYTES):
        entry = decode(_head_at(file, offset) or b"", offset)
        if entry is not None:
            return Beginning(entry.generation, offset, _is_needed(head))
    return Beginning(b"", 0, _is_needed(head))


def entries(file: FileIO, offset: int, generation: bytes) -> Iterator[SegmentEntry | Damage]:
    """The entries of one generation from `offset` on, and what is damaged. Raises OSError as `beginning` does."""
    following: int | None = offset
    while following is not None:
        found = _found_at(file, following, generation)
        if found is None:
            return
        yield found
        following = found.end


def state_mark(entry_offset: int, state: State) -> tuple[int, bytes]:
    """Where in the file, and what, is written to bring an entry into `state`."""
    return entry_offset + _STATE_OFFSET, bytes((state,))


def _found_at(file: FileIO, offset: int, generation: bytes) -> SegmentEntry | Damage | None:
    head = _head_at(file, offset)
    if head is not None:
        if _generation_in(head) != generation:
            return None
        entry = decode(head, offset)
        if entry is not None:
            return entry
    following = _next(file, offset, generation)
    return Damage(offset, following) if following is not None or _is_needed(head) else None


def _next(file: FileIO, offset: int, generation: bytes) -> int | None:
    """The first entry of this generation behind `offset`, found without the one that stands there."""
    for following in range(offset + _BLOCK_BYTES, SEGMENT_BYTES, _BLOCK_BYTES):
        with suppress(OSError):
            found = generation_at(file, following)
            if found == generation and entry_at(file, following) is not None:
                return following
            if not found:
                return None  # the end of the file
    return None


def _head_at(file: FileIO, offset: int) -> bytes | None:
    """The bytes of a head, fewer at the end of the file; None where the disk does not give them back."""
    try:
        return read_at(file, HEAD_BYTES, offset)
    except OSError as error:
        if error.errno in SHORT_OF_MEANS:
            raise
        return None


def _is_needed(head: bytes | None) -> bool:
    """Whether a head that cannot be read is that of an entry; not if it is being written, or was at a power cut."""
    return head is None or head[_STATE_OFFSET : _STATE_OFFSET + 1] in (
        bytes((State.SEALED,)),
        bytes((State.SET_ASIDE,)),
    )


def _generation_in(head: bytes) -> bytes:
    return head[_GENERATION_OFFSET : _GENERATION_OFFSET + GENERATION_BYTES]
