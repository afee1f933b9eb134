"""Who may send: a calling AE title and an address in, a configured source or nobody out; reads no configuration."""

import socket
import time
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

_NAME_SECONDS = 60.0  # how long the addresses of a host name are believed
_Address = IPv4Address | IPv6Address


@dataclass(frozen=True, slots=True)
class Source:
    """One configured source; `host` is an address, a network (10.1.0.0/16), a name, or None for any."""

    name: str
    ae_title: str
    host: str | None = None


@dataclass(frozen=True)
class Sources:
    """All configured sources, and whether others may send too."""

    sources: tuple[Source, ...] = ()
    accept_unknown: bool = False
    _names: dict[str, tuple[float, frozenset[_Address]]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def find(self, calling_ae: str, address: str) -> Source | None:
        """The source that sends with this AE title from this address; one with a host before one without."""
        candidates = [source for source in self.sources if source.ae_title == calling_ae]
        for source in candidates:
            if source.host is not None and self._is_at(source.host, address):
                return source
        return next((source for source in candidates if source.host is None), None)

    def _is_at(self, host: str, address: str) -> bool:
        here = _plain(address)
        if here is None:
            return False
        network = _network(host)
        if network is not None:
            return here in network
        return here in self._addresses(host)

    def _addresses(self, name: str) -> frozenset[_Address]:
        """The addresses of a host name, asked of the resolver once a minute; none when it never knew the name."""
        now = time.monotonic()
        known = self._names.get(name)
        if known is None or now - known[0] > _NAME_SECONDS:
            try:
                answers = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
            except (OSError, UnicodeError):  # a resolver that is away must not turn away a scanner it knew before
                known = (now, known[1] if known else frozenset())
            else:
                found = (_plain(str(answer[4][0])) for answer in answers)
                known = (now, frozenset(address for address in found if address is not None))
            self._names[name] = known
        return known[1]


def plain_address(address: str) -> str:
    """An address as text without IPv6 scope, an IPv4 address in IPv6 clothes (::ffff:10.1.1.1) as IPv4."""
    plain = _plain(address)
    return address if plain is None else str(plain)


def _plain(address: str) -> _Address | None:
    try:
        value = ip_address(address.partition("%")[0])
    except ValueError:
        return None
    if isinstance(value, IPv6Address) and value.ipv4_mapped is not None:
        return value.ipv4_mapped
    return value


def _network(host: str) -> IPv4Network | IPv6Network | None:
    try:
        return ip_network(host, strict=False)
    except ValueError:
        return None
