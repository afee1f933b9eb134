"""Digests that were left for later: an edited copy is made again, and its check tells that it is the one that left.

SHA-256 of a CT slice takes as long as sending it, so it is not waited for (decision 9). It decides nothing.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import tzinfo

import sqlalchemy as sa
import structlog
from xxhash import xxh3_128

from archive import Archive, Database, Stored
from router.delivery.contents import EXPLICIT_LITTLE_ENDIAN, as_implicit, data_set
from router.delivery.delivery import Ordered
from router.delivery.outcomes import Outcome
from router.delivery.packing import Packer
from router.delivery.sender import Shipment
from router.delivery.states import State
from router.delivery.tables import deliveries
from router.delivery.transactions import write
from router.pixels import Workshop
from rules import RulesError, Ruleset

AT_ONCE = 64  # copies made between two transactions

_MISSING = (
    sa.select(
        *(
            deliveries.c[name]
            for name in ("id", "instance_id", "route", "revision", "made_from", "replaces", "check_sent")
        )
    )
    .where(deliveries.c.study_id == sa.bindparam("study_id"), deliveries.c.state == State.DELIVERED)
    .where(deliveries.c.check_sent.is_not(None))
    .order_by(deliveries.c.id)
)
_ENTER = (
    sa.update(deliveries)
    .where(deliveries.c.id == sa.bindparam("of"), deliveries.c.check_sent == sa.bindparam("check"))
    .values(digest_sent=sa.bindparam("digest"), check_sent=None)
)

log = structlog.get_logger(__name__)


class Digests:
    """Enters what is missing; `rulesets` gives the rules of a revision, `zone` the site's (None: the machine's)."""

    def __init__(
        self,
        database: Database,
        archive: Archive,
        rulesets: Callable[[str], Ruleset],
        zone: Callable[[], tzinfo | None],
    ) -> None:
        self._database = database
        self._archive = archive
        self._rulesets = rulesets
        self._zone = zone

    def complete(self, study_id: int, destination: str | None = None) -> None:
        """Enter the digests of what was delivered of a study; a copy that cannot be made again keeps its check."""
        query = _MISSING if destination is None else _MISSING.where(deliveries.c.destination == destination)
        with self._database.read() as connection:
            copies = [(Ordered(*row[:-1]), row.check_sent) for row in connection.execute(query, {"study_id": study_id})]
        packer = Packer(self._archive, self._rulesets, self._zone(), Workshop())
        for start in range(0, len(copies), AT_ONCE):
            self._enter(packer, copies[start : start + AT_ONCE])

    def _enter(self, packer: Packer, copies: Sequence[tuple[Ordered, str]]) -> None:
        stored = packer.stored([ordered for ordered, _ in copies])
        found = [
            {"of": ordered.delivery_id, "check": check, "digest": digest}
            for ordered, check in copies
            if (digest := _digest(packer, ordered, stored.get(ordered.instance_id), check)) is not None
        ]
        if len(found) < len(copies):
            log.warning("copies cannot be made again, their receipts have a checksum", copies=len(copies) - len(found))
        if found:
            write(self._database, lambda connection: connection.execute(_ENTER, found))


def _digest(packer: Packer, ordered: Ordered, stored: Stored | None, check_sent: str) -> str | None:
    """The digest of the copy that was sent; None if it cannot be made as it was."""
    made = packer.pack(ordered, stored)
    if isinstance(made, Outcome):
        return None
    with suppress(OSError, RulesError):
        for copy in _as_it_may_have_left(made):
            digest, check = hashlib.sha256(), xxh3_128()
            for chunk in data_set(copy):
                digest.update(chunk)
                check.update(chunk)
            if check.hexdigest() == check_sent:
                return digest.hexdigest()
    return None


def _as_it_may_have_left(copy: Shipment) -> Iterator[Shipment]:
    """As it was made and, where the destination may have taken nothing else, converted. RulesError, OSError."""
    yield copy
    if copy.identity.transfer_syntax_uid == EXPLICIT_LITTLE_ENDIAN:
        yield as_implicit(copy)
