"""A stream over TLS (PS3.15 B.12): shakes hands before its first byte, and never sends one in the clear."""

import socket
import ssl
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from hashlib import sha256

from router.certificates import CertificateError
from router.dimse.stream import Stream
from router.errors import AssociationAborted, PeerSilent, TlsFailed

_RECORD_BYTES = 16384  # the most that one TLS record holds (RFC 8446 5.1)
_ALERT_SECONDS = 2.0  # for the peer to take in why it was refused, and to close
_CLOSED = "the peer closed the connection in the TLS handshake"
_NOTHING_IN_COMMON = "the peer and we have no TLS version or cipher suite in common"
_NO_TLS = "the peer does not speak TLS"
_REASONS = {
    "PEER_DID_NOT_RETURN_A_CERTIFICATE": "the peer showed no certificate",
    "UNEXPECTED_EOF_WHILE_READING": _CLOSED,
    "NO_SHARED_CIPHER": _NOTHING_IN_COMMON,
    "UNSUPPORTED_PROTOCOL": _NOTHING_IN_COMMON,
    "TLSV1_ALERT_PROTOCOL_VERSION": _NOTHING_IN_COMMON,
    "WRONG_VERSION_NUMBER": _NO_TLS,
    "HTTP_REQUEST": _NO_TLS,
}
_UNKNOWN_ISSUER = {18, 19, 20, 21}  # X509_V_ERR_* of OpenSSL: self-signed, or the issuer is not known


class TlsStream(Stream):
    """A connected socket on which the first read or write shakes hands, within that read's or write's deadline."""

    can_wait_in_kernel = False  # a record may be half there

    def __init__(
        self, sock: socket.socket, context: Callable[[], ssl.SSLContext], server_name: str | None = None
    ) -> None:
        """Calls the peer by `server_name`, to which its certificate must belong; without one it is the peer that calls.

        `context` is asked at the handshake, in the association's thread.
        """
        super().__init__(sock)
        self._context = context
        self._server_name = server_name
        self._secured: ssl.SSLSocket | None = None
        self._has_begun = False
        self._security: dict[str, str] = {}

    @property
    def security(self) -> dict[str, str]:
        """The TLS version, and the SHA-256 fingerprint of the certificate that the peer showed."""
        return self._security

    def receive_into(self, view: memoryview, deadline: float, *, all_of_it: bool = False) -> int:
        """See `Stream`; raises TlsFailed too."""
        self._secure(deadline)
        return super().receive_into(view, deadline, all_of_it=all_of_it)

    def send(self, buffers: Sequence[bytes | memoryview], deadline: float, each_seconds: float = 0.0) -> None:
        """See `Stream`; raises TlsFailed too."""
        self._secure(deadline)
        super().send(buffers, deadline, each_seconds)

    def has_spoken(self) -> bool:
        """See `Stream`; the first byte of what the peer said is lost, since TLS cannot peek."""
        try:
            self._socket.recv_into(bytearray(1))
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return False
        except OSError:
            return True
        return True

    def _secure(self, deadline: float) -> None:
        """Shake hands, once; where that fails nothing is ever sent or read on this stream."""
        if self._secured is not None:
            return
        if self._has_begun:
            raise AssociationAborted("there is no TLS connection")
        self._has_begun = True
        try:
            secured = self._wrap()
            self._shake_hands(secured, deadline)
        except CertificateError as error:
            raise AssociationAborted(f"TLS is out of service: {error}") from error  # no fault of the peer
        except ssl.SSLError as error:
            self._let_alert_through()
            raise TlsFailed(_reason(error)) from error
        except OSError as error:
            raise TlsFailed(_CLOSED) from error
        self._security["tls"] = secured.version() or ""
        certificate = secured.getpeercert(binary_form=True)
        if certificate:
            self._security["certificate"] = sha256(certificate).hexdigest()
        self._receive, self._send = partial(_receive_record, secured), partial(_send_records, secured)
        self._secured = secured

    def _wrap(self) -> ssl.SSLSocket:
        name = self._server_name
        self._socket = secured = self._context().wrap_socket(
            self._socket,
            server_side=name is None,
            server_hostname=name.removesuffix(".") if name else None,
            do_handshake_on_connect=False,
        )
        return secured

    def _shake_hands(self, secured: ssl.SSLSocket, deadline: float) -> None:
        while not self.is_stopped:
            try:
                secured.do_handshake()
            except ssl.SSLWantReadError:
                self._wait(deadline, for_reading=True)
            except ssl.SSLWantWriteError:
                self._wait(deadline, for_reading=False)
            else:
                return
        raise AssociationAborted("the association was ended by this side")

    def _let_alert_through(self) -> None:
        """Closing with unread bytes would reset the connection, and the peer might never learn why it was refused."""
        deadline = time.monotonic() + _ALERT_SECONDS
        sink = bytearray(4096)
        with suppress(AssociationAborted, PeerSilent, OSError):
            self._shut(socket.SHUT_WR)
            while True:
                self._wait(deadline, for_reading=True)
                if not socket.socket.recv_into(self._socket, sink):
                    return

    def _end_sending(self) -> None:
        if self._secured is not None:
            with suppress(OSError, ValueError):
                self._secured.unwrap()  # says so to the peer (close_notify), and does not wait for its answer
        self._shut(socket.SHUT_WR)

    def _shut(self, how: int) -> None:
        """Shut down the TCP connection; SSLSocket.shutdown would go on in the clear after it."""
        socket.socket.shutdown(self._socket, how)


