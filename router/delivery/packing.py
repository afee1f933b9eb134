"""Makes shipments of deliveries: kept instances, edited as their routes ask. Sends nothing."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import tzinfo

import structlog
from sqlalchemy.exc import SQLAlchemyError

from archive import Archive, Identity, Stored
from router.delivery.contents import is_damaged
from router.delivery.delivery import Ordered
from router.delivery.outcomes import DAMAGED, UNREADABLE, Kind, Outcome
from router.delivery.redeciding import OTHER_SECRET
from router.delivery.sender import Shipment
from router.errors import PixelsError, RouterError
from router.pixels import Order, Workshop
from router.reading import FIRST_READ_BYTES, end_of_pixels, read_start
from rules import Arrival, PixelWork, RulesError, Ruleset

_READ_WHOLE_BYTES = 128 << 10  # of a data set: in one read with its header, so that its file is opened once

log = structlog.get_logger(__name__)


class Packer:
    """Packs for every line; `rulesets` gives the rules of a revision, `zone` is the site's (None: the machine's).

    Where a route asks for something to be done with pixels, `workshop` does it.
    """

    def __init__(
        self, archive: Archive, rulesets: Callable[[str], Ruleset], zone: tzinfo | None, workshop: Workshop
    ) -> None:
        self._archive = archive
        self._rulesets = rulesets
        self._zone = zone
        self._workshop = workshop

    def stored(self, ordered: Sequence[Ordered]) -> Mapping[int, Stored]:
        """What the archive has of these deliveries, by the instance's id."""
        return self._archive.stored([each.instance_id for each in ordered])

    def identities(self, ordered: Sequence[Ordered], stored: Mapping[int, Stored]) -> list[Identity]:
        """What these deliveries may leave as, before they are made: in the transfer syntaxes that their routes ask for.

        An instance that is not there, or whose rules are not, is passed over: `pack` says what is wrong with it.
        """
        found: dict[Identity, None] = {}
        known: dict[tuple[str, str, str], tuple[str, ...]] = {}
        for each in ordered:
            if each.instance_id not in stored:
                continue
            identity = stored[each.instance_id].identity
            key = each.revision, each.route, identity.transfer_syntax_uid
            if key not in known:
                known[key] = self._leaves_as(*key)
            for uid in known[key]:
                is_same = uid == identity.transfer_syntax_uid
                found[identity if is_same else replace(identity, transfer_syntax_uid=uid)] = None
        return list(found)

    def _leaves_as(self, revision: str, route: str, transfer_syntax_uid: str) -> tuple[str, ...]:
        try:
            return self._rulesets(revision).leaves_as(route, transfer_syntax_uid)
        except SQLAlchemyError:
            raise
        except Exception:  # noqa: BLE001 - the border of a work loop: `pack` meets the same, and holds the instance
            return (transfer_syntax_uid,)

    def pack(self, ordered: Ordered, stored: Stored | None) -> Shipment | Outcome:
        """The shipment, or the outcome that says why there is none: nothing leaves un-edited."""
        if stored is None:
            return Outcome(Kind.HELD, None, "the archive does not hold the instance any more")
        if stored.damage is not None:
            reason = f"the kept file is damaged: {stored.damage}; micropacs verify"
            return Outcome(Kind.PARKED, None, reason, is_ours=True)
        try:
            return self._edited(ordered, stored)
        except OSError as error:
            return replace(UNREADABLE, reason=f"{UNREADABLE.reason}: {error.strerror}")
        except (RulesError, RouterError) as error:
            return Outcome(Kind.HELD, None, str(error))
        except SQLAlchemyError:  # says nothing of this instance
            raise
        except Exception:  # the border of a work loop: one instance that breaks the rules engine must not stop its line
            log.exception("edits failed", delivery=ordered.delivery_id, route=ordered.route)
            return Outcome(Kind.HELD, None, "the edits of the route failed unexpectedly; see the log")

    def _edited(self, ordered: Ordered, stored: Stored) -> Shipment | Outcome:
        rules = self._rulesets(ordered.revision)
        if not rules.edits(ordered.route):  # then nothing of the header is looked at
            return _as_kept(ordered, stored)
        if ordered.made_from not in {None, rules.made_from(ordered.route)}:
            return Outcome(Kind.HELD, None, OTHER_SECRET)
        syntax = stored.identity.transfer_syntax_uid
        limit = stored.bytes + 1 if stored.bytes <= _READ_WHOLE_BYTES else FIRST_READ_BYTES
        header, start = read_start(stored.path, stored.data_set_offset, syntax, limit=limit)
        prepared = rules.prepare(ordered.route, header, self._arrival(stored))
        splice = prepared.splice
        if splice is None and prepared.pixels is None:
            return _as_kept(ordered, stored)
        end = stored.bytes
        if prepared.ends_with_pixels:
            end = end_of_pixels(stored.path, stored.data_set_offset, header, stored.bytes)
        uid = prepared.sop_instance_uid
        prefix, resume = (splice.prefix, splice.resume) if splice else (b"", 0)
        edited = Shipment(
            ordered.delivery_id,
            replace(stored.identity, sop_instance_uid=uid) if uid else stored.identity,
            prefix,
            resume,
            stored.path,
            stored.data_set_offset,
            len(prefix) + end - resume,
            None,
            kept_digest=stored.digest,
            kept_checksum=stored.checksum,
            left_out=stored.bytes - end,
            start=start if resume <= len(start) else None,
            replaces=ordered.replaces,
        )
        return self._with_pixels(edited, prepared.pixels, stored.bytes) if prepared.pixels else edited

    def _with_pixels(self, edited: Shipment, work: PixelWork, kept_bytes: int) -> Shipment | Outcome:
        """The shipment after what is to be done with its pixels; all of it is then in the prefix."""
        start = edited.data_set_offset
        source = edited.identity.transfer_syntax_uid
        end = start + kept_bytes - edited.left_out
        order = Order(edited.prefix or b"", edited.path, start + edited.resume, end, source, work)
        try:
            made = self._workshop.work(order)
        except PixelsError:
            if is_damaged(edited):
                return DAMAGED
            raise
        identity = replace(edited.identity, transfer_syntax_uid=work.transfer_syntax_uid)
        return edited._replace(
            identity=identity, prefix=made, resume=kept_bytes, size=len(made), left_out=0, start=None
        )

    def _arrival(self, stored: Stored) -> Arrival:
        origin = stored.origin
        at = origin.received_at.astimezone(self._zone)
        return Arrival(origin.source, origin.calling_ae, origin.called_ae, origin.host, at)


def _as_kept(ordered: Ordered, stored: Stored) -> Shipment:
    """The instance as the archive has it."""
    return Shipment(
        ordered.delivery_id,
        stored.identity,
        None,
        0,
        stored.path,
        stored.data_set_offset,
        stored.bytes,
        stored.digest,
        kept_digest=stored.digest,
        kept_checksum=stored.checksum,
        replaces=ordered.replaces,
    )
