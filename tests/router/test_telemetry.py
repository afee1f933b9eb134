"""Logging: where and what failed, never whom it was about."""

import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
SCRIPT = """
import logging, warnings
import structlog
from archive import ArchiveFullError
from router.telemetry import start_logging
start_logging("work", json_lines=JSON)
log = structlog.get_logger()
def failing():
    try:
        raise ArchiveFullError
    except ArchiveFullError as error:
        raise ValueError("cannot encode 'DOE^JOHN'") from error
try:
    failing()
except ValueError:
    log.exception("rules failed", arrival="00aa")
    logging.getLogger("apscheduler").exception("a library's line")
warnings.warn("Invalid value for VR PN: 'DOE^JOHN'")
logging.getLogger("pydicom").warning("Invalid value for VR PN: 'DOE^JOHN'")
"""


def _logged(*, json_lines: bool) -> str:
    script = SCRIPT.replace("JSON", str(json_lines))
    done = subprocess.run([sys.executable, "-c", script], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    return done.stderr


def test_an_exception_is_told_without_the_text_of_strangers() -> None:
    """Kind and place of an exception and its causes are logged, and texts of our own; no text that may quote a name."""
    for json_lines in (False, True):
        logged = _logged(json_lines=json_lines)
        assert "DOE^JOHN" not in logged
        assert logged.count("builtins.ValueError") == 2
        assert logged.count("archive.errors.ArchiveFullError: The disk of the archive is short of space") == 2
        assert "in failing" in logged
        assert "rules failed" in logged
        assert "a library's line" in logged
