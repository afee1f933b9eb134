"""Starts the demonstration's other parties as processes of their own and listens to the JSON lines they print."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from router.errors import RouterError

LAST_WORD_SECONDS = 40.0


class DemoError(RouterError):
    """The demonstration cannot go on."""


class Child:
    """A process with the lines it has printed so far, each a JSON object with the time it came (`at`, monotonic)."""

    def __init__(self, module: str, arguments: Sequence[str], log: Path, *, json_lines: bool = True) -> None:
        self.lines: list[dict[str, Any]] = []
        self._log = log
        with log.open("ab") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "router.starting", module, *arguments],
                stdout=subprocess.PIPE if json_lines else errors,
                stderr=errors,
            )
        if json_lines:
            threading.Thread(target=self._listen, name=module, daemon=True).start()

    def _listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append({**json.loads(line), "at": time.monotonic()})

    def said(self, key: str) -> list[dict[str, Any]]:
        """The lines that have this key."""
        return [line for line in list(self.lines) if key in line]

    def wait_for(self, condition: Callable[[], object], seconds: float, what: str) -> None:
        """Wait until `condition` holds; `DemoError` naming `what` if it does not, or if this process ends first."""
        deadline = time.monotonic() + seconds
        while not condition():
            if self.process.poll() is not None:
                raise DemoError(f"{what}: the process ended with {self.process.returncode}; see {self._log}")
            if time.monotonic() > deadline:
                raise DemoError(f"{what}: nothing for {seconds:.0f} s; see {self._log}")
            time.sleep(0.05)

    def end(self) -> None:
        """Ask it to end, and make sure it has."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(LAST_WORD_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
