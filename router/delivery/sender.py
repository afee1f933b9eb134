"""What a door that delivers looks like from the line: shipments in, one outcome each out. It has no door of its own."""

from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from archive import Identity
from router.delivery.outcomes import Outcome
from router.errors import RouterError


class Shipment(NamedTuple):
    """One instance ready to leave.

    The data set to send is `prefix` followed by the file's data set from byte `resume` on (both counted from the start
    of the data set, which is byte `data_set_offset` of the file at `path`); without a prefix it is the file's data set
    as it is. `size` (bytes) and `digest` (SHA-256, hex) are those of the data set to send. A digest that is None is not
    computed yet: the sender does so, and gives the shipment back with it or, where it is left for later, with `check`
    (XXH3-128, hex), by which what is digested then is known to be what was sent. `kept_digest` and
    `kept_checksum` (XXH3-64, hex; None where there is none) are those of the file's own data set, as it was kept: where
    the file has others by now, the sender lets nothing of it be taken for whole. The last `left_out` bytes of the
    file's data set do not leave. `start` is what the file's data set begins with, at least `resume` bytes of it, as the
    edits found it; None where it is to be read. `replaces`: the destination may have another version of the instance,
    which this one takes the place of.
    """

    delivery_id: int
    identity: Identity
    prefix: bytes | None
    resume: int
    path: Path
    data_set_offset: int
    size: int
    digest: str | None
    kept_digest: str | None = None
    kept_checksum: str | None = None
    left_out: int = 0
    start: bytes | None = None
    check: str | None = None
    replaces: bool = False


class DestinationError(RouterError):
    """The destination as a whole cannot be delivered to just now; what was not answered goes back uncounted."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.reason)
        self.outcome = outcome


class Sender(Protocol):
    """A door to one destination, used by one thread."""

    def send(
        self, identities: Sequence[Identity], shipments: Iterator[Shipment]
    ) -> Generator[tuple[Shipment, Outcome], None, None]:
        """Send in order, giving each shipment (as it was sent) with its outcome as soon as it is answered.

        `identities` are those of all that `shipments` may give, known before these are made: each is made when it is
        asked for, and the sender asks for no more than the next one before the last is answered. Where the destination
        breaks off, the shipment in flight is given with its outcome first, then DestinationError is raised. The
        generator may be closed between two shipments.
        """
        ...

    def close(self) -> None:
        """End the connection that may still be open; `send` opens another."""
        ...
