"""EIO at the N-th system call by which a role of the whole appliance makes something durable: never a wrong Success."""

import os
import random
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import pytest

from tests.faults.disk_site import OUT_OF_RESOURCES, PATIENCE_SECONDS, SUCCESS, Site
from tests.faults.studies import INSTANCES
from tests.support.appliance import wait_until
from tests.support.figures import figure
from tests.support.tracing import STRACE, needs_strace

pytestmark = [needs_strace, pytest.mark.slow, pytest.mark.timeout(3600), pytest.mark.xdist_group("failing disks")]

CALLS = {
    "receive": ("fsync", "fdatasync", "pwritev2", "pwrite64"),
    "work": ("fsync", "fdatasync", "pwrite64", "pwritev2"),
}
SIZES = (512, 1_500_000, 5_000_000)  # bytes of pixels: written at once, in chunks, into a file of its own
NOTICED = ("interrupted", "cannot", "trying again", "failed")


@contextmanager
def _failing(pid: int, call: str, number: int, trace: Path) -> Iterator[None]:
    """In each thread of a role the `number`th such call gives EIO; `trace` has all of them."""
    command = [str(STRACE), "-f", "-qq", "-o", str(trace), "-p", str(pid), f"--trace={call}"]
    tracer = subprocess.Popen([*command, f"--inject={call}:error=EIO:when={number}"])
    try:
        wait_until(lambda: "TracerPid:\t0" not in Path(f"/proc/{pid}/status").read_text(), 30, "strace to be attached")
        yield
    finally:
        tracer.terminate()
        tracer.wait()


def _suffers(site: Site, role: str, call: str, number: int, trace: Path) -> int:
    """Three studies while a call fails; how often one did. In receive an instance is then refused, in work it is said.

    The trace ends when one was refused: strace counts anew in each thread, which is each association.
    """
    refused, said = site.answers()[OUT_OF_RESOURCES], len(site.appliance.log.read_text())

    def was_refused() -> bool:
        return site.answers()[OUT_OF_RESOURCES] > refused

    with _failing(site.appliance.roles()[role], call, number, trace):
        for size in SIZES:
            site.send(1, size)
        wait_until(lambda: was_refused() or site.is_sent(), PATIENCE_SECONDS, "all to be taken, or one refused")
        if role == "work":
            site.settle()
    site.settle()
    failed = trace.read_text().count("(INJECTED)")
    if failed and role == "receive":
        assert was_refused(), f"{call} {number} failed, and nothing was refused"
    if failed and role == "work":
        new = site.appliance.log.read_text()[said:]
        assert any(words in new for words in NOTICED), f"{call} {number} failed, and nothing was said"
    return failed


@pytest.mark.parametrize("role", CALLS)
def test_disk_error_is_never_success(tmp_path: Path, role: str) -> None:
    """Whichever call fails, what was acknowledged is in the archive and at its destinations, and the role goes on."""
    seed = int(os.environ.get("MICROPACS_SEED", time.time_ns() % 1_000_000))
    chance = random.Random(f"{seed} {role}")
    print(f"seed {seed}")
    is_every_one_asked_for = bool(os.environ.get("MICROPACS_EVERY_POINT"))
    rounds = failed = 0
    with Site(tmp_path) as site:
        for call in CALLS[role] if is_every_one_asked_for else chance.sample(CALLS[role], 2):
            for number in count(1) if is_every_one_asked_for else (chance.randint(1, 2),):
                found = _suffers(site, role, call, number, tmp_path / f"{call}-{number}")
                rounds += 1
                failed += found
                if not found:
                    break
        assert len(site.appliance.roles()) == 2
        site.check()
        assert site.answers()[SUCCESS] == rounds * len(SIZES) * INSTANCES
    assert failed, "nothing failed"
    refused, sent = site.answers()[OUT_OF_RESOURCES], site.answers()[SUCCESS]
    figure(f"seed {seed}: {role}, n = {failed} calls failed, {refused} A700, 0 of {sent} Success wrong")
