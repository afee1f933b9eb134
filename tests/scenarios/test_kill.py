"""kill -9 of every role at random while four `storescu` send: what was answered 0x0000 is kept and delivered unaltered.

`make test-long` kills 500 times, `MICROPACS_KILLS=20` as often as that says.
"""

import json
import os
import random
import shutil
import signal
import time
from collections.abc import Iterable, Mapping
from itertools import cycle, islice
from pathlib import Path

import pytest

from tests.faults.studies import EXPLICIT, Instance, digest, make_study
from tests.support.appliance import RunningAppliance, wait_until
from tests.support.dcmtk import Storing, needs_dcmtk, storescp
from tests.support.extent import extent
from tests.support.figures import figure
from tests.support.part10 import part10_head, read_part10

pytestmark = [needs_dcmtk, pytest.mark.peer, pytest.mark.slow]

ROUNDS = int(os.environ.get("MICROPACS_KILLS", extent(6, 500)))
SENDERS, STUDIES, PIXEL_BYTES = 4, 10, 120_000  # studies a sender and round
LATEST = 0.5  # of what is sent has been answered when the kill comes
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
archive: {{original_attributes: no}}
"""


class _Round:
    """Four `storescu` that send, each studies of its own; `sent` is all of that by UID."""

    def __init__(self, folder: Path, port: int, seed: int, number: int) -> None:
        self._folder = folder
        self.sent: dict[str, Instance] = {}
        folder.mkdir()
        first = number * SENDERS * STUDIES
        parts = [self._written(seed, range(k, k + STUDIES)) for k in range(first, first + SENDERS * STUDIES, STUDIES)]
        self._senders = [Storing(port, paths, "-aet", "PETCT", "-xe") for paths in parts]

    def _written(self, seed: int, numbers: Iterable[int]) -> list[Path]:
        """The files of these studies."""
        studies = [make_study(seed, each, pixel_bytes=PIXEL_BYTES) for each in numbers]
        instances = {each.uid: each for study in studies for each in study.instances}
        for each in instances.values():
            head = part10_head(each.sop_class_uid, each.uid, EXPLICIT)
            (self._folder / each.uid).write_bytes(head + each.data)
        self.sent |= instances
        return [self._folder / uid for uid in instances]

    def answered(self, count: int) -> None:
        """Wait until so many have been answered, or there is nothing more to wait for."""
        deadline = time.monotonic() + 30
        while sum(len(each.acknowledged) for each in self._senders) < count and not self.is_over:
            assert time.monotonic() < deadline, "scanners wait for answers in vain"
            time.sleep(0.001)

    @property
    def is_over(self) -> bool:
        """Whether all of them have ended."""
        return all(each.is_over for each in self._senders)

    def finish(self) -> dict[str, str]:
        """Wait for their ends; what was acknowledged, with the digest of what the rules make of it."""
        acknowledged = [path.name for each in self._senders for path in each.finish()]
        shutil.rmtree(self._folder)
        return {uid: self.sent[uid].bare for uid in acknowledged}


def test_kills_lose_nothing_that_was_answered(tmp_path: Path) -> None:
    """In every round of kill -9, of each role, every acknowledged instance is archived and at both destinations."""
    seed = int(os.environ.get("MICROPACS_SEED", time.time_ns() % 1_000_000))
    print(f"seed {seed}")
    chance = random.Random(seed)
    roles = chance.sample(list(islice(cycle(["receive", "work", "serve"]), ROUNDS)), ROUNDS)
    acknowledged: dict[str, str] = {}
    in_the_stream = 0
    (tmp_path / "site").mkdir()
    with storescp(tmp_path / "now") as now, storescp(tmp_path / "quiet") as quiet:
        appliance = RunningAppliance(tmp_path / "site", YAML.format(now=now, quiet=quiet))
        appliance.start()
        try:
            for number, role in enumerate(roles):
                victim = _process(appliance, role)
                sending = _Round(tmp_path / "sent", appliance.port, seed, number)
                sending.answered(chance.randint(1, int(LATEST * len(sending.sent))))
                was_over = sending.is_over
                os.kill(victim, signal.SIGKILL)
                answered = sending.finish()
                acknowledged |= answered
                if role == "work":
                    assert answered.keys() == sending.sent.keys(), "scanners noticed it"
                in_the_stream += len(answered) < len(sending.sent) if role == "receive" else not was_over
                if role == "serve":
                    appliance.kill("serve")  # waited for
                    appliance.start()
                else:
                    wait_until(appliance._up, 40, "the role to come back")
            assert in_the_stream >= ROUNDS * 2 // 3, f"only {in_the_stream} kills fell into a stream"
            assert len(acknowledged) > 30 * ROUNDS, "the scanners hardly got anything through"
            _all_are_there(appliance, acknowledged, tmp_path)
            figure(
                f"seed {seed}: n = {ROUNDS} kills -9 under {SENDERS} storescu, {in_the_stream} of them in a stream: "
                f"0 of {len(acknowledged)} acknowledged lost or altered"
            )
        finally:
            appliance.stop()


def _process(appliance: RunningAppliance, role: str) -> int:
    """Whom to kill, once he is there."""
    assert appliance.process is not None
    if role == "serve":
        return appliance.process.pid
    wait_until(lambda: role in appliance.roles(), 40, f"{role} to run")
    return appliance.roles()[role]


def _all_are_there(appliance: RunningAppliance, acknowledged: Mapping[str, str], folder: Path) -> None:
    """What was acknowledged is archived, once, and at each destination as the rules make it."""
    (folder / "acknowledged.json").write_text(json.dumps(acknowledged))  # for who has to look for what is missing
    seconds = 60 + len(acknowledged) / 50
    wait_until(lambda: appliance.waiting() == 0, seconds, "the spool to be filed")
    kept = {str(row[0]) for row in appliance.sql("select sop_instance_uid from instances")}
    assert acknowledged.keys() <= kept
    for name in ("now", "quiet"):
        wait_until(lambda n=name: _undelivered(appliance, n) == 0, seconds, f"{name} to be served")
        there = _copies(folder / name)
        assert acknowledged.keys() <= there.keys(), f"{len(acknowledged.keys() - there)} missing at {name}"
        altered = [uid for uid, sha256 in acknowledged.items() if there[uid] != sha256]
        assert not altered, f"{len(altered)} altered at {name}"
    doubled = "select count(*) from (select sop_instance_uid from instances group by 1 having count(*) > 1)"
    assert appliance.count(doubled) == 0
    assert appliance.waiting() == 0


def _copies(folder: Path) -> dict[str, str]:
    """The digest of the data set of each copy, by its UID."""
    parts = filter(None, map(read_part10, folder.iterdir()))
    return {part.sop_instance_uid: digest(part.data_set) for part in parts}


def _undelivered(appliance: RunningAppliance, destination: str) -> int:
    return appliance.count(
        "select count(*) from deliveries where destination = ? and state <> 'delivered'", destination
    )
