"""What is said between the appliance and the process that works on pixels: one order, one answer. No pixel is touched.

Each is a line of JSON after its length, followed by as many bytes as it says: of an order the start of the data set,
of an answer the data set that was made.
"""

import json
import struct
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

from rules import PixelWork, Region

LONGEST_SECONDS = 300.0  # for one order; what takes longer does not end
_LENGTH = struct.Struct("<I")


@dataclass(frozen=True, slots=True)
class Order:
    """A data set, and what is asked for. It is `prefix` and then the bytes `start` to `end` of the file at `path`."""

    prefix: bytes
    path: Path
    start: int
    end: int
    transfer_syntax_uid: str
    work: PixelWork

    @property
    def size(self) -> int:
        """How many bytes the data set has."""
        return len(self.prefix) + self.end - self.start


def send_order(stream: IO[bytes], order: Order) -> None:
    """Write an order. OSError."""
    head = {
        "path": str(order.path),
        "start": order.start,
        "end": order.end,
        "transfer_syntax_uid": order.transfer_syntax_uid,
        "work": asdict(order.work),
    }
    _send(stream, head, order.prefix)


def receive_order(stream: IO[bytes]) -> Order | None:
    """The next order, None where there will be no more."""
    found = _receive(stream)
    if found is None:
        return None
    head, prefix = found
    regions = tuple(Region(*each) for each in head["work"]["regions"])
    work = PixelWork(regions, head["work"]["transfer_syntax_uid"])
    return Order(prefix, Path(head["path"]), head["start"], head["end"], head["transfer_syntax_uid"], work)


def send_answer(stream: IO[bytes], problem: str | None, made: bytes) -> None:
    """Write an answer: the data set, or what is wrong. OSError."""
    _send(stream, {"problem": problem}, made)


def receive_answer(stream: IO[bytes]) -> tuple[str | None, bytes] | None:
    """What is wrong, else the data set that was made; None where the other side has ended."""
    found = _receive(stream)
    return None if found is None else (found[0]["problem"], found[1])


def _send(stream: IO[bytes], head: dict[str, object], body: bytes) -> None:
    line = json.dumps({**head, "bytes": len(body)}).encode()
    stream.write(_LENGTH.pack(len(line)) + line)
    stream.write(body)
    stream.flush()


def _receive(stream: IO[bytes]) -> tuple[dict[str, Any], bytes] | None:
    length = stream.read(_LENGTH.size)
    if len(length) < _LENGTH.size:
        return None
    line = stream.read(_LENGTH.unpack(length)[0])
    try:
        head = json.loads(line)
        body = stream.read(head["bytes"])
    except (ValueError, KeyError):
        return None
    return (head, body) if len(body) == head["bytes"] else None
