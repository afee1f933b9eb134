"""One configuration asked what it does with an arrival, as filing would ask it. Keeps nothing, logs nothing."""

from dataclasses import dataclass

from archive import InstanceKey, Origin, Past
from router.config import Configuration, DicomSource
from router.ingest import KEY, fault_of
from router.sources import sources_of
from rules import Arrival, Attribute, Decision, Header, Prepared, Readable, RulesError, Verdict

REFUSED = Verdict(None, "no source has its AE title and address, and unknown sources are refused")
FAILED = Verdict(None, "the rules failed unexpectedly")
_KEY = tuple(Attribute.parse(keyword) for keyword in KEY)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What becomes of an arrival: filed by `decision`, or else why not; `arrival` is as these rules saw it."""

    arrival: Arrival
    decision: Decision | None = None
    held: Verdict | None = None
    rejected: Verdict | None = None
    refused: Verdict | None = None


class Side:
    """The rules of one configuration, and its names for those who send."""

    def __init__(self, configuration: Configuration) -> None:
        self.ruleset = configuration.ruleset
        self._named = configuration.settings.sources
        self._zone = configuration.zone
        self._sources = sources_of(configuration)
        self._found: dict[tuple[str, str], str | None] = {}

    def found(self, origin: Origin) -> str | None:
        """The name of the source that calls itself so from there, None if there is none."""
        who = (origin.calling_ae, origin.host)
        if who not in self._found:
            source = self._sources.find(*who)
            self._found[who] = None if source is None else source.name
        return self._found[who]

    def known(self, origin: Origin) -> str | None:
        """The source by the name it had when it sent, if it is still one of that AE title; None if not."""
        source = self._named.get(origin.source or "")
        return origin.source if isinstance(source, DicomSource) and source.ae_title == origin.calling_ae else None

    def outcome(self, past: Past, header: Header | None, source: str | None, fault: Verdict | None) -> Outcome:
        """What becomes of an arrival from this source; a `fault` it has whatever the rules are holds it."""
        came = past.origin
        at = came.received_at.astimezone(self._zone)
        arrival = Arrival(source, came.calling_ae, came.called_ae, came.host, at)
        if source is None and not self._sources.accept_unknown:
            return Outcome(arrival, refused=REFUSED)
        if fault is not None or header is None:
            return Outcome(arrival, held=fault)
        try:
            decision = self.ruleset.decide(header, arrival)
            if decision.held or decision.rejected:
                return Outcome(arrival, held=decision.held, rejected=decision.rejected)
            held = fault_of(_key(decision.header, past))
        except RulesError as error:
            held = Verdict(None, str(error))
        except Exception:  # noqa: BLE001 - the border of the replay, as of filing: one instance must not end it
            held = FAILED
        return Outcome(arrival, held=held) if held else Outcome(arrival, decision)

    def copy(self, route: str, header: Header, arrival: Arrival) -> Prepared | Verdict:
        """The copy that a route sends of an archived header; or why it cannot be made."""
        try:
            return self.ruleset.prepare(route, header, arrival)
        except RulesError as error:
            return Verdict(route, str(error))
        except Exception:  # noqa: BLE001 - as in `outcome`
            return Verdict(route, FAILED.reason)


def _key(header: Readable, past: Past) -> InstanceKey:
    """What it would be filed under."""
    study, series, instance = ("\\".join(header.values(attribute) or ()) for attribute in _KEY)
    return InstanceKey(study, series, instance or past.identity.sop_instance_uid)
