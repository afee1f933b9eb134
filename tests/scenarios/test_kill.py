"""kill -9 of every role at random while studies stream in and out: what was answered 0x0000 is kept and delivered.

`make test-long` kills 500 times, `MICROPACS_KILLS=20` as often as that says.
"""

import os
import random
import time
from itertools import cycle, islice
from pathlib import Path

import pytest

from tests.support.appliance import RunningAppliance, wait_until
from tests.support.dcmtk import needs_dcmtk, storescp
from tests.support.extent import extent
from tests.support.figures import figure
from tests.support.scanning import Scanner

pytestmark = [needs_dcmtk, pytest.mark.peer, pytest.mark.slow]

ROUNDS = int(os.environ.get("MICROPACS_KILLS", extent(6, 500)))
SLICES = 40
LATEST_SECONDS = 0.5  # after the first answer; a study takes longer than that
YAML = """
appliance: {{ae_title: MICROPACS, listen: "127.0.0.1:{{port}}", data: ./data}}
sources: {{petct: {{ae_title: PETCT, host: 127.0.0.1}}}}
destinations:
  now: {{ae_title: NOW, host: 127.0.0.1, port: {now}, retry: {{first: 1s, factor: 1, longest: 1s}}}}
  quiet: {{ae_title: QUIET, host: 127.0.0.1, port: {quiet}, retry: {{first: 1s, factor: 1, longest: 1s}}}}
normalise:
  - name: eight digits
    when: {{PatientID: {{matches: '\\d{{1,7}}'}}}}
    edit: [pad: {{keyword: PatientID, width: 8, with: "0"}}]
routes:
  - {{name: at once, to: [now]}}
  - {{name: when quiet, after: study quiet 1s, to: [quiet]}}
"""


def _phantom(folder: Path, seed: str) -> None:
    from router.demo.phantom import write_phantom

    write_phantom(folder, slices=SLICES, seed=seed)


def test_kills_lose_nothing_that_was_answered(tmp_path: Path) -> None:
    """In every round of kill -9, of each role, every acknowledged instance is archived and at both destinations."""
    seed = int(os.environ.get("MICROPACS_SEED", time.time_ns() % 1_000_000))
    print(f"seed {seed}")
    chance = random.Random(seed)
    roles = chance.sample(list(islice(cycle(["receive", "work", "serve"]), ROUNDS)), ROUNDS)
    acknowledged: set[str] = set()
    in_the_stream = 0
    (tmp_path / "site").mkdir()
    with storescp(tmp_path / "now") as now, storescp(tmp_path / "quiet") as quiet:
        appliance = RunningAppliance(tmp_path / "site", YAML.format(now=now, quiet=quiet))
        appliance.start()
        try:
            for number, role in enumerate(roles):
                folder = tmp_path / "studies" / str(number)
                _phantom(folder, f"{seed}-{number}")
                scanner = Scanner(appliance.port, folder, "PETCT")
                scanner.wait_for_first_answer()
                time.sleep(chance.uniform(0.0, LATEST_SECONDS))
                in_the_stream += 0 < len(scanner.answers) < 3 * SLICES
                appliance.kill(role)
                acknowledged |= {each["sop_instance_uid"] for each in scanner.finish() if each["status"] == 0}
                if role == "serve":
                    appliance.start()
                else:
                    wait_until(appliance._up, 40, "the role to come back")
            assert in_the_stream >= ROUNDS // 2, f"only {in_the_stream} kills fell into a stream"
            assert len(acknowledged) > ROUNDS * SLICES, "the scanners hardly got anything through"
            appliance.filed(len(acknowledged))
            kept = {str(row[0]) for row in appliance.sql("select sop_instance_uid from instances")}
            assert acknowledged <= kept
            for name in ("now", "quiet"):
                wait_until(lambda n=name: _undelivered(appliance, n) == 0, 60, f"{name} to be served")
                there = {path.name.partition(".")[2] for path in (tmp_path / name).iterdir()}
                assert acknowledged <= there, f"{len(acknowledged - there)} missing at {name}"
            doubled = "select count(*) from (select sop_instance_uid from instances group by 1 having count(*) > 1)"
            assert appliance.count(doubled) == 0
            assert appliance.waiting() == 0
            figure(
                f"seed {seed}: n = {ROUNDS} kills -9, {in_the_stream} of them in a stream: "
                f"0 of {len(acknowledged)} acknowledged lost"
            )
        finally:
            appliance.stop()


def _undelivered(appliance: RunningAppliance, destination: str) -> int:
    return appliance.count(
        "select count(*) from deliveries where destination = ? and state <> 'delivered'", destination
    )
