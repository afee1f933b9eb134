"""A pynetdicom scanner as a process: sends the files of a folder with their own bytes and tells every status."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.support.appliance import REPOSITORY


class Scanner:
    """A scanner that is sending; `finish` waits for its end."""

    def __init__(self, port: int, folder: Path, calling: str = "SCANNER") -> None:
        to = f"127.0.0.1:{port}"
        titles = ["--called", "MICROPACS", "--calling", calling]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "router.demo.scanner", "--to", to, *titles, str(folder)],
            cwd=REPOSITORY,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def finish(self, seconds: float = 120) -> list[dict[str, Any]]:
        """One mapping an instance, with `sop_instance_uid` and `status` (None: no answer came)."""
        output, _ = self._process.communicate(timeout=seconds)
        lines = [json.loads(line) for line in output.splitlines()]
        return [line for line in lines if "sop_instance_uid" in line]
