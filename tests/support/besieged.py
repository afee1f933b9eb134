"""A real appliance under attack: meanwhile a good scanner and an echo are served, and afterwards nothing is left.

The bad peers of each test call from an address of their own (127.1.x.y), by which their security event is known.
"""

import json
import os
import socket
import struct
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

from router.demo.phantom import PhantomStudy, write_phantom
from router.dimse.associate import AssociateRequest, ProposedContext, UserInformation, encode_request
from tests.support.appliance import RunningAppliance, wait_until
from tests.support.dcmtk import NO_NAGLE, echoscu
from tests.support.receiving import CT, IMPLICIT, read_pdu

PLANTED_NAME, PLANTED_ID = "PLANTED^PATIENT", "PLANTED-4711"
MOST_BYTES = 64e6
SETTLES_SECONDS = 12.0
GOOD = "127.0.0.1"
Attack = Callable[["BadPeer"], None]

YAML = """
appliance:
  ae_title: MICROPACS
  listen: "127.0.0.1:{port}"
  data: ./data
  limits:
    {associations: 50, per_host: 40, unassociated: 100, instance: 12MB,
     first_pdu: 2s, pdu: 1s, idle: 8s, message: 2s, association: 5s}
sources:
  scanner: {ae_title: SCANNER, host: 127.0.0.1}
  bad: {ae_title: BAD, host: 127.1.0.0/16}
"""


class BadPeer:
    """Whoever calls from one address; closes what it opened in the end."""

    def __init__(self, port: int, host: str) -> None:
        self.host = host
        self._port = port
        self._sockets: list[socket.socket] = []
        self.done = threading.Event()  # the good ones have been served: what is repeated may end

    def connect(self) -> socket.socket:
        """A bare connection."""
        sock = socket.create_connection(("127.0.0.1", self._port), 10, source_address=(self.host, 0))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._sockets.append(sock)
        return sock

    def say(self, *parts: bytes) -> None:
        """Connect, say it, and listen until the connection ends."""
        with suppress(OSError):
            sock = self.connect()
            for part in parts:
                sock.sendall(part)
            self.hear_out(sock)

    def associate(self, *contexts: tuple[int, str], request: bytes | None = None) -> socket.socket:
        """An association, accepted; each context is its ID and abstract syntax."""
        sock = self.connect()
        sock.sendall(request or request_of(*contexts))
        assert read_pdu(sock)[0] == 2
        return sock

    def hear_out(self, sock: socket.socket) -> list[tuple[int, bytes]]:
        """Every PDU until the connection ends; whoever ends it, it ends."""
        heard = []
        with suppress(OSError):
            while (pdu := read_pdu(sock))[0]:
                heard.append(pdu)
        sock.close()
        return heard

    def drip(self, drips: dict[socket.socket, bytes], seconds: float = 1.0) -> None:
        """One byte after the other on each connection until the other side has ended all of them."""
        going_on = {sock: iter(data) for sock, data in drips.items()}
        while going_on:
            for sock, data in list(going_on.items()):
                sock.settimeout(0.01)
                try:
                    sock.sendall(bytes((next(data),)))
                    assert sock.recv(1) in (b"", b"\7")  # closed, or the first byte of an A-ABORT
                except TimeoutError:
                    continue
                except OSError:
                    pass
                del going_on[sock]
            time.sleep(seconds)

    def close(self) -> None:
        """Close everything."""
        for sock in self._sockets:
            sock.close()


def request_of(*contexts: tuple[int, str], called: str = "MICROPACS", calling: str = "BAD") -> bytes:
    """An A-ASSOCIATE-RQ; each context is its ID and abstract syntax."""
    proposed = tuple(ProposedContext(number, abstract, (IMPLICIT,)) for number, abstract in contexts or [(1, CT)])
    return encode_request(AssociateRequest(called, calling, proposed, UserInformation(16384)))


def _attack(attack: Attack, peer: BadPeer, *, again: bool) -> None:
    attack(peer)
    while again and not peer.done.is_set():
        attack(peer)


def element(group: int, number: int, value: str) -> bytes:
    """A text element in implicit VR little endian."""
    encoded = value.encode() + (b"\0" if number in (0x16, 0x18) else b" ") * (len(value) % 2)
    return struct.pack("<HHI", group, number, len(encoded)) + encoded


def planted(sop_instance_uid: str, sop_class_uid: str = CT) -> bytes:
    """A data set of the patient nobody is to read of."""
    uids = element(8, 0x16, sop_class_uid) + element(8, 0x18, sop_instance_uid)
    return uids + element(0x10, 0x10, PLANTED_NAME) + element(0x10, 0x20, PLANTED_ID)


