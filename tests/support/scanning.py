"""A pynetdicom scanner as a process: sends the files of a folder with their own bytes and tells every status."""

import json
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from tests.support.appliance import REPOSITORY, wait_until


class Scanner:
    """A scanner that is sending. `answers` grows: one mapping an instance, `status` is None where no answer came."""

    def __init__(self, port: int, folder: Path, calling: str = "SCANNER") -> None:
        to = f"127.0.0.1:{port}"
        titles = ["--called", "MICROPACS", "--calling", calling]
        self.answers: list[dict[str, Any]] = []
        self._process = subprocess.Popen(
            [sys.executable, "-m", "router.starting", "router.demo.scanner", "--to", to, *titles, str(folder)],
            cwd=REPOSITORY,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self._listening = threading.Thread(target=self._listen, daemon=True)
        self._listening.start()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            told = json.loads(line)
            if "sop_instance_uid" in told:
                self.answers.append(told)

    def wait_for_first_answer(self) -> None:
        """Until something was answered, or there is nothing more to wait for."""
        wait_until(lambda: self.answers or self._process.poll() is not None, 30, "a first answer to the scanner")

    def finish(self, seconds: float = 120) -> list[dict[str, Any]]:
        """Wait for its end; all answers."""
        self._process.wait(seconds)
        self._listening.join(seconds)
        return self.answers
