"""What a shipment's data set says and is: its header, its digest, its form for other peers. It sends nothing."""

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from typing import BinaryIO

from router.delivery.sender import Shipment
from router.reading import FIRST_READ_BYTES, GROWTH, read_header
from rules import Attribute, Header, HeaderIncompleteError, implicit_prefix

IMPLICIT_LITTLE_ENDIAN = "1.2.840.10008.1.2"
EXPLICIT_LITTLE_ENDIAN = "1.2.840.10008.1.2.1"
STUDY_UID = Attribute.parse("StudyInstanceUID")
SERIES_UID = Attribute.parse("SeriesInstanceUID")
_ELEMENT_HEADER_BYTES = 12  # of the pixel data, explicit VR (PS3.5 table 7.1-1)
_CHUNK_BYTES = 1 << 20


def header_of(shipment: Shipment) -> Header:
    """The header as it will be sent. Raises `rules.HeaderError`, OSError."""
    syntax = shipment.identity.transfer_syntax_uid
    if shipment.prefix is None:
        return read_header(shipment.path, shipment.data_set_offset, syntax)
    limit = FIRST_READ_BYTES
    with _rest(shipment) as file:
        start = file.tell()
        while True:
            file.seek(start)
            rest = file.read(limit)
            complete = len(rest) < limit
            try:
                return Header.scan(shipment.prefix + rest, syntax, complete=complete)
            except HeaderIncompleteError:
                if complete:
                    raise
                limit *= GROWTH


def study_and_series(shipment: Shipment) -> tuple[str, str]:
    """The study's and the series' UID as they will be sent, "" where absent. Raises `rules.HeaderError`, OSError."""
    header = header_of(shipment)
    return (header.values(STUDY_UID) or ("",))[0], (header.values(SERIES_UID) or ("",))[0]


def as_implicit(shipment: Shipment) -> Shipment:
    """The same data set in implicit VR little endian. Raises `rules.RulesError` where it cannot be, OSError."""
    own = len(shipment.prefix or b"")
    end = header_of(shipment).end
    with _rest(shipment) as file:
        data = (shipment.prefix or b"") + file.read(max(end + _ELEMENT_HEADER_BYTES - own, 0))
    header = Header.scan(data, shipment.identity.transfer_syntax_uid, complete=len(data) >= shipment.size)
    splice = implicit_prefix(header, shipment.size)
    ours = data[splice.resume : own]  # pixel bytes that do not come from the file
    return shipment._replace(
        identity=replace(shipment.identity, transfer_syntax_uid=IMPLICIT_LITTLE_ENDIAN),
        prefix=splice.prefix + ours,
        resume=max(splice.resume - own, 0) + shipment.resume,
        size=len(splice.prefix) + shipment.size - splice.resume,
        digest=None,
        start=None,
    )


def with_digest(shipment: Shipment) -> Shipment:
    """The shipment with its digest, which is computed only where edits made it another one. Raises OSError."""
    if shipment.digest is not None:
        return shipment
    digest = hashlib.sha256()
    for chunk in data_set(shipment):
        digest.update(chunk)
    return shipment._replace(digest=digest.hexdigest())


def data_set(shipment: Shipment) -> Iterator[bytes]:
    """The bytes of the data set to send. Raises OSError."""
    with _rest(shipment) as file:
        yield from chunks(shipment, file)


def chunks(shipment: Shipment, file: BinaryIO) -> Iterator[bytes]:
    """The bytes of the data set to send; `file` stands at the first that comes from it. Raises OSError."""
    left = shipment.size
    if shipment.prefix:
        yield shipment.prefix
        left -= len(shipment.prefix)
    while left and (chunk := file.read(min(left, _CHUNK_BYTES))):
        yield chunk
        left -= len(chunk)


def is_damaged(shipment: Shipment) -> bool:
    """Whether the file no longer has the data set that was kept; False where that is not known. Raises OSError."""
    if shipment.kept_digest is None:
        return False
    digest = hashlib.sha256()
    with shipment.path.open("rb") as file:
        file.seek(shipment.data_set_offset)
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest() != shipment.kept_digest


def _rest(shipment: Shipment) -> BinaryIO:
    """The file, at the first byte that is sent from it."""
    file = shipment.path.open("rb")
    file.seek(shipment.data_set_offset + (shipment.resume if shipment.prefix is not None else 0))
    return file