def _receive_record(secured: ssl.SSLSocket, view: memoryview, _size: int, _flags: int, /) -> int:
    """As `recv_into` of a socket that does not wait."""
    try:
        return secured.recv_into(view)
    except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
        raise BlockingIOError from None
    except ssl.SSLError as error:
        raise TlsFailed(_reason(error)) from error


def _send_records(
    secured: ssl.SSLSocket, buffers: Sequence[bytes | memoryview], _ancillary: tuple[()], _flags: int, /
) -> int:
    """As `sendmsg`: records as long as the kernel takes them; one that it did not take comes again, the very same."""
    sent = 0
    for record in _records(buffers):
        try:
            sent += secured.send(record)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            if not sent:
                raise BlockingIOError from None
            break
        except ssl.SSLError as error:
            raise TlsFailed(_reason(error)) from error
    return sent


def _records(buffers: Sequence[bytes | memoryview]) -> Iterator[bytes | memoryview]:
    """The bytes of all buffers, in order, cut to fill a TLS record each; the last one may be shorter."""
    held = b""
    for buffer in buffers:
        start = 0
        if held:
            start = _RECORD_BYTES - len(held)
            held += buffer[:start]
            if len(held) < _RECORD_BYTES:
                continue
            yield held
        while len(buffer) - start >= _RECORD_BYTES:
            yield buffer[start : start + _RECORD_BYTES]
            start += _RECORD_BYTES
        held = bytes(buffer[start:])
    if held:
        yield held


def _reason(error: ssl.SSLError) -> str:
    """What went wrong in plain words; OpenSSL's own texts hold nothing that a peer wrote."""
    if isinstance(error, ssl.SSLCertVerificationError):
        if error.verify_code in _UNKNOWN_ISSUER:
            return "the peer's certificate is not one of the authorities in appliance.tls.authorities"
        return f"the peer's certificate is refused: {error.verify_message}"
    reason = error.reason or "UNEXPECTED_EOF_WHILE_READING"
    if reason in _REASONS:
        return _REASONS[reason]
    words = reason.partition("_ALERT_")[2] or reason
    said = "the peer refused the TLS connection" if "_ALERT_" in reason else "TLS failed"
    return f"{said}: {words.lower().replace('_', ' ')}"
