"""Orthanc as a PACS: a process on free ports in a folder of its own, asked over its REST API."""

import json
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.dcmtk import NO_NAGLE
from tests.support.ports import free_port

PROGRAM = shutil.which("Orthanc") or shutil.which("Orthanc", path="/usr/sbin:/usr/local/sbin")
needs_orthanc = pytest.mark.skipif(PROGRAM is None, reason="Orthanc is not installed")
_STARTS_SECONDS = 30.0


@dataclass
class Orthanc:
    """A running Orthanc: its AE title is ORTHANC."""

    port: int
    http_port: int

    def get(self, path: str) -> bytes:
        """What the REST API answers."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.http_port}{path}", timeout=30) as answer:
            return bytes(answer.read())

    def post(self, path: str, content: bytes) -> bytes:
        """What the REST API answers to content it is given; HTTPError where it fails."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.http_port}{path}", content)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return bytes(answer.read())

    def instances(self) -> list[str]:
        """Orthanc's own identifiers of all instances."""
        return list(json.loads(self.get("/instances")))

    def tags(self, instance: str) -> dict[str, Any]:
        """The attributes of one instance by keyword."""
        return dict(json.loads(self.get(f"/instances/{instance}/simplified-tags")))

    def file(self, instance: str) -> bytes:
        """The Part 10 file of one instance."""
        return self.get(f"/instances/{instance}/file")


@contextmanager
def orthanc(
    folder: Path, settings: Mapping[str, object] | None = None, environment: Mapping[str, str] = NO_NAGLE
) -> Iterator[Orthanc]:
    """An Orthanc that takes everything from everybody on the loopback."""
    folder.mkdir(parents=True, exist_ok=True)
    running = Orthanc(free_port(), free_port())
    configuration = {
        "Name": "test",
        "StorageDirectory": str(folder / "storage"),
        "IndexDirectory": str(folder / "storage"),
        "DicomAet": "ORTHANC",
        "DicomPort": running.port,
        "HttpPort": running.http_port,
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": False,
        "DicomCheckCalledAet": False,
        "UnknownSopClassAccepted": True,
        "Plugins": [],
        **(settings or {}),
    }
    (folder / "orthanc.json").write_text(json.dumps(configuration))
    with (folder / "orthanc.log").open("wb") as output:
        process = subprocess.Popen(
            [str(PROGRAM), str(folder / "orthanc.json")],
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", **environment},
        )
    try:
        _wait(process, running)
        yield running
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(process: subprocess.Popen[bytes], running: Orthanc) -> None:
    deadline = time.monotonic() + _STARTS_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"Orthanc ended with {process.returncode}")
        try:
            running.get("/system")
        except (OSError, urllib.error.URLError):
            time.sleep(0.1)
        else:
            return
    raise RuntimeError("Orthanc does not answer")
