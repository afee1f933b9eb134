"""The head of our Part 10 files (PS3.10 7.1): written with the instance's origin inside, read back without the index.

Knows only files that it wrote itself; it is not a reader for anybody's DICOM files.
"""

import json
import struct
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from archive.errors import EntryUnreadableError
from archive.files import SHORT_OF_MEANS
from archive.origin import Identity, Origin

IMPLEMENTATION_CLASS_UID = "2.25.204337159806712409651823507614290683351"
IMPLEMENTATION_VERSION_NAME = "MICROPACS_01"
PRIVATE_INFORMATION_CREATOR_UID = "2.25.113952870446391705268194407325681930842"

_MAGIC = bytes(128) + b"DICM"
_GROUP_LENGTH = struct.pack("<HH2sHI", 2, 0, b"UL", 4, 0)
_LONG_VRS = (b"OB", b"OW", b"UN", b"SQ", b"UT", b"UC", b"UR")
_LARGEST_HEAD = 1 << 20  # bytes; ours have about 800


@dataclass(frozen=True, slots=True)
class Stamp:
    """What we write into the file about the instance.

    `digest` is the SHA-256 (hex) of the data set in this file and `size` its bytes; `received_digest` that of the data
    set as it arrived, the same unless it was changed.
    """

    arrival: str
    origin: Origin
    digest: str
    size: int
    received_digest: str


@dataclass(frozen=True, slots=True)
class Head:
    """What the head of one of our files says; `data_set_offset` is where the data set starts, in bytes."""

    identity: Identity
    stamp: Stamp
    data_set_offset: int


def blank_stamp(origin: Origin) -> Stamp:
    """A stamp as long as any later one for the same origin, so that the head can be written before the data set."""
    return Stamp("0" * 24, origin, "0" * 64, 10**18, "0" * 64)


def encode_head(identity: Identity, stamp: Stamp, length: int | None = None) -> bytes:
    """Preamble, prefix and group 0002; with `length` padded inside the private information to exactly that size."""
    before = b"".join(
        (
            _VERSION,
            _element(0x0002, b"UI", _uid(identity.sop_class_uid)),
            _element(0x0003, b"UI", _uid(identity.sop_instance_uid)),
            _element(0x0010, b"UI", _uid(identity.transfer_syntax_uid)),
            _IMPLEMENTATION,
        )
    )
    information = _encode_stamp(stamp)
    if length is not None:
        information = information.ljust(length - len(_MAGIC) - len(_GROUP_LENGTH) - len(before) - 12)
    group = before + _element(0x0102, b"OB", information)
    head = _MAGIC + _GROUP_LENGTH[:-4] + struct.pack("<I", len(group)) + group
    if length is not None and len(head) != length:
        raise ValueError("a stamp has outgrown its place")
    return head


def read_head(path: Path) -> Head:
    """The head of a file of ours, and the proof that the file is as long as it says; else EntryUnreadableError."""
    try:
        with path.open("rb", buffering=0) as file:
            data = file.read(4096)
            end = _end_of_group(data)
            if end > len(data):
                data += file.read(end - len(data))
            length = path.stat().st_size
        head = _decode_head(data[:end])
    except FileNotFoundError as error:
        raise EntryUnreadableError("the file is not there") from error
    except OSError as error:
        if error.errno in SHORT_OF_MEANS:
            raise
        raise EntryUnreadableError("the head of the file cannot be read") from error
    except (ValueError, KeyError, TypeError, struct.error) as error:
        raise EntryUnreadableError("the head of the file cannot be read") from error
    if length != head.data_set_offset + head.stamp.size:
        raise EntryUnreadableError("the file is not as long as it was")
    return head


def _end_of_group(data: bytes) -> int:
    start = len(_MAGIC) + len(_GROUP_LENGTH)
    if data[: len(_MAGIC)] != _MAGIC or data[len(_MAGIC) : start - 4] != _GROUP_LENGTH[:-4]:
        raise ValueError("not a file of ours")
    end = start + int(struct.unpack_from("<I", data, start - 4)[0])
    if end > _LARGEST_HEAD:
        raise ValueError("the head is too long")
    return end


def _decode_head(data: bytes) -> Head:
    values: dict[int, bytes] = {}
    position = len(_MAGIC) + len(_GROUP_LENGTH)
    while position < len(data):
        element, vr, length = struct.unpack_from("<2xH2sH", data, position)
        position += 8
        if vr in _LONG_VRS:
            (length,) = struct.unpack_from("<I", data, position)
            position += 4
        values[element] = data[position : position + length]
        position += length
    identity = Identity(*(values[element].rstrip(b"\0").decode("latin-1") for element in (0x0002, 0x0003, 0x0010)))
    if values[0x0100].rstrip(b"\0").decode("latin-1") != PRIVATE_INFORMATION_CREATOR_UID:
        raise ValueError("not a file of ours")
    return Head(identity, _decode_stamp(values[0x0102]), len(data))


def _element(element: int, vr: bytes, value: bytes) -> bytes:
    value += b"" if len(value) % 2 == 0 else b"\0" if vr == b"UI" else b" "
    if vr in _LONG_VRS:
        return struct.pack("<HH2s2xI", 2, element, vr, len(value)) + value
    return struct.pack("<HH2sH", 2, element, vr, len(value)) + value


def _uid(value: str) -> bytes:
    return value.encode("latin-1", "replace")


def _encode_stamp(stamp: Stamp) -> bytes:
    origin = stamp.origin
    return json.dumps(
        {
            "arrival": stamp.arrival,
            "digest": stamp.digest,
            "size": stamp.size,
            "received_digest": stamp.received_digest,
            "source": origin.source,
            "calling_ae": origin.calling_ae,
            "called_ae": origin.called_ae,
            "host": origin.host,
            "received_at": origin.received_at.isoformat(),
        }
    ).encode("ascii")


def _decode_stamp(information: bytes) -> Stamp:
    values = json.loads(information)
    origin = Origin(
        source=values["source"],
        calling_ae=values["calling_ae"],
        called_ae=values["called_ae"],
        host=values["host"],
        received_at=datetime.fromisoformat(values["received_at"]),
    )
    return Stamp(values["arrival"], origin, values["digest"], int(values["size"]), values["received_digest"])


_VERSION = _element(0x0001, b"OB", b"\0\1")
_IMPLEMENTATION = (
    _element(0x0012, b"UI", _uid(IMPLEMENTATION_CLASS_UID))
    + _element(0x0013, b"SH", IMPLEMENTATION_VERSION_NAME.encode("ascii"))
    + _element(0x0100, b"UI", _uid(PRIVATE_INFORMATION_CREATOR_UID))
)
