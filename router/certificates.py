"""Certificate, key and authorities from PEM files: TLS contexts by BCP 195, and what is wrong with the files.

Makes no connection, and follows no change of the files.
"""

import os
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from stat import S_IROTH

from router.errors import RouterError

# RFC 9325 section 4.2 recommends these four; the suites of TLS 1.3 are all fit and cannot be named here
CIPHER_SUITES = (
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES256-GCM-SHA384",
)
SECURITY_LEVEL = 2  # of OpenSSL: RSA from 2,048 bits, no SHA-1 signatures (RFC 9325 section 4.5)
RENEW_BEFORE = timedelta(days=30)
_CLIENTS = {"required": ssl.CERT_REQUIRED, "optional": ssl.CERT_OPTIONAL, "none": ssl.CERT_NONE}
_EXPIRED, _NOT_YET_VALID, _UNFIT_PURPOSE = 10, 9, 26  # X509_V_ERR_* of OpenSSL


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """Where our certificate, its key and the certificates of the authorities lie, all PEM."""

    certificate: Path
    key: Path
    authorities: Path | None = None


class CertificateError(RouterError):
    """A certificate or key cannot be used; `part` is the field of `TlsFiles` that names it."""

    def __init__(self, part: str, text: str) -> None:
        super().__init__(text)
        self.part = part


@dataclass(frozen=True, slots=True)
class Examination:
    """What `examine` found: until when the certificate is valid (None: not now), and (part, text) of what is odd."""

    valid_until: datetime | None
    warnings: tuple[tuple[str, str], ...]


def server_context(files: TlsFiles, clients: str) -> ssl.SSLContext:
    """For accepting; `clients` is required, optional or none. Raises CertificateError."""
    context = _context(ssl.PROTOCOL_TLS_SERVER)
    _load_own(context, files)
    context.verify_mode = _CLIENTS[clients]
    if context.verify_mode is not ssl.CERT_NONE:
        _load_authorities(context, files)
    context.options |= ssl.OP_CIPHER_SERVER_PREFERENCE | ssl.OP_NO_TICKET
    context.num_tickets = 0  # each association shakes hands anew, so that a new certificate or authority counts at once
    return context


def client_context(files: TlsFiles) -> ssl.SSLContext:
    """For calling: the peer must show a certificate of the authorities for its host. Raises CertificateError."""
    context = _context(ssl.PROTOCOL_TLS_CLIENT)  # verifies chain and host name
    context.hostname_checks_common_name = False  # a subject is no name of a host (RFC 9525)
    _load_own(context, files)
    _load_authorities(context, files)
    return context


def examine(files: TlsFiles, *, is_client: bool) -> Examination:
    """Read all files as they would be used, and shake hands with ourselves. Raises CertificateError.

    An expired certificate is only odd: an appliance that would not start because of it would stop unencrypted
    scanners too.
    """
    server_context(files, "required" if files.authorities else "none")
    valid_until, found = _rehearse(files, is_client=is_client)
    warnings = [("certificate", found)] if found else []
    if valid_until is not None and valid_until - datetime.now(UTC) < RENEW_BEFORE:
        warnings.append(("certificate", f"{files.certificate} expires on {valid_until:%Y-%m-%d}; renew it in time"))
    if os.name == "posix" and files.key.stat().st_mode & S_IROTH:
        warnings.append(("key", f"{files.key} can be read by every user of this machine; chmod 600 {files.key}"))
    warnings += [("authorities", text) for text in _expired_authorities(files)]
    return Examination(valid_until, tuple(warnings))


def _context(protocol: "ssl._SSLMethod") -> ssl.SSLContext:
    """TLS 1.2 and 1.3, without compression and renegotiation (RFC 9325 section 3, RFC 8996)."""
    context = ssl.SSLContext(protocol)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    context.set_ciphers(f"{':'.join(CIPHER_SUITES)}:@SECLEVEL={SECURITY_LEVEL}")
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # whatever the site put into `authorities` is trusted
    return context


