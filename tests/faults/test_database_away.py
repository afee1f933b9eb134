"""PostgreSQL and MariaDB stopped, cut, hanging and gone under four scanners, which notice nothing; nothing is lost.

`MICROPACS_AWAY_SECONDS=600` lets the server be gone for ten minutes while the scanners send as fast as they can, or
rest for `MICROPACS_REST_SECONDS` between two studies. `MICROPACS_EVERY_POINT=1` does all of it to both servers.
"""

import os
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.faults.site import FILED, Site, site
from tests.support.appliance import wait_until
from tests.support.dcmtk import needs_dcmtk
from tests.support.extent import extent
from tests.support.figures import figure
from tests.support.servers import MariaDb, PostgreSql, Server, end_connections, hanging

pytestmark = [needs_dcmtk, pytest.mark.peer, pytest.mark.slow, pytest.mark.timeout(4 * 3600)]

SERVERS = {"postgresql": PostgreSql, "mariadb": MariaDb}
AWAY_SECONDS = float(os.environ.get("MICROPACS_AWAY_SECONDS", extent(0, 600)))
SHORT_SECONDS = {"postgresql": 15.0, "mariadb": 5.0}
REST_SECONDS = float(os.environ.get("MICROPACS_REST_SECONDS", "0" if AWAY_SECONDS else "0.25"))
HANG_SECONDS = 3.0
CUTS = 5
SLOWEST_SECONDS = 5.0  # of one answer, on a machine that does other work as well


@pytest.fixture
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    """A server of the kind that is named."""
    with closing(SERVERS[request.param](tmp_path)) as server:
        yield server


def _assert_unnoticed(there: Site, usual: tuple[int, float, float], meanwhile: tuple[int, float, float]) -> None:
    """Every answer is Success, no association was refused, and none was waited for much longer than usual."""
    assert set(there.answers()) == {0}
    print(f"answers, median and longest wait: {usual} as usual, {meanwhile} meanwhile")
    assert meanwhile[1] < 5 * usual[1] + 0.02
    assert meanwhile[2] < SLOWEST_SECONDS


@pytest.mark.parametrize("server", extent(["postgresql"], [*SERVERS]), indirect=True)
def test_stopped_cut_and_hanging(server: Server, tmp_path: Path) -> None:
    """Stopped at once and started, connections ended in transactions, hanging for seconds: scanners notice nothing."""
    with site(tmp_path, server.url) as there:
        with there.scanners(REST_SECONDS):
            wait_until(lambda: there.count(FILED) > 50, 30, "instances to be filed")
            began = time.monotonic()
            server.stop()
            server.start()
            ended = 0
            for _ in range(CUTS):
                filed = there.count(FILED)
                wait_until(lambda filed=filed: there.count(FILED) > filed, 30, "filing to go on")
                ended += end_connections(server)
            assert ended >= CUTS
            with hanging(server):
                hung = time.monotonic()
                time.sleep(HANG_SECONDS)
                meanwhile = there.seconds(hung, time.monotonic())
            usual = there.seconds(0, began)
        seconds = there.drain()
        _assert_unnoticed(there, usual, meanwhile)
        verdict = there.check()
        figure(
            f"n = {verdict.acknowledged} instances, {ended} connections ended: 0 errors seen by scanners, "
            f"{verdict.told()}, {seconds:.1f} s to drain"
        )


@pytest.mark.parametrize("server", extent(["mariadb"], [*SERVERS]), indirect=True)
def test_gone_for_long(server: Server, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """While it is gone the spool keeps everything; when it is back all is filed in order and delivered."""
    away = AWAY_SECONDS or SHORT_SECONDS[request.node.callspec.params["server"]]
    with site(tmp_path, server.url) as there:
        with there.scanners(REST_SECONDS):
            wait_until(lambda: there.count(FILED) > 50, 30, "instances to be filed")
            server.stop()
            gone = time.monotonic()
            usual = there.seconds(0, gone)
            try:
                time.sleep(away)
                meanwhile = there.seconds(gone, time.monotonic())
                waiting = there.appliance.waiting()
                said = there.appliance.run("status")
            finally:
                server.start()
        seconds = there.drain(30 + 10 * away)
        assert waiting >= meanwhile[0]
        assert said.returncode == 3
        assert "the database cannot be reached" in said.stderr
        assert "Traceback" not in said.stderr
        _assert_unnoticed(there, usual, meanwhile)
        verdict = there.check()
        figure(
            f"n = {verdict.acknowledged} instances, {meanwhile[0]} of them in the {away:.0f} s the database was gone, "
            f"{waiting} in the spool: 0 errors seen by scanners, {verdict.told()}, {seconds:.1f} s to drain"
        )
