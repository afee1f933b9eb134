"""One segment of the spool: a file that is written over and over, one received instance after the other.

Knows the format of its entries only. An entry is a head, then the data set as it came, and starts at a whole block, so
that nothing acknowledged shares a block with what is written later. How far each has come stands in the register.

A head says the generation it was written in, a number drawn by chance each time the segment is begun again. So what
is left from the time before is no entry, and neither is anything that a sender puts into a data set.
"""

import json
import zlib
from collections.abc import Iterator
from datetime import datetime
from functools import lru_cache
from json.encoder import encode_basestring_ascii as _quoted
from struct import Struct
from typing import NamedTuple

from archive.files import read_at
from archive.origin import Identity, Origin
from archive.rawfile import Opened

BLOCK_BYTES = 4096
SEGMENT_BYTES = 32 << 20
LARGEST_BYTES = 4 << 20  # of a data set in a segment; a longer one gets a file of its own, and pays nothing for it
HEAD_BYTES = 2048
GENERATION_BYTES = 16
SUFFIX = ".segment"
_MAGIC = b"MPACSEG2"
_HEAD = Struct("<8sI16sQQI")  # magic, check of the head, generation, size and check of the data set, length of the rest
_GENERATION = slice(12, 12 + GENERATION_BYTES)
_SCAN_BYTES = 1 << 20


class SegmentEntry(NamedTuple):
    """An entry's head, at `offset` in the file. `size` (bytes) and `check` (XXH3, 64 bits) are of its data set."""

    offset: int
    generation: bytes
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
    return whole_blocks(offset + HEAD_BYTES + size)


def whole_blocks(size: int) -> int:
    """So many bytes, rounded up to whole blocks."""
    return -(-size // BLOCK_BYTES) * BLOCK_BYTES


def has_room(end: int) -> bool:
    """Whether the longest data set has room in a segment whose entries end there; else nothing is added to it."""
    return end + HEAD_BYTES + LARGEST_BYTES <= SEGMENT_BYTES


def about(identity: Identity, origin: Origin) -> str:
    """What an entry's head says of its instance beside the arrival: JSON, in a third of json.dumps' time."""
    instance = (identity.sop_class_uid, identity.sop_instance_uid, identity.transfer_syntax_uid)
    came_from = _came_from(origin.source, origin.calling_ae, origin.called_ae, origin.host)
    return f"[{', '.join(map(_quoted, instance))}], [{came_from}, {_quoted(origin.received_at.isoformat())}]"


@lru_cache(maxsize=64)
def _came_from(source: str | None, *names: str) -> str:
    """The same for all instances of an association."""
    return f"{'null' if source is None else _quoted(source)}, {', '.join(map(_quoted, names))}"


def encode(generation: bytes, arrival: str, told: str, size: int, check: int) -> bytes:
    """The head of an entry, HEAD_BYTES long, of which `told` is what `about` says of its instance.

    ValueError if that is too long for it.
    """
    information = f"[{_quoted(arrival)}, {told}]".encode("ascii")
    length = len(information)
    if _HEAD.size + length > HEAD_BYTES:
        raise ValueError("an entry says too much of itself")
    head_check = zlib.crc32(_HEAD.pack(_MAGIC, 0, generation, size, check, length) + information)
    head = _HEAD.pack(_MAGIC, head_check, generation, size, check, length) + information
    return head.ljust(HEAD_BYTES, b"\0")


def decode(head: bytes, offset: int) -> SegmentEntry | None:
    """The head at `offset`; None where there is none, or only what is left of one."""
    if len(head) < HEAD_BYTES or not head.startswith(_MAGIC):
        return None
    magic, check, *fields = _HEAD.unpack_from(head)
    generation, size, data_check, length = fields
    information = head[_HEAD.size : _HEAD.size + length]
    if check != zlib.crc32(_HEAD.pack(magic, 0, *fields) + information):
        return None
    try:
        arrival, identity, (source, calling_ae, called_ae, host, received_at) = json.loads(information)
        origin = Origin(source, calling_ae, called_ae, host, datetime.fromisoformat(received_at))
    except (ValueError, TypeError):
        return None
    return SegmentEntry(offset, generation, arrival, Identity(*identity), origin, size, data_check)


def heads(file: Opened, offset: int, generation: bytes | None, lost: list[int]) -> Iterator[SegmentEntry]:
    """All heads from `offset` on, of one generation or (None) of any; `lost` gets the blocks that cannot be read.

    Whether the data sets behind them are whole is another question, and heads of the past may lie within those.
    """
    while data := _what_can_be_read(file, offset, lost):
        for place in range(0, len(data), BLOCK_BYTES):
            if data.startswith(_MAGIC, place):
                entry = decode(data[place : place + HEAD_BYTES], offset + place)
                if entry is not None and generation in (None, entry.generation):
                    yield entry
        offset += len(data)


def _what_can_be_read(file: Opened, offset: int, lost: list[int]) -> bytes:
    """What is there at `offset`, at most so much as is looked through at once; a block that is lost is all zeros."""
    try:
        return read_at(file, _SCAN_BYTES, offset)
    except OSError:
        blocks = []
        for place in range(offset, offset + _SCAN_BYTES, BLOCK_BYTES):
            try:
                blocks.append(read_at(file, BLOCK_BYTES, place))
            except OSError:
                blocks.append(bytes(BLOCK_BYTES))
                lost.append(place)
        return b"".join(blocks)
