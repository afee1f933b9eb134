"""DCMTK's programs as peers: servers on free ports in folders of their own, senders as one call each."""

import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.ports import free_port

needs_dcmtk = pytest.mark.skipif(shutil.which("storescp") is None, reason="DCMTK is not installed")
NO_NAGLE = {"TCP_NODELAY": "1"}  # DCMTK's programs leave Nagle's algorithm on without it

_LISTENS_SECONDS = 10.0
_SEND_SECONDS = 120.0


@contextmanager
def storescp(
    folder: Path,
    *options: str,
    environment: Mapping[str, str] = NO_NAGLE,
    port: int | None = None,
    writing: Sequence[str] = ("+B",),
) -> Iterator[int]:
    """`storescp` that writes what it gets into `folder`, bit by bit as it came; gives its port, free or as given."""
    folder.mkdir(parents=True, exist_ok=True)
    port = port or free_port()
    with _running(["storescp", *writing, "-od", str(folder), *options, str(port)], port, folder, environment):
        yield port


@contextmanager
def dcmqrscp(folder: Path, ae_title: str, peers: Mapping[str, int]) -> Iterator[int]:
    """`dcmqrscp` with one storage area; `peers` are the AE titles and ports it may move to on this host."""
    area = folder / "area"
    area.mkdir(parents=True, exist_ok=True)
    port = free_port()
    names = "\n".join(f"{name.lower()} = ({name}, 127.0.0.1, {peer_port})" for name, peer_port in peers.items())
    (folder / "dcmqrscp.cfg").write_text(
        f"NetworkTCPPort = {port}\nMaxPDUSize = 131072\nMaxAssociations = 16\n"
        f"HostTable BEGIN\n{names}\nHostTable END\nVendorTable BEGIN\nVendorTable END\n"
        f"AETable BEGIN\n{ae_title} {area} RW (200, 1024mb) ANY\nAETable END\n"
    )
    with _running(["dcmqrscp", "-c", str(folder / "dcmqrscp.cfg")], port, folder, NO_NAGLE):
        yield port


def storescu(
    port: int, paths: Sequence[Path], *options: str, called: str = "MICROPACS"
) -> subprocess.CompletedProcess[str]:
    """Send files with `storescu`; its exit status is not checked."""
    return _call(["storescu", "-aec", called, *options, "127.0.0.1", str(port), *map(str, paths)], NO_NAGLE)


class Storing:
    """`storescu` that is sending; `acknowledged` grows: the files that were answered with success."""

    def __init__(self, port: int, paths: Sequence[Path], *options: str, called: str = "MICROPACS") -> None:
        self.acknowledged: list[Path] = []
        self._process = subprocess.Popen(
            ["storescu", "-v", "-aec", called, *options, "127.0.0.1", str(port), *map(str, paths)],
            env=_environment(NO_NAGLE),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._listening = threading.Thread(target=self._listen, daemon=True)
        self._listening.start()

    def _listen(self) -> None:
        assert self._process.stderr is not None
        sending = Path()
        for line in self._process.stderr:
            if line.startswith(said := "I: Sending file: "):
                sending = Path(line[len(said) :].rstrip("\n"))
            elif line.startswith("I: Received Store Response (Success)"):
                self.acknowledged.append(sending)

    @property
    def is_over(self) -> bool:
        """Whether it has ended."""
        return self._process.poll() is not None

    def finish(self) -> list[Path]:
        """Wait for its end, however that is; what was acknowledged."""
        self._process.wait(_SEND_SECONDS)
        self._listening.join(_SEND_SECONDS)
        return self.acknowledged


def dcmsend(
    port: int,
    paths: Sequence[Path],
    *options: str,
    called: str = "MICROPACS",
    environment: Mapping[str, str] = NO_NAGLE,
) -> subprocess.CompletedProcess[str]:
    """Send files with `dcmsend`; its exit status is not checked."""
    return _call(["dcmsend", "-aec", called, *options, "127.0.0.1", str(port), *map(str, paths)], environment)


def echoscu(port: int, *options: str, called: str = "MICROPACS") -> bool:
    """True when the C-ECHO is answered with success within two seconds."""
    return (
        _call(
            ["echoscu", "-to", "2", "-ta", "2", "-td", "2", "-aec", called, *options, "127.0.0.1", str(port)], {}
        ).returncode
        == 0
    )


@contextmanager
def _running(command: Sequence[str], port: int, folder: Path, environment: Mapping[str, str]) -> Iterator[None]:
    """A server process from when it listens on `port` until the end of the block."""
    with (folder.parent / f"{command[0]}-{port}.log").open("wb") as output:
        process = subprocess.Popen(
            command, env=_environment(environment), stdout=output, stderr=subprocess.STDOUT, cwd=folder
        )
    try:
        _wait_until_listening(process, port)
        yield
    finally:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until_listening(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + _LISTENS_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"{process.args!r} ended with {process.returncode}")
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    raise RuntimeError(f"{process.args!r} does not listen")


def _call(command: Sequence[str], environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        env=_environment(environment),
        capture_output=True,
        text=True,
        errors="replace",
        timeout=_SEND_SECONDS,
        check=False,
    )


def _environment(extra: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name != "TCP_NODELAY"} | dict(extra)
