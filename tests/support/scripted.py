"""Peers that answer as told: pynetdicom servers that reject, refuse, abort, or take only some syntaxes."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from pynetdicom import AE, _config, evt
from pynetdicom.presentation import build_context

ALL_SYNTAXES = (
    "1.2.840.10008.1.2",
    "1.2.840.10008.1.2.1",
    "1.2.840.10008.1.2.2",
    "1.2.840.10008.1.2.4.70",
    "1.2.840.10008.1.2.4.90",
    "1.2.840.10008.1.2.5",
)


@dataclass
class Script:
    """What the peer does and what it saw.

    `answer` gives the status of the n-th C-STORE (from 1); None aborts the association instead. `rejects` is how many
    associations are rejected first, with (result, source, reason) of `rejection`.
    """

    answer: Callable[[int], int | None] = lambda _: 0x0000
    syntaxes: Sequence[str] = ALL_SYNTAXES
    rejects: int = 0
    rejection: tuple[int, int, int] = (2, 3, 1)
    requests: list[str] = field(default_factory=list)
    stored: dict[str, bytes] = field(default_factory=dict)
    syntax_of: dict[str, str] = field(default_factory=dict)
    associations: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)


@contextmanager
def scripted(script: Script, sop_classes: Sequence[str], port: int = 0) -> Iterator[int]:
    """A running peer; gives its port."""
    _config.UNRESTRICTED_STORAGE_SERVICE = False
    ae = AE("SCRIPTED")
    ae.maximum_pdu_size = 0
    ae.maximum_associations = 50
    ae.supported_contexts = [build_context(sop_class, list(script.syntaxes)) for sop_class in sop_classes]

    def requested(event: evt.Event) -> None:
        with script.lock:
            script.associations += 1
            rejected = script.associations <= script.rejects
        if rejected:
            event.assoc.acse.send_reject(*script.rejection)
            event.assoc.kill()

    def store(event: evt.Event) -> int:
        request: Any = event.request
        uid = str(request.AffectedSOPInstanceUID)
        with script.lock:
            script.requests.append(uid)
            status = script.answer(len(script.requests))
        if status is None:
            event.assoc.abort()
            return 0xC001
        if status == 0 or status & 0xF000 == 0xB000:
            script.stored[uid] = event.encoded_dataset(include_meta=False)
            script.syntax_of[uid] = str(event.context.transfer_syntax)
        return status

    server = ae.start_server(
        ("127.0.0.1", port), block=False, evt_handlers=[(evt.EVT_REQUESTED, requested), (evt.EVT_C_STORE, store)]
    )
    try:
        yield server.socket.getsockname()[1]
    finally:
        server.shutdown()
