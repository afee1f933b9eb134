"""A destination that can be in trouble and that writes down every copy it takes before it answers."""

import json
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pynetdicom import AE, evt
from pynetdicom.presentation import build_context

from tests.faults.studies import CT, EXPLICIT, PET, digest

REFUSED = 0xA700
TRANSIENT = (2, 3, 2)  # rejected transient, presentation service provider, local limit exceeded
SLOW_SECONDS = 0.5


class Receiver:
    """A pynetdicom server; its ledger in `folder` has one line a copy: SOP instance UID, SHA-256 of the data set, when.

    `trouble` takes what it is to do next, each once; `note` hears of it when it comes about.
    """

    def __init__(self, folder: Path, name: str, port: int, note: Callable[[str], None]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.name = name
        self.slow_seconds = SLOW_SECONDS
        self._port = port
        self._note = note
        self._guard = threading.Lock()
        self._gone = threading.Lock()  # by whoever lets it be down
        self._trouble: Counter[str] = Counter()
        self._ledger = (folder / "copies.jsonl").open("a", encoding="utf-8")
        self._server: Any = None
        self.start()

    def trouble(self, kind: str) -> None:
        """Let it happen at the next chance; who is to be rejected is sent away first, so that he comes again."""
        with self._guard:
            self._trouble[kind] += 1
        if kind == "rejects":
            self._send_away()

    def start(self) -> None:
        """Listen."""
        ae = AE(self.name.upper())
        ae.maximum_pdu_size = 0
        ae.maximum_associations = 50
        ae.supported_contexts = [build_context(each, EXPLICIT) for each in (CT, PET)]
        handlers = [(evt.EVT_REQUESTED, self._requested), (evt.EVT_C_STORE, self._store)]
        self._server = ae.start_server(("127.0.0.1", self._port), block=False, evt_handlers=handlers)

    def stop(self) -> None:
        """Be gone: nobody listens, every association is aborted."""
        self._server.shutdown()
        self._send_away()

    def down(self, seconds: float) -> None:
        """Be gone for a while."""
        with self._gone:
            self.stop()
            self._note("receiver is down")
            time.sleep(seconds)
            self.start()

    def close(self) -> None:
        """Stop for good."""
        self.stop()
        self._ledger.close()

    def _send_away(self) -> None:
        for association in self._server.active_associations:
            association.abort()

    def _happens(self, kind: str) -> bool:
        with self._guard:
            happens = self._trouble[kind] > 0
            self._trouble[kind] -= happens
        if happens:
            self._note(f"receiver {kind}")
        return happens

    def _requested(self, event: evt.Event) -> None:
        if self._happens("rejects"):
            event.assoc.acse.send_reject(*TRANSIENT)
            event.assoc.kill()

    def _store(self, event: evt.Event) -> int:
        if self._happens("refuses"):
            return REFUSED
        if self._happens("aborts"):
            event.assoc.abort()
            return 0xC001
        if self._happens("answers slowly"):
            time.sleep(self.slow_seconds)
        request: Any = event.request
        sha256 = digest(request.DataSet.getvalue())
        copy = {"uid": str(request.AffectedSOPInstanceUID), "sha256": sha256, "at": time.monotonic()}
        with self._guard:
            self._ledger.write(json.dumps(copy) + "\n")
            self._ledger.flush()
        return 0x0000
