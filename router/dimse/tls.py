"""TLS for associations: contexts that follow their files, for accepting and for calling. Shakes no hands itself."""

import socket
import ssl
import threading
from collections.abc import Callable
from pathlib import Path

import structlog

from router.certificates import CertificateError, TlsFiles, client_context, server_context
from router.dimse.tls_stream import TlsStream

_Stamp = tuple[int, int, int, int]

log = structlog.get_logger(__name__)


class ServerTls:
    """Secures the connections of those who call us; `clients` is required, optional or none."""

    def __init__(self, files: TlsFiles, clients: str = "required") -> None:
        self._context = _FollowedContext(files, lambda: server_context(files, clients))

    def stream(self, sock: socket.socket) -> TlsStream:
        """A stream over an accepted connection; the first read shakes hands."""
        return TlsStream(sock, self._context)


class ClientTls:
    """Secures the connections to those we call."""

    def __init__(self, files: TlsFiles) -> None:
        self._context = _FollowedContext(files, lambda: client_context(files))

    def stream(self, sock: socket.socket, host: str) -> TlsStream:
        """A stream over a connection to `host`, whose certificate must be for that name or address."""
        return TlsStream(sock, self._context, host)


class _FollowedContext:
    """Gives the context made of the files as they are now; where they are not fit, the last one that was made.

    Whoever renews a certificate writes two files one after the other, and between the two they do not fit.
    """

    def __init__(self, files: TlsFiles, make: Callable[[], ssl.SSLContext]) -> None:
        self._paths = [path for path in (files.certificate, files.key, files.authorities) if path is not None]
        self._make = make
        self._guard = threading.Lock()
        self._context: ssl.SSLContext | None = None
        self._fault = ("", "")
        self._seen: tuple[_Stamp | None, ...] = ()

    def __call__(self) -> ssl.SSLContext:
        """The context for a connection that begins now. Raises CertificateError when there never was one."""
        with self._guard:
            stamp = tuple(_stamp(path) for path in self._paths)
            if stamp != self._seen:
                self._seen = stamp
                self._renew()
            if self._context is None:
                raise CertificateError(*self._fault)
            return self._context

    def _renew(self) -> None:
        try:
            context = self._make()
        except CertificateError as error:
            self._fault = error.part, str(error)
            log.error("certificate cannot be used", reason=str(error), last_good_one_stays=self._context is not None)  # noqa: TRY400
            return
        if self._context is not None:
            log.info("certificate taken up", file=str(self._paths[0]))
        self._context = context


def _stamp(path: Path) -> _Stamp | None:
    """What differs once the file or the right to read it was changed; None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino
