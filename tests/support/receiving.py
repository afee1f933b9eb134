"""Our listener on a free port over a real spool, and raw connections to it."""

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from archive import Entry, Spool
from router.dimse import EchoScp, Limits, Listener, Reception, Sources, StoreScp
from router.dimse.associate import AssociateRequest, ProposedContext, UserInformation, encode_request

CT = "1.2.840.10008.5.1.4.1.1.2"
VERIFICATION = "1.2.840.10008.1.1"
IMPLICIT = "1.2.840.10008.1.2"
QUICK = Limits(first_pdu_seconds=1.0, pdu_seconds=1.0, idle_seconds=5.0, linger_seconds=0.3)


@dataclass
class Receiver:
    """A running listener, its port and its spool."""

    port: int
    listener: Listener
    spool: Spool
    folder: Path
    reception: Reception

    def entries(self) -> list[Entry]:
        """What was acknowledged, oldest first."""
        return [self.spool.read(arrival) for arrival in self.spool.sealed(100_000)]

    def data_sets(self) -> dict[str, bytes]:
        """The spooled data set of each SOP Instance UID."""
        return {entry.identity.sop_instance_uid: entry.data_set(0, entry.size) for entry in self.entries()}

    def unsealed(self) -> int:
        """How many instances are on their way in, or were left behind."""
        in_segments = self.spool._segments._lent
        return in_segments + len(list((self.folder / "incoming").glob("*.part")))

    def change(self, **values: object) -> None:
        """Reconfigure with some values of the reception changed."""
        self.reception = replace(self.reception, **values)
        self.listener.reconfigure(self.reception)


@contextmanager
def receiving(
    folder: Path, *, limits: Limits = QUICK, sources: Sources | None = None, spool: Spool | None = None
) -> Iterator[Receiver]:
    """A listener that takes from everybody if no sources are given."""
    spool = spool or Spool(folder)
    sources = sources or Sources(accept_unknown=True)
    reception = Reception("MICROPACS", (StoreScp(spool), EchoScp()), sources, limits)
    with listening_for(reception, spool, folder) as receiver:
        yield receiver


@contextmanager
def listening_for(reception: Reception, spool: Spool, folder: Path, *, is_secured: bool = False) -> Iterator[Receiver]:
    """A listener on a port of its own, over TLS only if it `is_secured`; the spool is closed at the end."""
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listening:
        listener = Listener([], reception, [listening]) if is_secured else Listener([listening], reception)
        listener.start()
        try:
            yield Receiver(listening.getsockname()[1], listener, spool, folder, reception)
        finally:
            listener.stop(0)
            spool.close()


def connect(port: int) -> socket.socket:
    """A bare TCP connection."""
    sock = socket.create_connection(("127.0.0.1", port), 5)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def associate_request(
    *contexts: tuple[int, str, str], called: str = "MICROPACS", calling: str = "SCANNER", pdu_bytes: int = 16384
) -> bytes:
    """An A-ASSOCIATE-RQ; each context is its ID, abstract syntax and only transfer syntax."""
    proposed = tuple(ProposedContext(number, abstract, (transfer,)) for number, abstract, transfer in contexts)
    return encode_request(
        AssociateRequest(
            called, calling, proposed or (ProposedContext(1, CT, (IMPLICIT,)),), UserInformation(pdu_bytes)
        )
    )


def associated(port: int, *contexts: tuple[int, str, str]) -> socket.socket:
    """A connection on which an association was accepted."""
    sock = connect(port)
    sock.sendall(associate_request(*contexts))
    assert read_pdu(sock)[0] == 2
    return sock


def read_pdu(sock: socket.socket) -> tuple[int, bytes]:
    """The next PDU's type and body; (0, b"") when the connection is at its end."""
    header = _read(sock, 6)
    if len(header) < 6:
        return 0, b""
    return header[0], _read(sock, int.from_bytes(header[2:]))


def eventually(is_true: Callable[[], bool], seconds: float = 5.0) -> bool:
    """True as soon as `is_true` is, False if it never was within the time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if is_true():
            return True
        time.sleep(0.01)
    return False


def _read(sock: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        try:
            part = sock.recv(count - len(data))
        except ConnectionError:
            break
        if not part:
            break
        data += part
    return data
