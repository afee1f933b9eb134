"""SIGTERM while four scanners send and a slow destination takes: it ends in time, loses nothing, and goes on later.

`MICROPACS_EVERY_POINT=1` says it once as well as twice.
"""

import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import pytest

from tests.faults.site import FILED, Site, site
from tests.support.appliance import wait_until
from tests.support.dcmtk import needs_dcmtk, storescp
from tests.support.extent import extent
from tests.support.figures import figure
from tests.support.servers import PostgreSql, Server, hanging, locked

pytestmark = [needs_dcmtk, pytest.mark.peer, pytest.mark.slow, pytest.mark.timeout(900)]

STOP_SECONDS = 25.0  # as the documentation has it; service managers and Docker are told to give twice as much
SLOW = ("--sleep-after", "1")  # storescp: seconds after each instance, before it is answered
REST_SECONDS = 0.25  # of each scanner between two studies
AWAY_SECONDS = 1.0  # before it is told to stop


def _terminated(there: Site, times: int = 1) -> float:
    """SIGTERM, so often; the seconds until it has ended, with 0 and without leaving a role behind."""
    process = there.appliance.process
    assert process is not None
    roles = there.appliance.roles()
    began = time.monotonic()
    for _ in range(times):
        process.send_signal(signal.SIGTERM)
        time.sleep(0.2)
    assert process.wait(STOP_SECONDS + 30) == 0
    seconds = time.monotonic() - began
    assert all(not Path(f"/proc/{pid}").exists() for pid in roles.values())
    assert seconds < STOP_SECONDS, f"it took {seconds:.1f} s to stop"
    assert "it is ended" not in there.appliance.log.read_text(), "a role had to be killed"
    return seconds


def _go_on(there: Site, seconds: float, what: str) -> None:
    """The next start files and delivers all that was acknowledged before, and nothing twice that was answered."""
    there.appliance.start()
    drained = there.drain()
    verdict = there.check()
    figure(
        f"{what}: ended after {seconds:.1f} s, n = {verdict.acknowledged} acknowledged, {verdict.told()}, "
        f"{verdict.sent_again} sent again, {drained:.1f} s to drain after the next start"
    )


@pytest.mark.parametrize("times", extent([2], [1, 2]))
def test_stop_under_load(tmp_path: Path, times: int) -> None:
    """Once or twice, with an instance on its way to a slow destination and four scanners in the middle of theirs."""
    with ExitStack() as slow:
        port = slow.enter_context(storescp(tmp_path / "reading", *SLOW))
        with site(tmp_path, reading=port) as there:
            with there.scanners(REST_SECONDS):
                wait_until(lambda: there.count(FILED) > 20, 60, "instances to be filed")
                wait_until(lambda: list((tmp_path / "reading").iterdir()), 60, "an instance to be on its way")
                seconds = _terminated(there, times)
            slow.close()
            with storescp(tmp_path / "reading", port=port):
                _go_on(there, seconds, f"SIGTERM {times} times")


def test_stop_while_the_database_is_away(tmp_path: Path) -> None:
    """Gone, or hanging so that nobody knows, from before the start on as well: it ends in time, the next finds all."""
    with closing(PostgreSql(tmp_path)) as server, site(tmp_path, server.url) as there:
        for how, away in (("gone", _stopped), ("hanging", hanging)):
            filed = there.count(FILED)
            with there.scanners(REST_SECONDS):
                wait_until(lambda filed=filed: there.count(FILED) > filed + 20, 60, "instances to be filed")
                with away(server):
                    time.sleep(AWAY_SECONDS)
                    seconds = _terminated(there)
            _go_on(there, seconds, f"database {how}")
        _terminated(there)
        with hanging(server):
            there.appliance.start()
            time.sleep(AWAY_SECONDS)
            seconds = _terminated(there)
        _go_on(there, seconds, "database hanging since before the start")


def test_stop_while_the_database_is_locked(tmp_path: Path) -> None:
    """The same where another program has the embedded database locked."""
    with site(tmp_path) as there:
        with there.scanners(REST_SECONDS):
            wait_until(lambda: there.count(FILED) > 20, 60, "instances to be filed")
            with locked(there.appliance.data / "micropacs.db"):
                time.sleep(AWAY_SECONDS)
                seconds = _terminated(there)
        _go_on(there, seconds, "database locked")


@contextmanager
def _stopped(server: Server) -> Iterator[None]:
    server.stop()
    try:
        yield
    finally:
        server.start()
