"""What holds for the whole run: its databases, its figures, and that what tests start keeps its compiled modules.

Hundreds of processes are started, and to compile everything takes longer than the rest of a start.
"""

import os

import pytest

from tests.support.databases import database, database_server, database_servers
from tests.support.figures import figures, note

__all__ = ["database", "database_server", "database_servers"]

os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> None:
    """With the report of a test goes what it has measured."""
    if call.when == "call":
        note(item)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """All that was measured, at the end of the run."""
    reports = [each for outcome in ("passed", "failed") for each in terminalreporter.stats.get(outcome, [])]
    if lines := sorted(figures(reports)):
        terminalreporter.section("figures")
        for line in lines:
            terminalreporter.write_line(line)
