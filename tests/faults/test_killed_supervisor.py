"""SIGKILL of the supervisor at its calls that change the data folder; its roles die in `test_killed_roles`."""

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.calling import Call
from tests.faults.studies import make_study
from tests.support.appliance import RunningAppliance, wait_until
from tests.support.extent import EVERY_POINT
from tests.support.figures import figure
from tests.support.tracing import REPOSITORY, STRACE, needs_strace

pytestmark = [needs_strace, pytest.mark.slow, pytest.mark.timeout(1800)]

_YAML = """
appliance: {ae_title: MICROPACS, listen: "127.0.0.1:{port}", data: ./data}
sources: {room1: {ae_title: ROOM1, host: 127.0.0.1}, room2: {ae_title: ROOM2, host: 127.0.0.1}}
destinations: {pacs: {ae_title: PACS, host: 127.0.0.1, port: 9}}
routes: [{name: everything, to: [pacs]}]
"""
_CALLS = ("mkdir", "write", "pwrite64", "fsync", "fdatasync", "rename", "link", "unlink", "ftruncate")
_LIKELY = {  # by whether it is the first start, some of the calls that it makes for the data folder
    True: [("fsync", 2), ("fsync", 3), ("fsync", 4), ("rename", 1), ("rename", 2)],
    False: [("fsync", 2), ("fsync", 3), ("rename", 1)],
}
_SECONDS = 60.0


@pytest.mark.parametrize("is_first", [True, False], ids=["first start", "later start"])
def test_supervisor_killed_at_a_call(tmp_path: Path, is_first: bool) -> None:
    """Whichever call of its start it dies at, the next start comes up, and has all that was acknowledged before."""
    folders = _folders(tmp_path, is_first)
    seed = int(os.environ.get("MICROPACS_SEED", time.time_ns() % 1_000_000))
    if EVERY_POINT:
        points = _points(_appliance(next(folders)), tmp_path)
        assert set(points) >= set(_LIKELY[is_first])
    else:
        points = random.Random(seed).sample(_LIKELY[is_first], 1)
    for call, number in points:
        appliance = _appliance(next(folders))
        assert _starting(appliance, tmp_path, f"--inject={call}:signal=SIGKILL:when={number}") == -signal.SIGKILL
        _comes_up_whole(appliance)
    counted = ", ".join(f"{times} {call}" for call, times in sorted(Counter(call for call, _ in points).items()))
    figure(f"seed {seed}: supervisor at n = {len(points)} calls ({counted}): 0 lost")


def _folders(folder: Path, is_first: bool) -> Iterator[Path]:
    """A new one for each start, or one that has a study already for all of them."""
    if not is_first:
        (folder / "site").mkdir()
        _comes_up_whole(_appliance(folder / "site"))
        while True:
            yield folder / "site"
    while True:
        site = folder / f"site{time.monotonic_ns()}"
        site.mkdir()
        yield site


def _appliance(folder: Path) -> RunningAppliance:
    return RunningAppliance(folder, _YAML)


def _points(appliance: RunningAppliance, folder: Path) -> list[tuple[str, int]]:
    """The calls of a whole start that change something in the data folder: which, and its how manyth of that name."""
    assert _starting(appliance, folder) == 0
    seen: Counter[str] = Counter()
    points = []
    for line in (folder / "calls").read_text().splitlines():
        call = line.partition("(")[0]
        seen[call] += 1
        if str(appliance.data) in line and " = -1 " not in line:
            points.append((call, seen[call]))
    return points


def _starting(appliance: RunningAppliance, folder: Path, *options: str) -> int:
    """How `serve` ends, with its calls in a file; one that comes up is stopped."""
    program = [sys.executable, "-m", "router.cli", "serve", "-c", str(appliance.file)]
    tracer = [str(STRACE), "-D", "-y", "-qq", "-o", str(folder / "calls"), f"--trace={','.join(_CALLS)}", *options]
    with appliance.log.open("wb") as log:
        process = subprocess.Popen([*tracer, *program], cwd=REPOSITORY, stderr=log, stdout=log)
    appliance.process = process
    try:
        wait_until(lambda: process.poll() is not None or b"working" in appliance.log.read_bytes(), _SECONDS, "a start")
    finally:
        appliance.stop()
    return process.returncode


def _comes_up_whole(appliance: RunningAppliance) -> None:
    """Started, it takes a study more, and has the bytes of all."""
    with appliance:
        before = appliance.count("select count(*) from instances")
        study = make_study(0, before // 3)
        call = Call(appliance.port, study.source, study.instances[0].sop_class_uid)
        assert [call.store(instance) for instance in study.instances] == [0, 0, 0]
        call.release()
        appliance.filed(before + 3)
        rows = appliance.sql("select sop_instance_uid, received_digest from instances")
    sent = [instance for number in range(before // 3 + 1) for instance in make_study(0, number).instances]
    assert sorted(rows) == sorted((instance.uid, instance.sha256) for instance in sent)
