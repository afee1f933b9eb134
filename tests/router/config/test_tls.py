"""What a configuration with TLS means, and what is told of its files at their place in the text."""

from pathlib import Path

import pytest

from router.config import ConfigurationError, load, load_texts
from tests.support.certificates import Authority, Pair, needs_openssl

pytestmark = needs_openssl

YAML = """
appliance:
  listen: 127.0.0.1:104
  tls:
    certificate: {certificate}
    key: {key}
    authorities: ca.pem
    listen: 0.0.0.0:2762
destinations:
  pacs: {{ae_title: MICROPACS, host: 127.0.0.1, port: 2762, tls: {tls}}}
routes: [{{name: all, to: [pacs]}}]
"""


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """An authority whose files lie where the configuration does."""
    return Authority(tmp_path)


def written(pair: Pair, tls: str = "no") -> Path:
    """A configuration beside the certificate it names."""
    file = pair.certificate.parent / "micropacs.yaml"
    file.write_text(YAML.format(certificate=pair.certificate.name, key=pair.key.name, tls=tls))
    return file


def warnings(file: Path) -> list[str]:
    """The warnings with their lines and columns."""
    return [str(each).removeprefix(f"{file}:") for each in load(file).warnings]


def test_the_files_lie_beside_the_configuration(authority: Authority) -> None:
    """Relative paths are taken from the configuration's folder, and who calls must show a certificate."""
    pair = authority.issue("our")
    configuration = load(written(pair))
    assert configuration.tls_files is not None
    assert configuration.tls_files.certificate == pair.certificate
    assert configuration.tls_files.authorities == authority.certificate
    assert configuration.settings.appliance.tls is not None
    assert configuration.settings.appliance.tls.clients == "required"


def test_what_is_odd_is_told_where_the_file_is_named(authority: Authority) -> None:
    """An expired certificate and an open key are warnings at their names, a destination that is ourselves as well."""
    pair = authority.issue("our", days=-1)
    pair.key.chmod(0o644)
    assert warnings(written(pair)) == [
        f"5:18: {pair.certificate} has expired: peers will refuse it; put a new certificate in its place",
        f"6:10: {pair.key} can be read by every user of this machine; chmod 600 {pair.key}",
        "10:3: destination 'pacs' is this appliance itself",
    ]


def test_a_certificate_for_servers_is_odd_only_where_we_call(authority: Authority) -> None:
    """The purpose of a certificate is asked for what it is used for."""
    pair = authority.issue("our", usage="serverAuth")
    assert len(warnings(written(pair))) == 1
    assert any("extended key usage" in each for each in warnings(written(pair, "yes")))


def test_tls_that_nobody_uses_is_told(authority: Authority) -> None:
    """Without a port and without a destination it has no effect."""
    pair = authority.issue("our")
    file = written(pair)
    file.write_text(file.read_text().replace("    listen: 0.0.0.0:2762\n", ""))
    [told] = warnings(file)
    assert told == "4:3: appliance.tls has no effect: it has no 'listen', and no destination says 'tls: yes'"


def test_a_key_of_another_certificate_is_refused(authority: Authority) -> None:
    """The mistake stands at the key."""
    file = written(Pair(authority.issue("our").certificate, authority.issue("other").key))
    with pytest.raises(ConfigurationError, match=r":6:10: .*other\.key is not the key of .*our\.pem"):
        load(file)


def test_a_configuration_in_force_stays_readable_without_its_files(authority: Authority) -> None:
    """A role that starts again after a file has gone still gets the configuration that was accepted."""
    pair = authority.issue("our")
    file = written(pair)
    texts = load(file).texts
    pair.key.unlink()
    with pytest.raises(ConfigurationError):
        load(file)
    assert load_texts(texts, file).tls_files is not None
