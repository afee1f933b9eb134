"""The systems beside ours: DCMTK's receiver and sender, Orthanc, and our own sender as a program. Measures nothing."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support import dcmtk, orthanc
from tests.support.appliance import REPOSITORY

NO_NAGLE: Mapping[str, str] = dcmtk.NO_NAGLE
AS_IT_COMES: Mapping[str, str] = {}
LARGEST_PDU = "131072"
ORTHANC_BEST: Mapping[str, object] = {"MaximumPduLength": int(LARGEST_PDU), "SaveJobs": False}


class MissingPeerError(Exception):
    """A program that is measured against is not installed: `make peers` installs it, or names what to install."""


class SendError(Exception):
    """A sender did not get all its instances accepted, so that its time means nothing."""


@dataclass(frozen=True, slots=True)
class Receiver:
    """A peer that takes C-STORE on the loopback; `folder` is where its files come to lie."""

    port: int
    folder: Path

    def clear(self) -> None:
        """Put aside what it has received.

        Nothing is removed while it is measured: an ext4 without journal passes over inodes freed in the last minutes,
        one by one, which costs everybody who makes files then.
        """
        aside = self.folder.with_name(f"{self.folder.name}-aside")
        aside.mkdir(exist_ok=True)
        for path in self.folder.iterdir():
            path.rename(aside / path.name)

    def received(self) -> int:
        """How many files it has, the one that is being written included."""
        with os.scandir(self.folder) as found:
            return sum(1 for _ in found)

    def arrivals(self) -> tuple[float, float]:
        """When it wrote its first and its last file's last byte (seconds since 1970)."""
        times = [path.stat().st_mtime_ns / 1e9 for path in self.folder.iterdir()]
        return min(times), max(times)


def check_installed() -> None:
    """Raise MissingPeerError with the names of the packages that are missing."""
    missing = [] if shutil.which("dcmsend") and shutil.which("storescp") else ["dcmtk (storescp, dcmsend)"]
    if orthanc.PROGRAM is None:
        missing.append("orthanc")
    if missing:
        raise MissingPeerError(f"not installed: {', '.join(missing)}. `make peers` installs them.")


@contextmanager
def storescp(folder: Path, *options: str, environment: Mapping[str, str] = NO_NAGLE) -> Iterator[Receiver]:
    """`storescp +B` with the largest PDU: it writes each data set as it comes, synchronises and indexes nothing."""
    with dcmtk.storescp(folder, "-pdu", LARGEST_PDU, *options, environment=environment) as port:
        yield Receiver(port, folder)


def orthanc_at_best(folder: Path) -> AbstractContextManager[orthanc.Orthanc]:
    """Orthanc with the largest PDU and Nagle's algorithm off."""
    return orthanc.orthanc(folder, ORTHANC_BEST, NO_NAGLE)


def orthanc_as_installed(folder: Path) -> AbstractContextManager[orthanc.Orthanc]:
    """Orthanc with the settings it comes with."""
    return orthanc.orthanc(folder, None, AS_IT_COMES)


def dcmsend(port: int, folder: Path, environment: Mapping[str, str] = NO_NAGLE) -> float:
    """Send all files below a folder over one association; the program's run time in seconds."""
    return finish(start_dcmsend(port, folder, environment))


@dataclass(slots=True)
class Sending:
    """A sender under way, and when it was started (monotonic seconds)."""

    process: subprocess.Popen[str]
    started: float


def start_dcmsend(port: int, folder: Path, environment: Mapping[str, str] = NO_NAGLE) -> Sending:
    """Start sending all files below a folder over one association."""
    command = ["dcmsend", "-aet", "SCANNER", "-aec", "MICROPACS", "+sd", "+r", "127.0.0.1", str(port), str(folder)]
    clean = {name: value for name, value in os.environ.items() if name != "TCP_NODELAY"}
    started = time.monotonic()
    process = subprocess.Popen(
        command, env={**clean, **environment}, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    return Sending(process, started)


def finish(sending: Sending) -> float:
    """Wait for the end of a sender; its run time in seconds. SendError where it was refused anything."""
    _, complaints = sending.process.communicate()
    seconds = time.monotonic() - sending.started
    if sending.process.returncode:
        raise SendError(f"dcmsend ended with {sending.process.returncode}: {complaints.strip()[-400:]}")
    return seconds


def own_sender(port: int, folder: Path) -> float:
    """Send all files below a folder with our own sender, a process of its own; seconds from connecting to releasing."""
    command = [sys.executable, "-m", "benchmarks.own_sender", str(port), str(folder)]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SendError(f"our own sender ended with {done.returncode}: {done.stderr.strip()[-400:]}")
    return float(json.loads(done.stdout)["seconds"])
