"""EIO at calls of a role that read the data folder, once and for some seconds. `two_routes` checks.

`MICROPACS_EVERY_POINT=1` tries the first 40 reads of each part; otherwise a few by chance. Reads by mmap do not fail.
"""

import errno
import os
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.faults.killing import Fault, needs_compiler
from tests.faults.studies import NAME
from tests.faults.two_routes import OTHER, WAIT_SECONDS, Site, site
from tests.support.appliance import wait_until
from tests.support.dcmtk import needs_dcmtk
from tests.support.extent import EVERY_POINT, extent
from tests.support.figures import figure

pytestmark = [needs_compiler, needs_dcmtk, pytest.mark.peer, pytest.mark.slow, pytest.mark.timeout(4 * 3600)]

LARGE = 5_000_000  # bytes of pixels: in a file of its own, and sent in several pieces
PARTS = {  # by what is in the paths, below the data folder, with what size of instances: so often each is read at least
    "work": {
        ("spool/segments", 512): 60,
        (".register", 512): 20,
        (".segment", 512): 3,
        ("spool/sealed", LARGE): 20,
        ("archive/", 512): 15,
        (".dcm", LARGE): 20,
        ("micropacs.db", 512): 60,
        ("configuration", 512): 4,
        ("outbox", 512): 2,
        ("", 512): 150,
    },
    "receive": {("spool/", 512): 15, (".register", 512): 3, (".segment", LARGE): 3, ("", LARGE): 30},
}
_WAITING = "select count(*) from deliveries where state = 'due' and reason like '%cannot be read%'"
MOST = 40  # reads of one part; the later ones are those of looking again and again


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """An appliance in parts, and its receivers; a study went through, so that a segment and its register are there."""
    with site(tmp_path_factory.mktemp("reads")) as there:
        there.goes_through("receive", Fault())
        yield there


@pytest.mark.parametrize("seconds", extent([3.0], [0.0, 3.0]))
@pytest.mark.parametrize("role", OTHER)
def test_read_of_a_role_fails(there: Site, role: str, seconds: float) -> None:
    """Whichever read fails, each instance comes to the archive and to both receivers, once and whole, by itself."""
    seed = int(os.environ.get("MICROPACS_SEED", time.time_ns() % 1_000_000))
    chance = random.Random(f"{seed} {role} {seconds}")
    parts = [*PARTS[role].items()]
    failed: Counter[str] = Counter()
    ends = there.ends
    for (part, there.pixel_bytes), most in extent([chance.choice(parts)], parts):
        numbers = range(1, MOST + 1) if EVERY_POINT else [chance.randint(1, most)]
        for number in numbers:
            if not there.goes_through(role, Fault(number, error=errno.EIO, reads=part, seconds=seconds)):
                assert number > most, f"seed {seed}: no read {number} of {part}"
                break
            call = there.roles.calls()[number - 1]
            print(number, call, file=sys.stderr, flush=True)
            failed[call.partition(" ")[0]] += 1
    assert not _names_a_patient(_said(there)), "a patient is named"
    assert there.restarts == [], "a role had to be ended to get over it"
    assert failed
    figure(
        f"seed {seed}: {role}, EIO at n = {failed.total()} reads ({dict(failed)}), {seconds:.0f} s each: "
        f"0 lost, doubled, altered or misrouted; it ended {there.ends - ends} times"
    )


def test_file_that_cannot_be_read_waits_and_is_told(there: Site) -> None:
    """While the disk does not give a kept file back its copies wait, in `status`, `queue` and the log; then they go."""
    there.pixel_bytes = 512
    roles, length = there.roles, len(there.roles.log.read_text())
    with ThreadPoolExecutor() as pool:
        fault = Fault(1, error=errno.EIO, reads=".dcm", seconds=3600)
        through = pool.submit(there.goes_through, "work", fault)
        wait_until(lambda: roles.count(_WAITING) or through.done(), WAIT_SECONDS, "a delivery to wait")
        status, queue = (roles.run(command).stdout for command in ("status", "queue"))
        assert roles.count(_WAITING)
        roles.heal()
        assert through.result()
    assert "deliveries wait because the kept file cannot be read" in status
    assert "the archive's file cannot be read" in queue
    assert "kept file cannot be read, trying again" in roles.log.read_text()[length:]
    assert "deliveries wait because" not in roles.run("status").stdout
    assert not _names_a_patient(status + queue + _said(there))
    assert there.restarts == []
    figure("n = 1 file that could not be read: it waited, was told of, and was delivered then")


def _said(there: Site) -> str:
    return there.roles.log.read_text() + str(there.roles.sql("select * from journal"))


def _names_a_patient(said: str) -> bool:
    return any(word in said for word in NAME.split("^"))
