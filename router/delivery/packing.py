"""Makes shipments of leased deliveries: kept instances, edited as their routes ask. Sends nothing."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import tzinfo

import structlog
from sqlalchemy.exc import SQLAlchemyError

from archive import Archive, Stored
from router.delivery.contents import header_of
from router.delivery.delivery import Leased
from router.delivery.outcomes import UNREADABLE, Kind, Outcome
from router.delivery.sender import Shipment
from router.errors import RouterError
from router.reading import read_header
from rules import Arrival, Attribute, Header, RulesError, Ruleset, Splice

STUDY_UID = Attribute.parse("StudyInstanceUID")
SERIES_UID = Attribute.parse("SeriesInstanceUID")

Refusal = tuple[Leased, Outcome]
log = structlog.get_logger(__name__)


class Packer:
    """Packs for every line; `rulesets` gives the rules of a revision, `zone` is the site's (None: the machine's)."""

    def __init__(self, archive: Archive, rulesets: Callable[[str], Ruleset], zone: tzinfo | None) -> None:
        self._archive = archive
        self._rulesets = rulesets
        self._zone = zone

    def pack(self, leased: Sequence[Leased]) -> tuple[list[Shipment], list[Refusal]]:
        """A shipment each, in the same order; or the reason why there is none, so that nothing leaves un-edited."""
        stored = self._archive.stored([each.instance_id for each in leased])
        shipments: list[Shipment] = []
        refused: list[Refusal] = []
        for each in leased:
            packed = self._pack(each, stored.get(each.instance_id))
            if isinstance(packed, Outcome):
                refused.append((each, packed))
            else:
                shipments.append(packed)
        return shipments, refused

    def _pack(self, leased: Leased, stored: Stored | None) -> Shipment | Outcome:
        if stored is None:
            return Outcome(Kind.HELD, None, "the archive does not hold the instance any more")
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
        header = read_header(stored.path, stored.data_set_offset, stored.identity.transfer_syntax_uid)
        prepared = self._rulesets(leased.revision).prepare(leased.route, header, self._arrival(stored))
        shipment = Shipment(
            delivery_id=leased.delivery_id,
            identity=stored.identity,
            prefix=None,
            resume=0,
            path=stored.path,
            data_set_offset=stored.data_set_offset,
            size=stored.bytes,
            digest=stored.digest,
            study_uid=_first(header, STUDY_UID),
            series_uid=_first(header, SERIES_UID),
        )
        return shipment if prepared.splice is None else _spliced(shipment, prepared.splice)

    def _arrival(self, stored: Stored) -> Arrival:
        origin = stored.origin
        at = origin.received_at.astimezone(self._zone)
        return Arrival(origin.source, origin.calling_ae, origin.called_ae, origin.host, at)


def _spliced(shipment: Shipment, splice: Splice) -> Shipment:
    size = len(splice.prefix) + shipment.size - splice.resume
    edited = replace(shipment, prefix=splice.prefix, resume=splice.resume, size=size, digest=None)
    header = header_of(edited)
    return replace(edited, study_uid=_first(header, STUDY_UID), series_uid=_first(header, SERIES_UID))


def _first(header: Header, attribute: Attribute) -> str:
    values = header.values(attribute)
    return values[0] if values else ""
