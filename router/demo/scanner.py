"""A scanner for the demonstration: sends a folder of DICOM files over one association; no part of the appliance.

A third party's stack (pynetdicom) is at this end on purpose. Run as `python -m router.demo.scanner`; it prints one JSON
line per instance and one at the end: {"sent", "failed", "seconds"}, with "error" if there was no association. Exit code
0 if every instance was accepted, else 1, or 2 if the folder holds no DICOM file.
"""

import argparse
import json
import socket
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydicom.errors import InvalidDicomError
from pydicom.filereader import read_file_meta_info
from pynetdicom import AE, _config, evt
from pynetdicom.association import Association


@dataclass(frozen=True, slots=True)
class _Sendable:
    """A Part 10 file and what its group 2 says."""

    path: Path
    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str


def send_folder(host: str, port: int, called: str, calling: str, folder: Path) -> int:
    """Send every DICOM file under `folder`, in order of name; the exit code."""
    sendables = list(_sendables(folder))
    if not sendables:
        _say({"error": "no DICOM file in the folder", "sent": 0, "failed": 0})
        return 2
    _config.STORE_SEND_CHUNKED_DATASET = True  # the file's own bytes are sent, never decoded
    ae = AE(calling)
    for sop_class_uid, transfer_syntax_uid in sorted({(s.sop_class_uid, s.transfer_syntax_uid) for s in sendables}):
        ae.add_requested_context(sop_class_uid, transfer_syntax_uid)
    started = time.monotonic()
    association = ae.associate(
        host, port, ae_title=called, max_pdu=0, evt_handlers=[(evt.EVT_CONN_OPEN, _send_at_once)]
    )
    if not association.is_established:
        error = "association rejected" if association.is_rejected else "no association"
        _say({"error": error, "sent": 0, "failed": len(sendables)})
        return 1
    failed = sum(not _send(association, sendable, number) for number, sendable in enumerate(sendables, start=1))
    if association.is_established:
        association.release()
    _say({"sent": len(sendables) - failed, "failed": failed, "seconds": round(time.monotonic() - started, 3)})
    return 1 if failed else 0


def _let_reactor_wake(association: Association) -> None:
    """Wait until pynetdicom's reactor runs again after a request, and so can be put to sleep for the next one.

    Where the next request is faster than the reactor wakes, the reactor takes its response for itself, and the request
    waits in vain. The library has no public way to ask.
    """
    while association.is_established and association._is_paused:  # noqa: SLF001
        time.sleep(0.0005)


def _send(association: Association, sendable: _Sendable, number: int) -> bool:
    """Send one instance and print its status; a status of 0000 or B0xx is accepted (PS3.4 B.2.3)."""
    line: dict[str, Any] = {"sop_instance_uid": sendable.sop_instance_uid, "status": None}
    try:
        answer = association.send_c_store(sendable.path, msg_id=number % 65535 + 1)
        line["status"] = answer.get("Status")
    except (ValueError, RuntimeError, OSError) as error:
        # No accepted context for it, the association is gone, or the file cannot be read.
        line["error"] = type(error).__name__
    _say(line)
    _let_reactor_wake(association)
    status = line["status"]
    return status is not None and (status == 0 or status & 0xF000 == 0xB000)


def _sendables(folder: Path) -> Iterator[_Sendable]:
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        try:
            meta = read_file_meta_info(path)
            yield _Sendable(
                path,
                str(meta.MediaStorageSOPClassUID),
                str(meta.MediaStorageSOPInstanceUID),
                str(meta.TransferSyntaxUID),
            )
        except (InvalidDicomError, AttributeError):
            _say({"skipped": path.name, "error": "no DICOM file"})


def _send_at_once(event: evt.Event) -> None:
    """Without this, each small message waits 40 ms for the peer's delayed acknowledgement."""
    transport = event.assoc.dul.socket
    if transport is not None and transport.socket is not None:
        transport.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _say(line: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def main(arguments: Sequence[str] | None = None) -> int:
    """The command: --to HOST:PORT --called AE --calling AE FOLDER."""
    parser = argparse.ArgumentParser(
        prog="python -m router.demo.scanner", description="Send a folder as a scanner does."
    )
    parser.add_argument("--to", required=True, metavar="HOST:PORT")
    parser.add_argument("--called", required=True, metavar="AE")
    parser.add_argument("--calling", required=True, metavar="AE")
    parser.add_argument("folder", type=Path)
    chosen = parser.parse_args(arguments)
    host, _, port = chosen.to.rpartition(":")
    if not host or not port.isdigit():
        parser.error("--to is HOST:PORT")
    return send_folder(host.strip("[]"), int(port), chosen.called, chosen.calling, chosen.folder)


if __name__ == "__main__":
    sys.exit(main())
