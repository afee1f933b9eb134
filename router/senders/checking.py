"""Compares what leaves with what was kept, before the last of it leaves. Sends nothing itself.

By its checksum, which costs next to nothing; by its digest where it was kept without one.
"""

import hashlib
from collections.abc import Callable

from xxhash import xxh3_64

from router.delivery.sender import Shipment
from router.dimse import Windows
from router.errors import DataSetDamaged


def comparison(shipment: Shipment) -> Callable[[Windows], Windows] | None:
    """What its windows go through: the last one is given only if the file still has the data set that was kept.

    Otherwise DataSetDamaged is raised in its place. None where it is not known what was kept.
    """
    return None if shipment.kept_digest is None else lambda windows: _compared(windows, shipment)


def _compared(windows: Windows, shipment: Shipment) -> Windows:
    """Each window when its bytes are in the sum; what edits put before them is not, what they replaced is."""
    ours = len(shipment.prefix or b"")
    left = shipment.size - ours
    tail = _left_out(shipment)
    known = shipment.kept_checksum or shipment.kept_digest
    sum_of = xxh3_64 if shipment.kept_checksum else hashlib.sha256
    found = sum_of(_replaced(shipment))
    for window in windows:
        for fragment in window[1::2]:  # each after its header
            kept = fragment[ours:][:left]  # without the zero byte that makes an odd length even
            ours = max(0, ours - len(fragment))
            left -= len(kept)
            found.update(kept)
        if not left:
            found.update(tail)
            tail = b""
            if found.hexdigest() != known:
                raise DataSetDamaged
        yield window


def _replaced(shipment: Shipment) -> bytes:
    """The bytes of the file's data set that do not leave, since edits put others in their place."""
    if shipment.prefix is None or not shipment.resume:
        return b""
    if shipment.start is not None:
        return shipment.start[: shipment.resume]
    with shipment.path.open("rb") as file:
        file.seek(shipment.data_set_offset)
        return file.read(shipment.resume)


def _left_out(shipment: Shipment) -> bytes:
    """The bytes at the end of the file's data set that do not leave."""
    if not shipment.left_out:
        return b""
    with shipment.path.open("rb") as file:
        file.seek(shipment.data_set_offset + shipment.resume + shipment.size - len(shipment.prefix or b""))
        return file.read(shipment.left_out)
