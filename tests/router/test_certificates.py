"""What is told of certificate files before a peer ever sees them, and what the contexts made of them agree to."""

import ssl
from pathlib import Path

import pytest

from router.certificates import (
    CIPHER_SUITES,
    CertificateError,
    TlsFiles,
    client_context,
    examine,
    server_context,
)
from tests.support.certificates import Authority, needs_openssl, self_signed
from tests.support.secured import files_of

pytestmark = needs_openssl


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """An authority."""
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def good(authority: Authority) -> TlsFiles:
    """Files with which nothing is wrong."""
    return files_of(authority.issue("good"), authority)


def warnings(files: TlsFiles, *, is_client: bool = True) -> list[tuple[str, str]]:
    """What is odd about the files."""
    return list(examine(files, is_client=is_client).warnings)


def refusal(files: TlsFiles) -> tuple[str, str]:
    """The part that is at fault, and what is said of it."""
    with pytest.raises(CertificateError) as caught:
        examine(files, is_client=True)
    return caught.value.part, str(caught.value)


def test_good_files_raise_no_word(good: TlsFiles) -> None:
    """A certificate with its key and authority is fine, and it is known until when."""
    examination = examine(good, is_client=True)
    assert examination.warnings == ()
    assert examination.valid_until is not None


def test_both_contexts_speak_only_what_bcp_195_recommends(good: TlsFiles) -> None:
    """TLS 1.2 with the four suites of RFC 9325 and TLS 1.3; no compression, no renegotiation."""
    for context in (server_context(good, "required"), client_context(good)):
        suites = context.get_ciphers()
        assert {each["name"] for each in suites if each["protocol"] == "TLSv1.2"} == set(CIPHER_SUITES)
        assert {each["protocol"] for each in suites} == {"TLSv1.2", "TLSv1.3"}
        assert context.minimum_version is ssl.TLSVersion.TLSv1_2
        assert context.options & ssl.OP_NO_COMPRESSION
        assert context.options & ssl.OP_NO_RENEGOTIATION
    assert client_context(good).check_hostname


@pytest.mark.parametrize("part", ["certificate", "key", "authorities"])
def test_a_file_that_is_missing_or_is_something_else_is_named(good: TlsFiles, tmp_path: Path, part: str) -> None:
    """Each file that is not there, or holds nothing of the kind, is told by its part and path."""
    parts = {"certificate": good.certificate, "key": good.key, "authorities": good.authorities}
    other = tmp_path / "other.pem"
    said = refusal(TlsFiles(**(parts | {part: other})))
    assert said == (part, f"{other} cannot be read by micropacs: No such file or directory")
    other.write_text("hello")
    assert refusal(TlsFiles(**(parts | {part: other})))[0] == part
    other.write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    assert refusal(TlsFiles(**(parts | {part: other})))[0] == part


def test_the_key_of_another_certificate_is_refused(good: TlsFiles, authority: Authority) -> None:
    """A key that does not fit is told as the key's fault."""
    part, said = refusal(TlsFiles(good.certificate, authority.issue("other").key, good.authorities))
    assert part == "key"
    assert "is not the key of" in said


def test_a_key_with_a_passphrase_is_refused_and_not_asked_for(good: TlsFiles, tmp_path: Path) -> None:
    """An encrypted key would have a role wait at a terminal that is not there."""
    key = tmp_path / "encrypted.key"
    key.write_text(good.key.read_text().replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY"))
    assert "passphrase" in refusal(TlsFiles(good.certificate, key, good.authorities))[1]


def test_a_weak_key_is_refused(authority: Authority) -> None:
    """RSA of 1,024 bits is too short."""
    assert "2048 bits" in refusal(files_of(authority.issue("weak", bits=1024), authority))[1]


@pytest.mark.parametrize(("days", "said"), [(-1, "has expired"), (10, "expires on")])
def test_an_old_certificate_is_told_but_keeps_nothing_from_starting(authority: Authority, days: int, said: str) -> None:
    """A certificate that has expired, or soon will, is a warning."""
    [(part, text)] = warnings(files_of(authority.issue(f"for{days}", days=days), authority))
    assert part == "certificate"
    assert said in text


def test_a_certificate_that_is_only_for_servers_is_told_where_we_call(authority: Authority) -> None:
    """Extended key usage counts for what the certificate is used for."""
    files = files_of(authority.issue("server", usage="serverAuth"), authority)
    assert warnings(files, is_client=False) == []
    assert "extended key usage" in warnings(files)[0][1]


def test_a_key_that_everybody_can_read_is_told(authority: Authority) -> None:
    """A key with mode 0644 is a warning at the key."""
    pair = authority.issue("open")
    pair.key.chmod(0o644)
    [(part, text)] = warnings(files_of(pair, authority))
    assert part == "key"
    assert "chmod 600" in text


def test_a_self_signed_certificate_may_be_trusted_by_itself(tmp_path: Path) -> None:
    """A site without an authority can exchange self-signed certificates: what it lists is trusted."""
    pair = self_signed(tmp_path, "device")
    assert warnings(TlsFiles(pair.certificate, pair.key, pair.certificate)) == [
        ("certificate", f"{pair.certificate} expires on {_in_days(pair.certificate)}; renew it in time")
    ]


def _in_days(certificate: Path) -> str:
    valid_until = examine(TlsFiles(certificate, certificate.with_suffix(".key")), is_client=False).valid_until
    assert valid_until is not None
    return f"{valid_until:%Y-%m-%d}"