def _load_own(context: ssl.SSLContext, files: TlsFiles) -> None:
    if b"BEGIN CERTIFICATE" not in _content("certificate", files.certificate):
        raise CertificateError("certificate", f"{files.certificate} holds no certificate in PEM format")
    key = _content("key", files.key)
    if b"PRIVATE KEY" not in key:
        raise CertificateError("key", f"{files.key} holds no private key in PEM format")
    if b"ENCRYPTED" in key:
        text = "is protected by a passphrase, which nobody could type; remove it with openssl pkey -in … -out …"
        raise CertificateError("key", f"{files.key} {text}")
    try:
        context.load_cert_chain(files.certificate, files.key, password="")
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            text = f"{files.key} is not the key of {files.certificate}; name the two that were made together"
            raise CertificateError("key", text) from None
        if error.reason in {"EE_KEY_TOO_SMALL", "CA_KEY_TOO_SMALL", "CA_MD_TOO_WEAK", "EE_MD_TOO_WEAK"}:
            text = f"{files.certificate} is too weak; it needs a key of at least 2048 bits RSA and SHA-256"
            raise CertificateError("certificate", text) from None
        text = f"{files.certificate} and {files.key} cannot be read as certificate and key in PEM format"
        raise CertificateError("certificate", text) from None
    except OSError as error:  # gone since it was looked at
        raise CertificateError("certificate", f"{files.certificate}: {error.strerror}") from None


def _load_authorities(context: ssl.SSLContext, files: TlsFiles) -> None:
    if files.authorities is None:
        raise CertificateError("authorities", "no authorities are named whose certificates a peer may show")
    content = _content("authorities", files.authorities)
    try:
        context.load_verify_locations(cadata=content.decode("ascii", errors="ignore"))
    except (ssl.SSLError, ValueError):
        text = f"{files.authorities} holds no certificates in PEM format that can be read"
        raise CertificateError("authorities", text) from None


def _content(part: str, path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        advice = "; give its user the right to read it" if isinstance(error, PermissionError) else ""
        raise CertificateError(part, f"{path} cannot be read by micropacs: {error.strerror}{advice}") from None


def _rehearse(files: TlsFiles, *, is_client: bool) -> tuple[datetime | None, str | None]:
    """A handshake of our certificate with itself, in memory: until when it is valid, or why a peer will refuse it."""
    server, client = _context(ssl.PROTOCOL_TLS_SERVER), _context(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    for context in (server, client):
        context.load_verify_locations(files.certificate)
    _load_own(server, files)
    if is_client:
        _load_own(client, files)
        server.verify_mode = ssl.CERT_REQUIRED
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    caller = client.wrap_bio(to_client, to_server)
    called = server.wrap_bio(to_server, to_client, server_side=True)
    try:
        for _ in range(4):  # flights of messages; TLS 1.3 needs three
            for side in (caller, called):
                try:
                    side.do_handshake()
                except ssl.SSLWantReadError:
                    continue
    except ssl.SSLCertVerificationError as error:
        return None, _refusal(files, error)
    except ssl.SSLError as error:
        return None, f"no TLS connection can be made with {files.certificate}: {error.reason}"
    shown = caller.getpeercert() or {}
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(str(shown["notAfter"])), UTC), None


def _refusal(files: TlsFiles, error: ssl.SSLCertVerificationError) -> str:
    text = {
        _EXPIRED: "has expired: peers will refuse it; put a new certificate in its place",
        _NOT_YET_VALID: "is not valid yet: peers will refuse it; look at this machine's clock, or wait",
        _UNFIT_PURPOSE: "is not made for TLS server and client authentication (extended key usage): have another made",
    }.get(error.verify_code, f"will be refused by peers: {error.verify_message}")
    return f"{files.certificate} {text}"


def _expired_authorities(files: TlsFiles) -> list[str]:
    if files.authorities is None:
        return []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    _load_authorities(context, files)
    now = datetime.now(UTC).timestamp()
    expired = [each for each in context.get_ca_certs() if ssl.cert_time_to_seconds(str(each["notAfter"])) < now]
    return [f"an authority in {files.authorities} has expired: who shows its certificates is refused"] * bool(expired)