class Besieged(RunningAppliance):
    """An appliance with short deadlines, and what is asserted of it."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, YAML)
        self._number = 0
        self.expected: Counter[str] = Counter()  # how many events of which address
        self.pid = 0
        self._usual: dict[str, int] = {}

    def settle_in(self) -> None:
        """Be served once, so that what the receive role needs is there before anything is compared."""
        self.pid = self.roles()["receive"]
        for _ in range(2):
            with self.good_scanner():
                pass
        time.sleep(1.0)
        self._usual = self.in_use()

    def attacked_by(self, attack: Attack, event: str | None, *, host: str = "", again: bool = False) -> None:
        """Let a bad peer attack, again and again if told, and assert what has to hold of every attack.

        `event` is the security event it has to cause, None for none.
        """
        self._number += 1
        peer = BadPeer(self.port, host or f"127.1.{self._number // 250}.{self._number % 250 + 1}")
        before = self.memory(reset=True)
        with ThreadPoolExecutor(1) as pool:
            try:
                with self.good_scanner():
                    ending = pool.submit(_attack, attack, peer, again=again)
                    self.assert_echo_answered()
                self.assert_echo_answered()
            finally:
                peer.done.set()
            ending.result(60)
        peer.close()
        assert self.memory() - before < MOST_BYTES
        self.assert_nothing_left()
        self.assert_events(peer.host, event)
        self.assert_nothing_told()

    @contextmanager
    def good_scanner(self) -> Iterator[PhantomStudy]:
        """A whole study is sent meanwhile by a good scanner; at the end of the block all of it is in the archive."""
        study = write_phantom(self.folder / "studies" / uuid4().hex, slices=7, seed=uuid4().hex)
        command = ["storescu", "-aet", "SCANNER", "-aec", "MICROPACS", "127.0.0.1", str(self.port)]
        process = subprocess.Popen(
            [*command, *map(str, study.files)],
            env=os.environ | NO_NAGLE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        yield study
        told, _ = process.communicate(timeout=30)
        assert process.returncode == 0, told
        query = "select coalesce(sum(instances), 0) from studies where study_instance_uid = ?"
        wait_until(lambda: self.count(query, study.study_uid) == len(study.files), 20, "the study to be filed")

    def assert_echo_answered(self) -> None:
        """A C-ECHO is answered within two seconds."""
        assert echoscu(self.port, "-aet", "SCANNER")

    def assert_nothing_left(self) -> None:
        """No thread, no descriptor, no bytes on their way in are more than there were."""

        def is_back() -> bool:
            return all(count <= self._usual[name] for name, count in self.in_use().items())

        deadline = time.monotonic() + SETTLES_SECONDS
        while not is_back():
            assert time.monotonic() < deadline, f"{self.in_use()} {self._descriptors()}, usual are {self._usual}"
            time.sleep(0.05)

    def in_use(self) -> dict[str, int]:
        """Threads and descriptors of the receive role, and the bytes in files of instances that are not whole."""
        sizes = []
        for path in (self.data / "spool" / "incoming").iterdir():
            with suppress(FileNotFoundError):
                sizes.append(path.stat().st_size)
        return {
            "threads": self._status("Threads"),
            "descriptors": len(self._descriptors()),
            "incoming": sum(sizes),
        }

    def _descriptors(self) -> list[str]:
        """What each descriptor of the receive role is, without those of the spool's segments, which are used again."""
        found = []
        for link in Path(f"/proc/{self.pid}/fd").iterdir():
            with suppress(FileNotFoundError):
                found.append(str(link.readlink()))
        return sorted(name for name in found if not name.endswith((".segment", ".register")))

    def assert_events(self, host: str, event: str | None) -> None:
        """Exactly one event of this address stands in the journal, of the kind that is expected; or none."""
        self.expected[host] += event is not None
        wait_until(lambda: len(self.events(host)) >= self.expected[host], 10, f"the event {event!r} of {host}")
        events = self.events(host)
        assert len(events) == self.expected[host], events
        assert event is None or event in {each["what"] for each in events}, events

    def events(self, host: str) -> list[dict[str, object]]:
        """The security events of an address."""
        rows = self.sql("select detail from journal where kind = 'security' order by id")
        return [detail for (row,) in rows if (detail := json.loads(str(row)))["host"] == host]

    def assert_nothing_told(self) -> None:
        """Neither a log nor the journal has a patient's name or number."""
        told = self.log.read_bytes() + str(self.sql("select * from journal")).encode()
        for word in (PLANTED_NAME, PLANTED_ID, PLANTED_NAME.partition("^")[0]):
            assert word.encode() not in told

    def memory(self, *, reset: bool = False) -> int:
        """The most bytes the receive role has had in memory since the last reset, or now when it is reset."""
        if reset:
            Path(f"/proc/{self.pid}/clear_refs").write_text("5")
        return self._status("VmHWM") * 1024

    def _status(self, name: str) -> int:
        return int(Path(f"/proc/{self.pid}/status").read_text().partition(f"{name}:")[2].split()[0])
