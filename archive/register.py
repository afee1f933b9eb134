"""The register of a segment: which entries are in it, and how far each has come. A small file beside the segment.

The segment's writing process adds records, the filing process changes their states; neither synchronises that. What a
power cut takes from a register is found again in the heads of the segment, and filing an entry twice changes nothing.

Only a new generation is on the disk before anything is written under it: it makes all records from before void.
"""

import zlib
from collections.abc import Iterator
from enum import IntEnum
from pathlib import Path
from struct import Struct
from typing import NamedTuple

from archive.files import read_at, sync_file, write_at
from archive.rawfile import Opened
from archive.segment import GENERATION_BYTES, after

SUFFIX = ".register"
_MAGIC = b"MPACREG1"
_HEAD_BYTES = len(_MAGIC) + GENERATION_BYTES
_RECORD = Struct("<24sQIII")  # arrival, when received (µs since 1970), offset and size of the entry, check
_STATE_AT = _RECORD.size
_RECORD_BYTES = _RECORD.size + 4  # the state is a byte of its own, so that it changes whole
_AT_ONCE = 128  # records
_MOST_VOID = 8  # records one after the other that may have rotted; behind more there is nothing


class State(IntEnum):
    """How far an entry has come."""

    SEALED = ord("S")  # on the disk: may be acknowledged, waits to be filed
    FILED = ord("F")  # its bytes are needed no more
    SET_ASIDE = ord("A")  # cannot be read back; waits for a person


_STATES = frozenset(State)


class Registered(NamedTuple):
    """One entry's record, the `number`th of the register; `received_at` in microseconds since 1970, `size` in bytes.

    `arrival` is "" for a place in the segment where an entry must be, and none can be recognised.
    """

    number: int
    arrival: str
    received_at: int
    offset: int
    size: int
    state: State

    @property
    def end(self) -> int:
        """Where the next entry starts in the segment."""
        return after(self.offset, self.size)


def register_of(segment: Path) -> Path:
    """Where the register of a segment is."""
    return segment.with_suffix(SUFFIX)


def begin(file: Opened, generation: bytes) -> None:
    """Void all records and begin with none; on the disk when this returns. Raises OSError."""
    write_at(file, _MAGIC + generation, 0)
    sync_file(file)


def add(file: Opened, generation: bytes, entry: tuple[int, str, int, int, int, State]) -> None:
    """One record more, of what a Registered has. Raises OSError."""
    number, arrival, received_at, offset, size, state = entry
    fields = (arrival.encode("ascii"), received_at, offset, size)
    check = zlib.crc32(generation + _RECORD.pack(*fields, 0))
    write_at(file, _RECORD.pack(*fields, check) + bytes((state, 0, 0, 0)), _place(number))


def mark(file: Opened, number: int, state: State) -> None:
    """Bring the entry of this record into `state`. Raises OSError."""
    write_at(file, bytes((state,)), _place(number) + _STATE_AT)


def generation_of(file: Opened) -> bytes:
    """The generation of the register, b"" if there is none that can be recognised. Raises OSError."""
    head = read_at(file, _HEAD_BYTES, 0)
    return head[len(_MAGIC) :] if len(head) == _HEAD_BYTES and head.startswith(_MAGIC) else b""


def records(file: Opened, generation: bytes, number: int) -> Iterator[Registered]:
    """The records from this number on; a few that are not whole are passed over if others follow. Raises OSError."""
    void = 0
    while data := read_at(file, _AT_ONCE * _RECORD_BYTES, _place(number)):
        for start in range(0, len(data) - _RECORD_BYTES + 1, _RECORD_BYTES):
            entry = _registered(data, start, generation, number)
            number += 1
            if entry is not None:
                void = 0
                yield entry
                continue
            void += 1
            if void > _MOST_VOID:
                return
        if len(data) < _AT_ONCE * _RECORD_BYTES:
            return


def _registered(data: bytes, start: int, generation: bytes, number: int) -> Registered | None:
    arrival, received_at, offset, size, check = _RECORD.unpack_from(data, start)
    if check != zlib.crc32(generation + _RECORD.pack(arrival, received_at, offset, size, 0)):
        return None
    state = data[start + _STATE_AT]
    known = State(state) if state in _STATES else State.SEALED  # a state that rotted: filing twice changes nothing
    return Registered(number, arrival.rstrip(b"\0").decode("ascii"), received_at, offset, size, known)


def _place(number: int) -> int:
    return _HEAD_BYTES + number * _RECORD_BYTES
