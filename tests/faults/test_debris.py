"""A start among debris in spool, archive and database: what was acknowledged is there, the debris is harmless or named.

`MICROPACS_DEBRIS_SEEDS=50` draws so many times, each time half of all kinds of debris, from `MICROPACS_SEED` on.
"""

import os
import random
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from tests.faults.debris import KINDS, sow
from tests.faults.site import Site, site
from tests.support.dcmtk import needs_dcmtk
from tests.support.extent import extent
from tests.support.figures import figure

pytestmark = [needs_dcmtk, pytest.mark.peer, pytest.mark.slow, pytest.mark.timeout(600)]

SEED = int(os.environ.get("MICROPACS_SEED", time.time_ns() % 1_000_000))
SEEDS = int(os.environ.get("MICROPACS_DEBRIS_SEEDS", extent(1, 10)))
HEAL_SECONDS = 120.0


def _crash(there: Site) -> None:
    """Some instances are filed and delivered, some are acknowledged only, when everything is killed."""
    appliance = there.appliance
    assert appliance.process is not None
    there.send(12)
    there.drain()
    os.kill(appliance.process.pid, signal.SIGSTOP)  # so that it starts no other
    roles = appliance.roles()
    appliance.kill("work")
    there.send(12)
    appliance.kill("serve")
    os.kill(roles["receive"], signal.SIGKILL)
    assert appliance.waiting() == 36


def _healed(there: Site) -> float:
    """Start it; the seconds until everything that was acknowledged is filed and delivered."""
    began = time.monotonic()
    there.appliance.start()
    there.drain(HEAL_SECONDS)
    return time.monotonic() - began


@pytest.mark.parametrize("number", range(SEEDS))
def test_start_among_debris(tmp_path: Path, number: int) -> None:
    """Everything acknowledged is there and delivered, new studies go through, `verify` names exactly the rest."""
    seed = SEED + number
    chance = random.Random(f"debris {seed}")
    with site(tmp_path) as there:
        _crash(there)
        ground, what = sow(there.appliance.data, chance, len(KINDS) // 2)
        print(f"seed {seed}: {', '.join(what)}")
        seconds = _healed(there)
        there.send(4)
        there.drain()
        status = there.appliance.json("status")
        verified: Any = there.appliance.json("verify", "--all")
        strangers = [uid for (uid,) in there.ask("select sop_instance_uid from instances where file like '00/00/%'")]
        verdict = there.check(strangers)
        assert verdict.acknowledged == 84
        assert not there.ask("select name from sqlite_master where name = 'half_made'")
    assert {each["file"] for each in verified["findings"] if each["fault"] == "orphan"} == ground.orphans
    assert {each["file"] for each in verified["findings"] if each["fault"] == "missing file"} == ground.missing
    assert len(verified["findings"]) == len(ground.orphans) + len(ground.missing)
    assert [path for path, content in ground.kept.items() if not path.exists() or path.read_bytes() != content] == []
    assert "Traceback" not in there.appliance.log.read_text()
    named, aside = len(verified["findings"]), status["spool"]["unreadable"]  # type: ignore[index]
    figure(
        f"seed {seed}: n = {len(what)} kinds of debris, {seconds:.1f} s to heal, {named} named by verify, {aside} set "
        f"aside, 0 other anomalies left; {verdict.told()}"
    )
