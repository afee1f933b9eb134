"""The processes of the roles: started, started again when they die, and drained at the end. Knows no configuration."""

import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import structlog

ROLES = ("receive", "work")
DRAIN_SECONDS = 25.0
FIRST_RESTART_SECONDS = 0.2
LONGEST_RESTART_SECONDS = 10.0
HEALTHY_SECONDS = 30.0

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Child:
    """One role's process and when to start it again."""

    role: str
    process: subprocess.Popen[bytes]
    started: float
    failures: int = 0
    due: float | None = None  # when (monotonic) to start it again; None while it is not known to have ended


class Children:
    """One process a role, all of one data folder."""

    def __init__(self, data: Path, sockets: Mapping[str, socket.socket]) -> None:
        """`sockets` are handed to the receive role, each by the argument that is its key."""
        self._data = data
        self._sockets = sockets
        self._by_role: dict[str, _Child] = {}

    def start(self) -> None:
        """Start one of each."""
        for role in ROLES:
            self._by_role[role] = self._start(role)

    def look_after(self) -> None:
        """Start again what has ended, when its time has come; none waits for another."""
        for child in list(self._by_role.values()):
            if child.process.poll() is not None:
                self._look_after(child)

    def drain(self) -> None:
        """Tell every role to finish what it does; end those that do not within the time."""
        for child in self._by_role.values():
            if child.process.stdin:
                child.process.stdin.close()
        deadline = time.monotonic() + DRAIN_SECONDS
        for child in self._by_role.values():
            try:
                child.process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                log.warning("role does not stop, it is ended", ended=child.role)
                child.process.kill()
                child.process.wait()

    def _start(self, role: str) -> _Child:
        command = [sys.executable, "-m", "router.starting", f"router.roles.{role}", "--data", str(self._data)]
        descriptors = {argument: sock.fileno() for argument, sock in self._sockets.items() if role == "receive"}
        for argument, descriptor in descriptors.items():
            command += [argument, str(descriptor)]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, pass_fds=list(descriptors.values()))
        return _Child(role, process, time.monotonic())

    def _look_after(self, child: _Child) -> None:
        """Start a role that has ended again, when its time has come; the other roles do not wait for that."""
        now = time.monotonic()
        if child.due is None:
            child.failures = 0 if now - child.started > HEALTHY_SECONDS else child.failures + 1
            wait = rest_seconds(child.failures, now - child.started)
            child.due = now + wait
            log.error(
                "role ended, it is started again",
                ended=child.role,
                status=child.process.returncode,
                wait_seconds=round(wait, 1),
            )
        if now < child.due:
            return
        try:
            again = self._start(child.role)
        except OSError as error:  # no process or memory left just now
            child.failures += 1
            child.due = now + rest_seconds(child.failures)
            log.error("role cannot be started, trying again", role_to_start=child.role, reason=error.strerror)  # noqa: TRY400
            return
        again.failures = child.failures
        self._by_role[child.role] = again


def rest_seconds(failures: int, ran_seconds: float = 0.0) -> float:
    """How long a role that failed so often in a row, the last time after so long, rests before it is started again.

    So it starts no more often than every so many seconds; one that ran for longer than that does not rest.
    """
    between = min(FIRST_RESTART_SECONDS * 2 ** min(failures, 16), LONGEST_RESTART_SECONDS) if failures > 1 else 0.0
    return max(0.0, between - ran_seconds)
