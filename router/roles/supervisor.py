"""`micropacs serve`: owns the listening sockets, has one process of each role kept running, accepts configurations.

It moves no instance itself and holds no database connection while it runs.
"""

import signal
import socket
import sys
import threading
from pathlib import Path

import structlog

from router.config import Address, Configuration, ConfigurationError, SecretLostError, Snapshot, load
from router.locking import FileLock
from router.roles.children import Children
from router.roles.listening import ListenError, listen
from router.roles.watching import Watcher, watch_files
from rules import run_tests

LOOK_SECONDS = 0.1

log = structlog.get_logger(__name__)


class Supervisor:
    """Runs the appliance in the foreground until told to stop."""

    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration
        self._data = configuration.data
        self._snapshot = Snapshot(self._data)
        self._stop = threading.Event()
        self._reload = threading.Event()
        self._sockets: dict[str, socket.socket] = {}  # by the argument with which the receive role is handed them
        self._children = Children(self._data, self._sockets)
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
            self._children.start()
            listens = [str(address) for address in _addresses(self._configuration).values()]
            log.info("serving", listen=listens, revision=self._configuration.revision, data=str(self._data))
            self._watch()
        finally:
            if self._watcher is not None:
                self._watcher.stop()
            for listening in self._sockets.values():
                listening.close()
            self._children.drain()
            log.info("stopped")
            lock.release()

    def _watch(self) -> None:
        while not self._stop.wait(LOOK_SECONDS):
            if self._reload.is_set():
                self._reload.clear()
                self.reload()
            self._children.look_after()

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
        failed = [result for result in run_tests(configuration.ruleset) if not result.passed]
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
