"""What an acceptor reads and says, as values and bytes, written by hand; right answers and wrong ones."""

import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Request:
    """One C-STORE whose data set came whole; the `number`th of its called AE title."""

    number: int
    message_id: int
    sop_class_uid: str
    uid: str
    sha256: str
    at: float


def response(request: Request, **changes: bytes | None) -> bytes:
    """The command set of a success, with some elements (as hexadecimal numbers, `x0900=...`) changed or left out."""
    values: dict[str, bytes | None] = {
        "x0002": _padded(request.sop_class_uid),
        "x0100": struct.pack("<H", 0x8001),
        "x0120": struct.pack("<H", request.message_id),
        "x0800": struct.pack("<H", 0x0101),
        "x0900": struct.pack("<H", 0),
        "x1000": _padded(request.uid),
    } | changes
    rest = b"".join(
        struct.pack("<HHI", 0, int(name[1:], 16), len(value)) + value
        for name, value in values.items()
        if value is not None
    )
    return struct.pack("<HHII", 0, 0, 4, len(rest)) + rest


def _items(data: bytes) -> Iterator[tuple[int, bytes]]:
    while data:
        kind, length = struct.unpack_from(">BxH", data)
        yield kind, data[4 : 4 + length]
        data = data[4 + length :]


def _item(kind: int, value: bytes) -> bytes:
    return struct.pack(">BxH", kind, len(value)) + value


def accepting(request: bytes, result: int = 0) -> bytes:
    """The A-ASSOCIATE-AC that gives every context this result, and the first transfer syntax proposed."""
    items = _item(0x10, b"1.2.840.10008.3.1.1.1")
    for kind, value in _items(request[68:]):
        if kind == 0x20:
            syntax = next(inner for what, inner in _items(value[4:]) if what == 0x40)
            items += _item(0x21, bytes((value[0], 0, result, 0)) + _item(0x40, syntax))
    items += _item(0x50, _item(0x51, struct.pack(">I", 16384)) + _item(0x52, b"2.25.512"))
    body = request[:68] + items
    return struct.pack(">BxI", 2, len(body)) + body


def requested(number: int, command: bytes, sha256: str) -> Request:
    """What a C-STORE command set asks for."""
    values = {}
    while command:
        element, length = struct.unpack_from("<2xHI", command)
        values[element] = command[8 : 8 + length]
        command = command[8 + length :]
    [message_id] = struct.unpack("<H", values[0x0110])
    uids = [values[element].decode().rstrip("\0") for element in (0x0002, 0x1000)]
    return Request(number, message_id, *uids, sha256, time.time())


def _padded(uid: str) -> bytes:
    return uid.encode() + b"\0" * (len(uid) % 2)
