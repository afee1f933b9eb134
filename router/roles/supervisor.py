"""`micropacs serve`: owns the listening sockets, keeps one process of each role running, and accepts configurations.

It moves no instance itself and holds no database connection while it runs.
"""

import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import structlog

from router.config import Address, Configuration, ConfigurationError, SecretLostError, Snapshot, load
from router.locking import FileLock
from router.roles.listening import ListenError, listen
from router.roles.watching import Watcher, watch_files

ROLES = ("receive", "work")
DRAIN_SECONDS = 25.0
FIRST_RESTART_SECONDS = 0.2
LONGEST_RESTART_SECONDS = 10.0
HEALTHY_SECONDS = 30.0
LOOK_SECONDS = 0.1

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Child:
    """One role's process and when to start it again."""

    role: str
    process: subprocess.Popen[bytes]
    started: float
    failures: int = 0
    due: float | None = None  # when (monotonic) to start it again; None while it is not known to have ended


class Supervisor:
    """Runs the appliance in the foreground until told to stop."""

    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration
        self._data = configuration.data
        self._snapshot = Snapshot(self._data)
        self._stop = threading.Event()
        self._reload = threading.Event()
        self._children: dict[str, _Child] = {}
        self._sockets: dict[str, socket.socket] = {}  # by the argument with which the receive role is handed them
        self._watcher: Watcher | None = None
        self._followed: frozenset[Path] = frozenset()

    def run(self) -> None:
        """Start the roles, restart those that die, reload on change; returns after a drained stop.

        Raises `LockedError` when the data folder is in use, `ListenError` when a port is, `SecretLostError` when the
        site's secret is gone and needed.
        """
        lock = FileLock(self._data / "locks" / "serve.lock")
        lock.acquire()
        if sys.platform != "win32":  # there sockets are handed to no child: the receive role binds its addresses itself
            self._listen()
        self._begin_with(self._configuration)
        signal.signal(signal.SIGTERM, lambda *_: self._stop.set())
        signal.signal(signal.SIGINT, lambda *_: self._stop.set())
        if hasattr(signal, "SIGHUP"):
            signal.signal(signal.SIGHUP, lambda *_: self._reload.set())
        try:
            self._follow_files()
            for role in ROLES:
                self._children[role] = self._start(role)
            listens = [str(address) for address in _addresses(self._configuration).values()]
            log.info("serving", listen=listens, revision=self._configuration.revision, data=str(self._data))
            self._watch()
        finally:
            if self._watcher is not None:
                self._watcher.stop()
            for listening in self._sockets.values():
                listening.close()
            self._drain()
            lock.release()

    def _watch(self) -> None:
        while not self._stop.wait(LOOK_SECONDS):
            if self._reload.is_set():
                self._reload.clear()
                self.reload()
            for child in list(self._children.values()):
                if child.process.poll() is not None:
                    self._look_after(child)

    def reload(self) -> bool:
        """Load the configuration file again and hand it to the roles; a bad one changes nothing. True if accepted."""
        before = self._configuration
        try:
            configuration = load(before.path)
        except ConfigurationError as error:
            for problem in error.problems:
                log.error("configuration refused, the last good one stays", problem=str(problem))  # noqa: TRY400
            self._follow_files(*error.files)
            return False
        if configuration.revision == before.revision:
            return True
        failed = [result for result in configuration.ruleset.run_tests() if not result.passed]
        for result in failed:  # in what way may quote a lookup table, whose values are patients'
            log.error("configuration refused, its test fails", test=result.name, see="micropacs test")
        if failed:
            self._follow_files(*configuration.files)
            return False
        for name in _needing_a_start(before, configuration):
            log.warning("this setting takes effect only when the appliance is started again", setting=name)
        try:
            (self._data / "locks").stat()  # no folder is made where the data folder's disk is not mounted
            self._snapshot.write(configuration)
        except OSError as error:
            log.error("configuration refused, it cannot be written to the data folder", reason=error.strerror)  # noqa: TRY400
            return False
        except SecretLostError as error:
            log.error("configuration refused", reason=str(error), what_to_do=error.hint)  # noqa: TRY400
            self._follow_files(*configuration.files)
            return False
        self._configuration = configuration
        self._follow_files()
        log.info("configuration accepted", revision=configuration.revision)
        return True

    def _begin_with(self, configuration: Configuration) -> None:
        """Put it in force. A full disk is no reason not to start with what was in force before."""
        try:
            self._snapshot.write(configuration)
        except OSError:
            if self._snapshot.read().revision != configuration.revision:
                raise

    def _follow_files(self, *refused: Path) -> None:
        """Reload whenever one of the files of the configuration in force changes, or of the one that was refused."""
        files = frozenset((*self._configuration.files, *refused))
        if files == self._followed:
            return
        if self._watcher is not None:
            self._watcher.stop()
        try:
            self._watcher = watch_files(files, self._reload.set)
        except OSError as error:
            self._watcher, self._followed = None, frozenset()
            log.warning("files of the configuration cannot be watched, load them by SIGHUP", reason=error.strerror)
            return
        self._followed = files
        self._reload.set()  # what changed before they were watched

    def _listen(self) -> None:
        try:
            for argument, address in _addresses(self._configuration).items():
                self._sockets[argument] = listen(address)
        except ListenError:
            for listening in self._sockets.values():
                listening.close()
            raise

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
        self._children[child.role] = again

    def _drain(self) -> None:
        """Tell every role to finish what it does; end those that do not within the time."""
        for child in self._children.values():
            if child.process.stdin:
                child.process.stdin.close()
        deadline = time.monotonic() + DRAIN_SECONDS
        for child in self._children.values():
            try:
                child.process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                log.warning("role does not stop, it is ended", ended=child.role)
                child.process.kill()
                child.process.wait()
        log.info("stopped")


def _addresses(configuration: Configuration) -> dict[str, Address]:
    """Where to listen, by the argument with which the receive role is handed the socket."""
    appliance = configuration.settings.appliance
    addresses = {"--socket": appliance.listen}
    if appliance.tls is not None and appliance.tls.listen is not None:
        addresses["--tls-socket"] = appliance.tls.listen
    return addresses


def _needing_a_start(before: Configuration, after: Configuration) -> list[str]:
    """The settings that differ, and that are looked at only when the appliance starts."""
    old, new = before.settings.appliance, after.settings.appliance
    names = [f"appliance.{name}" for name in ("listen", "data", "database") if getattr(old, name) != getattr(new, name)]
    if _addresses(before).get("--tls-socket") != _addresses(after).get("--tls-socket"):
        names.append("appliance.tls.listen")
    return names


def rest_seconds(failures: int, ran_seconds: float = 0.0) -> float:
    """How long a role that failed so often in a row, the last time after so long, rests before it is started again.

    So it starts no more often than every so many seconds; one that ran for longer than that does not rest.
    """
    between = min(FIRST_RESTART_SECONDS * 2 ** min(failures, 16), LONGEST_RESTART_SECONDS) if failures > 1 else 0.0
    return max(0.0, between - ran_seconds)
