"""The embedded database locked, read-only, and read for long under four scanners, which notice nothing of it.

`MICROPACS_LOCKED_SECONDS=40` holds the locks for so long; `MICROPACS_EVERY_POINT=1` tries each kind of lock.
"""

import os
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from tests.faults.site import FILED, Site, site
from tests.support.appliance import wait_until
from tests.support.dcmtk import needs_dcmtk
from tests.support.extent import extent
from tests.support.figures import figure
from tests.support.read_only import read_only
from tests.support.servers import locked

pytestmark = [
    needs_dcmtk,
    pytest.mark.peer,
    pytest.mark.slow,
    pytest.mark.timeout(1800),
    pytest.mark.xdist_group("locked database"),
]

LOCKED_SECONDS = float(os.environ.get("MICROPACS_LOCKED_SECONDS", "12"))  # longer than anybody waits for a lock
REST_SECONDS = 0.25
READING_SECONDS = extent(2.0, 5.0)
DELIVERED = "select count(*) from deliveries where state = 'delivered'"
STATUS, PAUSE = ("status",), ("queue", "pause", "--destination", "reading")
COMMANDS = (STATUS, PAUSE, ("queue",), ("find", "PatientID=0*"))


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A site with its database in a folder of its own."""
    folder = tmp_path_factory.mktemp("locked")
    (folder / "database").mkdir()
    with site(folder, f"sqlite:///{folder / 'database' / 'micropacs.db'}") as there:
        yield there


def _saying(there: Site) -> Callable[[], str]:
    """What its log has said since now."""
    length = len(there.appliance.log.read_text())
    return lambda: there.appliance.log.read_text()[length:]


def _said(there: Site) -> dict[tuple[str, ...], subprocess.CompletedProcess[str]]:
    """What commands say, asked all at once."""
    with ThreadPoolExecutor() as pool:
        return dict(zip(COMMANDS, pool.map(lambda words: there.appliance.run(*words), COMMANDS), strict=True))


def _filed(there: Site, more: int = 30) -> None:
    """Wait until so many more instances are in the index."""
    before = there.count(FILED)
    wait_until(lambda: there.count(FILED) >= before + more, 60, "instances to be filed")


def _assert_unnoticed(there: Site, sending: float, began: float, ended: float) -> None:
    assert set(there.answers()) == {0}
    usual, meanwhile = there.seconds(sending, began), there.seconds(began, ended)
    print(f"answers, median and longest wait: {usual} as usual, {meanwhile} meanwhile")
    assert meanwhile[1] < 5 * usual[1] + 0.02


@pytest.mark.parametrize("how", extent(["BEGIN EXCLUSIVE"], ["BEGIN EXCLUSIVE", "BEGIN IMMEDIATE"]))
def test_locked_by_another_program(there: Site, how: str) -> None:
    """For longer than anybody waits for a lock: scanners notice nothing, commands say what is wrong, all is filed."""
    log, sending = _saying(there), time.monotonic()
    with there.scanners(REST_SECONDS):
        _filed(there)
        with locked(Path(there.url.removeprefix("sqlite:///")), how):
            began = time.monotonic()  # until then an instance could still be filed
            said = _said(there)
            time.sleep(max(0.0, LOCKED_SECONDS - (time.monotonic() - began)))
            ended = time.monotonic()
            answered = there.seconds(began, ended)[0]  # before it is counted: one is being received just now
            waiting = there.appliance.waiting()
    seconds = there.drain()
    assert said[STATUS].returncode == 0
    assert "cannot be written: another program has it locked" in said[STATUS].stdout
    assert said[PAUSE].returncode == 3
    assert "another program has it locked" in said[PAUSE].stderr
    assert "Traceback" not in "".join(done.stderr for done in said.values())
    assert "another program has it locked" in log()
    _assert_unnoticed(there, sending, began, ended)
    assert waiting >= answered
    assert "File " not in log(), "the log has a traceback"
    verdict = there.check()
    figure(
        f"{how} for {ended - began:.0f} s: n = {verdict.acknowledged} instances, {waiting} in the spool at the end; "
        f"0 errors seen by scanners, {verdict.told()}, {seconds:.1f} s to drain"
    )


def test_database_can_only_be_read(there: Site) -> None:
    """The work role dies and finds its database read-only: the spool keeps everything until it can be written."""
    appliance = there.appliance
    assert appliance.process is not None
    log, sending = _saying(there), time.monotonic()
    with there.scanners(REST_SECONDS):
        _filed(there)
        began = time.monotonic()
        os.kill(appliance.process.pid, signal.SIGSTOP)  # so that it starts no other meanwhile
        appliance.kill("work")
        with read_only(Path(there.url.removeprefix("sqlite:///")).parent):
            os.kill(appliance.process.pid, signal.SIGCONT)
            said = _said(there)
            reason = "it can be read and not written"
            wait_until(lambda: reason in log(), 60, f"the log to say {reason}")
            ended = time.monotonic()
            answered = there.seconds(began, ended)[0]
            waiting = appliance.waiting()
    seconds = there.drain()
    for words, done in said.items():
        assert "Traceback" not in done.stderr, (words, done.stderr)
    assert "cannot be written: it can be read and not written" in said[STATUS].stdout
    assert said[PAUSE].returncode == 3
    assert "it can be read and not written" in said[PAUSE].stderr
    _assert_unnoticed(there, sending, began, ended)
    assert waiting >= answered
    assert "File " not in log(), "the log has a traceback"
    verdict = there.check()
    figure(
        f"read-only for {ended - began:.0f} s: n = {verdict.acknowledged} instances, {waiting} in the spool then: "
        f"0 errors seen by scanners, {verdict.told()}, {seconds:.1f} s to drain"
    )


def test_long_reader_keeps_the_log_from_being_emptied(there: Site) -> None:
    """Filing and delivering go on beside somebody who reads for long, although SQLite's log cannot be emptied."""
    file = Path(there.url.removeprefix("sqlite:///"))
    log = file.with_name(f"{file.name}-wal")
    sending = time.monotonic()
    with there.scanners(extent(REST_SECONDS, 0.0)):
        _filed(there)
        began = time.monotonic()
        with closing(sqlite3.connect(file, isolation_level=None)) as reader:
            reader.execute("BEGIN")
            before = there.count(DELIVERED)
            seen = reader.execute(FILED).fetchone()
            while time.monotonic() < began + READING_SECONDS:
                _filed(there)
            assert reader.execute(FILED).fetchone() == seen
            delivered = there.count(DELIVERED) - before
            reader.execute("COMMIT")
        ended, peak = time.monotonic(), log.stat().st_size
    seconds = there.drain()
    assert delivered > 0
    _assert_unnoticed(there, sending, began, ended)
    verdict = there.check()
    figure(
        f"beside a long reader, log of {peak / 1e6:.1f} MB: n = {verdict.acknowledged} instances, 0 errors seen by "
        f"scanners, {verdict.told()}, {seconds:.1f} s to drain"
    )
