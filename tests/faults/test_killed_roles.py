"""SIGKILL at the N-th system call of a role while three instances go through: nothing missing, doubled or half."""

import hashlib
import os
import random
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pydicom
import pytest

from router.demo.phantom import write_phantom
from tests.support.appliance import RunningAppliance, wait_until
from tests.support.dcmtk import dcmsend, needs_dcmtk, storescp
from tests.support.part10 import read_part10
from tests.support.tracing import STRACE, needs_strace

pytestmark = [needs_strace, needs_dcmtk, pytest.mark.peer, pytest.mark.slow, pytest.mark.timeout(3600)]

YAML = """
appliance: {{ae_title: MICROPACS, listen: "127.0.0.1:{{port}}", data: ./data}}
sources: {{petct: {{ae_title: PETCT, host: 127.0.0.1}}}}
destinations:
  plain: {{ae_title: PLAIN, host: 127.0.0.1, port: {plain}, retry: {{first: 1s, factor: 1, longest: 1s}}}}
  edited: {{ae_title: EDITED, host: 127.0.0.1, port: {edited}, retry: {{first: 1s, factor: 1, longest: 1s}}}}
routes:
  - {{name: as it is, to: [plain]}}
  - {{name: without its name, edit: [blank: [PatientName]], to: [edited]}}
"""
CALLS = {
    "receive": ("pwrite64", "pwritev2", "fdatasync"),
    "work": ("write", "pwrite64", "fsync", "fdatasync", "rename", "unlink", "ftruncate"),
}

CALLS_A_RUN = 2  # drawn by the seed, unless every one is asked for


@contextmanager
def _traced(pid: int, call: str, number: int) -> Iterator["subprocess.Popen[bytes]"]:
    """All threads of a role under strace, which kills it at the `number`th call that one of them makes."""
    command = [str(STRACE), "-f", "-qq", "-o", "/dev/null", "-p", str(pid), f"--trace={call}"]
    tracer = subprocess.Popen([*command, f"--inject={call}:signal=SIGKILL:when={number}"])
    wait_until(lambda: _is_attached(pid), 10, "strace to be attached")
    try:
        yield tracer
    finally:
        tracer.terminate()
        tracer.wait()


def _is_attached(pid: int) -> bool:
    try:
        return "TracerPid:\t0" not in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True  # and it has died of it


def _send(port: int, paths: list[Path]) -> None:
    """As a scanner: again and again until all are accepted."""
    deadline = time.monotonic() + 60
    while dcmsend(port, paths, "-aet", "PETCT").returncode:
        assert time.monotonic() < deadline, "the scanner cannot get its study through"
        time.sleep(0.1)


def _is_settled(appliance: RunningAppliance, uids: dict[str, str]) -> bool:
    return (
        appliance.count("select count(*) from instances") >= len(uids)
        and appliance.count("select count(*) from deliveries where state <> 'delivered'") == 0
        and appliance.count("select count(*) from deliveries where state = 'delivered'") >= 2 * len(uids)
    )


def _check(appliance: RunningAppliance, sent: dict[str, str], plain: Path, edited: Path) -> None:
    """By plain SQL and the files alone: each instance once and as it came; at both receivers, as their route says."""
    rows = appliance.sql("select sop_instance_uid, received_digest from instances")
    assert Counter(str(uid) for uid, _ in rows) == Counter(sent.keys())
    assert dict(rows) == sent
    kept = [part for path in (appliance.data / "archive").rglob("*.dcm") if (part := read_part10(path))]
    assert {part.sop_instance_uid: hashlib.sha256(part.data_set).hexdigest() for part in kept} == sent
    at_plain = [part for path in plain.iterdir() if (part := read_part10(path))]
    assert {part.sop_instance_uid: hashlib.sha256(part.data_set).hexdigest() for part in at_plain} == sent
    at_edited = [pydicom.dcmread(path) for path in edited.iterdir()]
    assert {str(each.SOPInstanceUID) for each in at_edited} == set(sent)
    assert not [each.SOPInstanceUID for each in at_edited if each.PatientName], "a copy left without its edit"


@pytest.mark.parametrize("role", CALLS)
def test_role_killed_at_a_call(tmp_path: Path, role: str) -> None:
    """Whichever call it dies at, started again it brings each instance to the archive and to both receivers."""
    if os.environ.get("MICROPACS_EVERY_POINT"):
        for call in CALLS[role]:
            number = 1
            while _dies(tmp_path / f"{call}-{number}", role, call, number):
                number += 1
            print(f"{role}: killed at each of {number - 1} {call}")
            assert number > 1, f"{role} makes no {call}"
        return
    seed = int(os.environ.get("MICROPACS_SEED", time.time_ns() % 1_000_000))
    print(f"seed {seed}")
    chance = random.Random(f"{seed} {role}")
    for call in chance.sample(CALLS[role], CALLS_A_RUN):
        assert any(_dies(tmp_path / f"{call}-{number}", role, call, number) for number in (chance.randint(1, 4), 1))


def _dies(folder: Path, role: str, call: str, number: int) -> bool:
    """One study through an appliance of its own whose role dies at this call; False if it did not come so far."""
    write_phantom(folder / "study", slices=1, seed=f"{role} {call} {number}")
    paths = sorted(path for path in (folder / "study").rglob("*") if path.is_file())
    parts = [part for path in paths if (part := read_part10(path))]
    sent = {part.sop_instance_uid: hashlib.sha256(part.data_set).hexdigest() for part in parts}
    assert len(sent) == 3
    assert all(pydicom.dcmread(path).PatientName for path in paths)
    (folder / "site").mkdir()
    plain, edited = folder / "plain", folder / "edited"
    with storescp(plain) as first, storescp(edited) as second:
        yaml = YAML.format(plain=first, edited=second)
        with RunningAppliance(folder / "site", yaml) as appliance:
            with _traced(appliance.roles()[role], call, number) as tracer:
                _send(appliance.port, paths)
                wait_until(lambda: _is_settled(appliance, sent), 60, f"all to be delivered, {role} {call} {number}")
                has_died = tracer.poll() is not None
            _check(appliance, sent, plain, edited)
            assert appliance.waiting() == 0
    return has_died
