"""A PACS or workstation for the demonstration: receives and keeps instances as they came; no part of the appliance.

A third party's stack (pynetdicom) is at this end on purpose. Run as `python -m router.demo.peer`; it prints JSON lines:
{"listening": port}, {"refused": number}, {"received": SOP Instance UID, "sha256": of the data set, "bytes", "file"}.
SIGTERM or Ctrl-C ends it.
"""

import argparse
import hashlib
import json
import re
import signal
import socket
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any, cast

from pynetdicom import AE, ALL_TRANSFER_SYNTAXES, AllStoragePresentationContexts, _config, evt
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]

_TRANSIENT, _PRESENTATION, _TEMPORARY_CONGESTION = 2, 3, 1  # PS3.8 9.3.4


@dataclass(slots=True)
class Refusal:
    """Refuses the first `associations`, or all within the first `seconds` after it was made."""

    associations: int = 0
    seconds: float = 0.0
    refused: int = 0
    _since: float = field(default_factory=time.monotonic)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @classmethod
    def parse(cls, text: str) -> "Refusal":
        """`3` is the first three associations, `5s` the first five seconds; else ValueError."""
        if re.fullmatch(r"\d+", text):
            return cls(associations=int(text))
        if re.fullmatch(r"\d+(\.\d+)?s", text):
            return cls(seconds=float(text[:-1]))
        raise ValueError("a number of associations such as 3, or a time such as 5s")

    def is_due(self) -> bool:
        """Whether the association now asking is to be refused; counts it if so."""
        with self._lock:
            due = self.refused < self.associations or time.monotonic() - self._since < self.seconds
            self.refused += due
            return due


@dataclass(slots=True)
class Peer:
    """Keeps each instance as one Part 10 file in `folder`, under a name made here; a repeat replaces it."""

    ae_title: str
    folder: Path
    refusal: Refusal = field(default_factory=Refusal)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def serve(self, port: int) -> None:
        """Listen on 127.0.0.1 until a signal comes; port 0 takes a free one."""
        self.folder.mkdir(parents=True, exist_ok=True)
        # Private and retired SOP classes too, and every transfer syntax.
        _config.UNRESTRICTED_STORAGE_SERVICE = True
        ae = AE(self.ae_title)
        ae.maximum_associations = 50
        ae.maximum_pdu_size = 0
        ae.add_supported_context(Verification, ALL_TRANSFER_SYNTAXES)
        for context in AllStoragePresentationContexts:
            ae.add_supported_context(str(context.abstract_syntax), ALL_TRANSFER_SYNTAXES)
        handlers: list[Any] = [
            (evt.EVT_CONN_OPEN, self._send_at_once),
            (evt.EVT_REQUESTED, self._refuse),
            (evt.EVT_C_STORE, self._store),
        ]
        stop = threading.Event()

        def end(_number: int, _frame: FrameType | None) -> None:
            stop.set()

        signal.signal(signal.SIGTERM, end)
        signal.signal(signal.SIGINT, end)
        server = ae.start_server(("127.0.0.1", port), block=False, evt_handlers=handlers)
        if server is None or server.socket is None:
            raise OSError("the port could not be opened")
        self._say({"listening": server.socket.getsockname()[1]})
        while not stop.wait(0.5):  # a wait without an end would keep Ctrl-C from arriving on Windows
            pass
        server.shutdown()

    def _refuse(self, event: evt.Event) -> None:
        if self.refusal.is_due():
            self._say({"refused": self.refusal.refused})
            event.assoc.acse.send_reject(_TRANSIENT, _PRESENTATION, _TEMPORARY_CONGESTION)
            event.assoc.kill()

    def _store(self, event: evt.Event) -> int:
        """Write the data set's own bytes; never decoded. A700 when the disk refuses (PS3.4 B.2.3)."""
        uid = str(cast("C_STORE", event.request).AffectedSOPInstanceUID)
        data_set = event.encoded_dataset(include_meta=False)
        path = self.folder / f"{hashlib.sha256(uid.encode()).hexdigest()[:32]}.dcm"
        try:
            path.write_bytes(event.encoded_dataset())
        except OSError:
            return 0xA700
        digest = hashlib.sha256(data_set).hexdigest()
        self._say({"received": uid, "sha256": digest, "bytes": len(data_set), "file": path.name})
        return 0x0000

    def _send_at_once(self, event: evt.Event) -> None:
        """Without this, each small message waits 40 ms for the peer's delayed acknowledgement."""
        transport = event.assoc.dul.socket
        if transport is not None and transport.socket is not None:
            transport.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def _say(self, line: dict[str, Any]) -> None:
        with self._lock:
            sys.stdout.write(json.dumps(line) + "\n")
            sys.stdout.flush()


def main(arguments: Sequence[str] | None = None) -> int:
    """The command: --port PORT --ae AE --folder DIR [--refuse-first N|SECONDSs]."""
    parser = argparse.ArgumentParser(prog="python -m router.demo.peer", description="Receive as a PACS does.")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--ae", required=True)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--refuse-first", default="0", metavar="N|SECONDSs", help="3: associations, 5s: seconds")
    chosen = parser.parse_args(arguments)
    try:
        refusal = Refusal.parse(chosen.refuse_first)
    except ValueError as error:
        parser.error(f"--refuse-first: {error}")
    Peer(chosen.ae, chosen.folder, refusal).serve(chosen.port)
    return 0


if __name__ == "__main__":
    sys.exit(main())
