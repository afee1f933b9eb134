"""Makes shipments of leased deliveries: kept instances, edited as their routes ask. Sends nothing."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import tzinfo

import structlog
from sqlalchemy.exc import SQLAlchemyError

from archive import Archive, Stored
from router.delivery.delivery import Leased
from router.delivery.outcomes import UNREADABLE, Kind, Outcome
from router.delivery.sender import Shipment
from router.errors import RouterError
from router.reading import end_of_pixels, read_header
from rules import Arrival, RulesError, Ruleset

log = structlog.get_logger(__name__)


class Packer:
    """Packs for every line; `rulesets` gives the rules of a revision, `zone` is the site's (None: the machine's)."""

    def __init__(self, archive: Archive, rulesets: Callable[[str], Ruleset], zone: tzinfo | None) -> None:
        self._archive = archive
        self._rulesets = rulesets
        self._zone = zone

    def stored(self, leased: Sequence[Leased]) -> Mapping[int, Stored]:
        """What the archive has of these deliveries, by the instance's id."""
        return self._archive.stored([each.instance_id for each in leased])

    def pack(self, leased: Leased, stored: Stored | None) -> Shipment | Outcome:
        """The shipment, or the outcome that says why there is none: nothing leaves un-edited."""
        if stored is None:
            return Outcome(Kind.HELD, None, "the archive does not hold the instance any more")
        if stored.damage is not None:
            reason = f"the kept file is damaged: {stored.damage}; micropacs verify"
            return Outcome(Kind.PARKED, None, reason, is_ours=True)
        try:
            return self._edited(leased, stored)
        except OSError as error:
            return replace(UNREADABLE, reason=f"{UNREADABLE.reason}: {error.strerror}")
        except (RulesError, RouterError) as error:
            return Outcome(Kind.HELD, None, str(error))
        except SQLAlchemyError:  # says nothing of this instance
            raise
        except Exception:  # the border of a work loop: one instance that breaks the rules engine must not stop its line
            log.exception("edits failed", delivery=leased.delivery_id, route=leased.route)
            return Outcome(Kind.HELD, None, "the edits of the route failed unexpectedly; see the log")

    def _edited(self, leased: Leased, stored: Stored) -> Shipment:
        whole = Shipment(
            leased.delivery_id,
            stored.identity,
            None,
            0,
            stored.path,
            stored.data_set_offset,
            stored.bytes,
            stored.digest,
            kept_digest=stored.digest,
            kept_checksum=stored.checksum,
            replaces=leased.replaces,
        )
        rules = self._rulesets(leased.revision)
        if not rules.edits(leased.route):  # then nothing of the header is looked at
            return whole
        header = read_header(stored.path, stored.data_set_offset, stored.identity.transfer_syntax_uid)
        prepared = rules.prepare(leased.route, header, self._arrival(stored))
        splice = prepared.splice
        if splice is None:
            return whole
        end = stored.bytes
        if prepared.ends_with_pixels:
            end = end_of_pixels(stored.path, stored.data_set_offset, header, stored.bytes)
        uid = prepared.sop_instance_uid or stored.identity.sop_instance_uid
        return replace(
            whole,
            identity=replace(stored.identity, sop_instance_uid=uid),
            prefix=splice.prefix,
            resume=splice.resume,
            size=len(splice.prefix) + end - splice.resume,
            digest=None,
            left_out=stored.bytes - end,
        )

    def _arrival(self, stored: Stored) -> Arrival:
        origin = stored.origin
        at = origin.received_at.astimezone(self._zone)
        return Arrival(origin.source, origin.calling_ae, origin.called_ae, origin.host, at)
