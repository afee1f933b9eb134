"""Where the sources meet the rules: who may send, whose instances would go back, whose go nowhere. Calls no peer."""

from collections.abc import Iterator, Sequence
from ipaddress import ip_address, ip_network

from router.config.nodes import IMPORT, DicomDestination, DicomSource
from router.config.settings import Settings
from rules import Finding, Sender, possible


def senders_of(settings: Settings) -> list[Sender]:
    """Everybody who may send, as far as the configuration knows them."""
    senders = [Sender(IMPORT)]
    for name, source in settings.sources.items():
        if isinstance(source, DicomSource):
            senders.append(Sender(name, source.ae_title, _address(source.host) if source.host else None))
        else:
            senders.append(Sender(name))
    if settings.appliance.unknown_sources == "accept":
        senders.append(Sender(None))
    return senders


def sent_back(settings: Settings, senders: Sequence[Sender]) -> Iterator[Finding]:
    """Routes that send a source's instances back to where they came from."""
    peers = [
        (destination, source)
        for destination, node in settings.destinations.items()
        for source, sender in settings.sources.items()
        if isinstance(node, DicomDestination) and isinstance(sender, DicomSource) and _is_peer(node, sender)
    ]
    for destination, source in peers:
        sender = [each for each in senders if each.source == source]
        for index, rule in enumerate(settings.routes):
            if destination in rule.to and not rule.disabled and _reaches(settings, index, sender):
                yield Finding(("routes", index, "to"), _loop(f"the rule {rule.name!r}", destination, source))
        if not isinstance(settings.otherwise, str) and destination in settings.otherwise:
            left = [(rule.when, False) for rule in settings.routes if not rule.disabled]
            if possible(left, sender):
                yield Finding(("otherwise",), _loop("otherwise", destination, source))


def unrouted(settings: Settings, senders: Sequence[Sender]) -> Iterator[Finding]:
    """Sources that no route is for, where nothing is said of what no route matches."""
    if not any(rule.to for rule in settings.routes) or "otherwise" in settings.model_fields_set:
        return
    for name in settings.sources:
        sender = [each for each in senders if each.source == name]
        if not any(possible([(rule.when, True)], sender) for rule in settings.routes if not rule.disabled):
            yield Finding(("sources", name), f"no route is for source {name!r}: what it sends is kept and goes nowhere")


def _reaches(settings: Settings, index: int, sender: Sequence[Sender]) -> bool:
    """Whether what a source sends may come to a route and match it."""
    above = [(rule.when, False) for rule in settings.routes[:index] if rule.stop and not rule.disabled]
    return possible([(settings.routes[index].when, True), *above], sender)


def _loop(what: str, destination: str, source: str) -> str:
    return (
        f"{what} sends what source {source!r} sent back to it, for destination {destination!r} has its AE title and "
        f"host; add `not: {{source: {source}}}` to the condition if that is not meant"
    )


def _is_peer(destination: DicomDestination, source: DicomSource) -> bool:
    """Whether a destination has the AE title and the address of a source."""
    if destination.ae_title != source.ae_title or source.host is None:
        return destination.ae_title == source.ae_title
    here, there = destination.host.strip().lower(), source.host.strip().lower()
    try:
        return ip_address(here) in ip_network(there, strict=False)
    except ValueError:  # one of them is a name
        return here == there


def _address(host: str) -> str | None:
    """The host as an arrival names it if it is one address; None for a network or a name, which may be several."""
    try:
        address = ip_address(host.strip())
    except ValueError:
        return None
    return str(getattr(address, "ipv4_mapped", None) or address)
