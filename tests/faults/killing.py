"""Roles of one data folder, each a process of its own without a supervisor, killed or failing at a chosen system call.

The calls are counted by `killing.c` and `reading.c`, over all threads of the process. The processes are forked off one
that has imported what they need, so that a start takes no second.
"""

import ctypes
import importlib
import multiprocessing
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from router.config import Snapshot, load
from tests.support.appliance import RunningAppliance, wait_until

_SOURCES = [Path(__file__).with_name(name) for name in ("killing.c", "reading.c")]
_COMPILER = next(filter(None, map(shutil.which, ("cc", "gcc", "clang"))), None)
_PRELOADED = ["router.roles.receive", "router.roles.work", "alembic.command", "tests.faults.killing"]
_SECONDS = 60.0
needs_compiler = pytest.mark.skipif(
    _COMPILER is None or sys.platform != "linux", reason="it takes Linux and a C compiler to count a role's calls"
)


@dataclass(frozen=True)
class Fault:
    """Before which of its calls a role dies, counted from 1, 0 for none; or, of those that write, half-way in which.

    With an `error` the call gives that instead, and the role goes on; half-way, the one after it does.
    With `reads` it is one of those that read files with this in their path, of the data folder; and all that read the
    same one fail for so many `seconds` then, or until `Roles.heal`.
    """

    at: int = 0
    is_halfway: bool = False
    error: int = 0
    reads: str | None = None
    seconds: float = 0.0


class Roles(RunningAppliance):
    """An appliance whose roles are started, to die or not, and ended one by one; asked as a whole one is."""

    def __init__(self, folder: Path, yaml: str) -> None:
        super().__init__(folder, yaml)
        self._calls = folder / "calls"
        self._healed = folder / "calls.healed"
        self._running: dict[str, tuple[multiprocessing.process.BaseProcess, Connection]] = {}
        self._ends_with: dict[str, int | None] = {}
        self._context = multiprocessing.get_context("forkserver")
        self.data.mkdir()
        Snapshot(self.data).write(load(self.file))

    def begin(self, role: str, fault: Fault | None = None) -> None:
        """Start a role, to be befallen as said; receive listens then, or has ended."""
        self._healed.unlink(missing_ok=True)
        there, leash = multiprocessing.Pipe(duplex=False)
        arguments = (role, self.data, self.log, there, self._calls, fault)
        process = self._context.Process(target=_live, args=arguments)
        process.start()
        there.close()
        self._running[role] = (process, leash)
        self._ends_with[role] = None if fault is None else 1 if fault.error else -9
        if role == "receive":
            wait_until(lambda: self._answers() or self.has_failed(role), _SECONDS, "the receive role to listen")

    def heal(self) -> None:
        """End a fault that lasts."""
        self._healed.touch()

    def runs(self, role: str) -> bool:
        """Whether it was begun and has not ended."""
        return role in self._running and self._running[role][0].exitcode is None

    def has_failed(self, role: str) -> bool:
        """Whether it was begun and its fault ended it; it ends of nothing else, unless it is told to."""
        status = self._running[role][0].exitcode if role in self._running else None
        assert status in {None, 0, self._ends_with.get(role)}, self.log.read_text()[-4000:]
        return bool(status)

    def end(self, role: str) -> None:
        """Let a role drain and end."""
        process, leash = self._running[role]
        leash.close()
        process.join(_SECONDS)
        process.kill()

    def stop(self) -> int:
        """End those that run."""
        for role in filter(self.runs, list(self._running)):
            self.end(role)
        return 0

    def has_tables(self) -> bool:
        """Whether the work role has made the database."""
        return self._has_tables()

    def calls(self) -> list[str]:
        """The names of the calls of the role that was to be befallen last, in their order."""
        return [line.partition(" ")[2] for line in self._calls.read_text().splitlines()]


def compiled(folder: Path, source: str = "") -> Path:
    """The library that counts, kills and fails, or one of this source, to be preloaded."""
    library = folder / ("given.so" if source else "killing.so")
    assert _COMPILER is not None
    sources = ["-x", "c", "-"] if source else [str(each) for each in _SOURCES]
    command = [_COMPILER, "-O1", "-shared", "-fPIC", "-o", str(library), *sources, "-ldl"]
    subprocess.run(command, input=source, text=True, check=True)
    return library


def prepare(folder: Path) -> None:
    """Start the process that the roles are forked off, once, with what kills."""
    library = compiled(folder)
    multiprocessing.set_forkserver_preload(_PRELOADED)
    os.environ["LD_PRELOAD"] = str(library)
    try:
        first = multiprocessing.get_context("forkserver").Process(target=_nothing)
        first.start()
        first.join()
    finally:
        del os.environ["LD_PRELOAD"]


def _nothing() -> None:
    """What the first process does."""


def _live(role: str, data: Path, log: Path, leash: Connection, calls: Path, fault: Fault | None) -> None:
    """Be this role, as its program is."""
    os.dup2(leash.fileno(), 0)
    leash.close()
    with log.open("ab") as output:
        os.dup2(output.fileno(), 1)
        os.dup2(output.fileno(), 2)
    if fault is not None:
        _arm(fault, os.fsencode(calls), os.fsencode(data))
    sys.stdin, sys.argv = os.fdopen(0, closefd=False), [role, "--data", str(data)]
    importlib.import_module(f"router.roles.{role}").main()


def _arm(fault: Fault, calls: bytes, data: bytes) -> None:
    """From here on calls are counted, and listed in `calls`."""
    library = ctypes.CDLL(None)
    if fault.reads is None:
        library.arm(calls, fault.at, fault.is_halfway, fault.error, data)
    else:
        seconds = ctypes.c_double(fault.seconds)
        library.arm_reads(calls, fault.at, fault.error, data, os.fsencode(fault.reads), seconds)
