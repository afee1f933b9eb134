"""Our listener on a TLS port, and sockets that speak TLS to it as a test wants."""

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from archive import Spool
from router.certificates import TlsFiles
from router.dimse import EchoScp, Limits, Reception, ServerTls, Sources, StoreScp
from tests.support.certificates import Authority, Pair
from tests.support.receiving import QUICK, Receiver, listening_for


def files_of(pair: Pair, authority: Authority) -> TlsFiles:
    """The files of one who shows `pair` and trusts `authority`."""
    return TlsFiles(pair.certificate, pair.key, authority.certificate)


@contextmanager
def receiving_tls(
    folder: Path, files: TlsFiles, clients: str = "required", *, limits: Limits = QUICK
) -> Iterator[Receiver]:
    """A listener that takes from everybody, over TLS only."""
    spool = Spool(folder)
    services = (StoreScp(spool), EchoScp())
    reception = Reception("MICROPACS", services, Sources(accept_unknown=True), limits, ServerTls(files, clients))
    with listening_for(reception, spool, folder, is_secured=True) as receiver:
        yield receiver


def connect_tls(port: int, authority: Authority, pair: Pair | None) -> ssl.SSLSocket:
    """A TLS connection that trusts `authority` and shows `pair`; in TLS 1.3 a refusal comes with the first read."""
    context = ssl.create_default_context(cafile=str(authority.certificate))
    if pair is not None:
        context.load_cert_chain(pair.certificate, pair.key)
    sock = socket.create_connection(("127.0.0.1", port), 5)
    return context.wrap_socket(sock, server_hostname="127.0.0.1")
