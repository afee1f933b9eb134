"""The sum of a data set while it leaves: its digest, or a check where the digest can wait. Sends nothing."""

import hashlib
from collections.abc import Callable

from xxhash import xxh3_128

from router.delivery.sender import Shipment

DIGESTED_BYTES = 16 << 10  # what is longer is not digested while its destination waits for the next


class Sum:
    """Of one shipment without a digest; `update` takes the bytes of its data set in their order."""

    def __init__(self, shipment: Shipment) -> None:
        # what was made whole, its pixels with it, is not made a second time
        self._is_left = shipment.size - len(shipment.prefix or b"") > DIGESTED_BYTES
        self._sum = xxh3_128() if self._is_left else hashlib.sha256()
        self.update: Callable[[memoryview], object] = self._sum.update

    def told(self, shipment: Shipment) -> Shipment:
        """The shipment with the sum of what has left."""
        found = self._sum.hexdigest()
        return shipment._replace(check=found) if self._is_left else shipment._replace(digest=found)
