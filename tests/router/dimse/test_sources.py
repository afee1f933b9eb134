"""Who may send."""

import pytest

from router.dimse.sources import Source, Sources, plain_address

ANY = Source("any", "SCANNER")
AT = Source("at", "SCANNER", "10.1.1.11")
NET = Source("net", "SCANNER", "10.2.0.0/16")
NAME = Source("name", "SCANNER", "localhost")


@pytest.mark.parametrize(
    ("sources", "address", "found"),
    [
        ((AT,), "10.1.1.11", AT),
        ((AT,), "10.1.1.12", None),
        ((AT,), "::ffff:10.1.1.11", AT),
        ((NET,), "10.2.200.1", NET),
        ((NET,), "10.3.0.1", None),
        ((NAME,), "127.0.0.1", NAME),
        ((NAME,), "127.0.0.2", None),
        ((ANY,), "192.0.2.1", ANY),
        ((ANY, NET, AT), "10.1.1.11", AT),
        ((ANY, NET, AT), "192.0.2.1", ANY),
        ((Source("v6", "SCANNER", "2001:db8::/32"),), "2001:db8::1", Source("v6", "SCANNER", "2001:db8::/32")),
        ((Source("lost", "SCANNER", "no-such-host.invalid"),), "10.1.1.11", None),
        ((AT,), "not an address", None),
    ],
)
def test_a_source_is_found_by_title_and_address(
    sources: tuple[Source, ...], address: str, found: Source | None
) -> None:
    """Address, network or name has to fit, one that names a host comes first."""
    assert Sources(sources).find("SCANNER", address) == found


def test_titles_are_compared_to_the_letter() -> None:
    """Another case is another AE title."""
    assert Sources((ANY,)).find("scanner", "10.1.1.11") is None


def test_addresses_are_plain() -> None:
    """An IPv4 address in IPv6 clothes and a scope are undressed."""
    assert plain_address("::ffff:192.0.2.7") == "192.0.2.7"
    assert plain_address("fe80::1%eth0") == "fe80::1"


def test_a_resolver_that_is_away_turns_no_known_scanner_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """A source given by name is still found at its last addresses while the name cannot be asked for."""
    sources = Sources((Source("ct", "CT", "localhost"),))
    assert sources.find("CT", "127.0.0.1") is not None

    def away(*_: object, **__: object) -> None:
        raise OSError("Temporary failure in name resolution")

    monkeypatch.setattr("socket.getaddrinfo", away)
    monkeypatch.setattr("router.dimse.sources._NAME_SECONDS", -1.0)
    assert sources.find("CT", "127.0.0.1") is not None
    assert Sources((Source("ct", "CT", "localhost"),)).find("CT", "127.0.0.1") is None
