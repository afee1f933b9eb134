"""Memory, descriptors and threads of the roles stay flat while instances go through, good ones and bad ones.

`MICROPACS_SOAK=100000` sends so many; `python -m tests.faults.soaking` prints the same table without a test.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults.soaking import Sample, Soak, growth, measured, table
from tests.support.dcmtk import needs_dcmtk
from tests.support.extent import extent
from tests.support.figures import figure

pytestmark = [
    needs_dcmtk,
    pytest.mark.peer,
    pytest.mark.slow,
    pytest.mark.timeout(14_400),
    pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="it takes Linux to measure a process"),
]

INSTANCES = extent(1600, 2400)
STEADY_KB = 4000  # what a process may grow by in the second half of any run
KB_A_THOUSAND = 20.0  # and by this with each 1,000 instances of it
CONNECTIONS, CACHE_KB = 5, 8192  # each connection to the database remembers so much of it
MORE = 6  # descriptors or threads at the quietest moment of the second half, than at that of the quarter before
SPOOL_FILES = 60


LEAK = """
kept = []
for step, _ in enumerate(iter(input, "")):
    kept.append(b"x" * 4_000_000)
    passing = b"x" * (60_000_000 if step % 5 == 4 else 1)
    print(flush=True)
"""


def test_a_leak_is_seen_in_what_comes_and_goes() -> None:
    """A process that keeps 4 MB a step is seen to grow by that much, though its memory jumps up and down as well."""
    samples = []
    with subprocess.Popen(
        [sys.executable, "-c", LEAK], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as one:
        assert one.stdin is not None
        assert one.stdout is not None
        for step in range(1, 25):
            print("go on", file=one.stdin, flush=True)
            assert one.stdout.readline() == "\n"
            samples.append(Sample(100 * step, 0.0, {"this": measured(one.pid)}, 0, 0))
        print(file=one.stdin, flush=True)
    assert one.returncode == 0
    assert growth(samples, "this", "own") == pytest.approx(40_000, rel=0.2)


def test_nothing_grows(tmp_path: Path) -> None:
    """Of no role the memory grows with the number of instances, nor its descriptors, its threads or the spool."""
    soak = Soak(tmp_path, int(os.environ.get("MICROPACS_SOAK", extent(INSTANCES, 100_000))), seed=24)
    soak.run()
    print(table(soak.samples))
    print(soak.counts)
    half = len(soak.samples) // 2
    first, second = soak.samples[:half], soak.samples[half:]
    thousands = (second[-1].instances - second[0].instances) / 1000
    cached = [min(CACHE_KB, each.database_kb) for each in (second[0], second[-1])]
    caches = CONNECTIONS * (cached[1] - cached[0])
    for role in second[0].processes:
        grown = growth(second, role, "own") * thousands
        allowed = STEADY_KB + KB_A_THOUSAND * thousands + (caches if role == "work" else 0)
        assert grown < allowed, f"{role} grows by {grown:.0f} kB, {allowed:.0f} kB were to be expected"
        for what in ("descriptors", "threads"):
            warm = first[len(first) // 2 :]
            before, after = (min(getattr(each.processes[role], what) for each in some) for some in (warm, second))
            assert after <= before + MORE, f"{what} of {role}: {before}, then {after}"
        peak = max(each.processes[role].own for each in soak.samples) / 1000
        slope = growth(second, role, "own")
        figure(f"n = {soak.samples[-1].instances} instances: {role} {slope:+.0f} kB a thousand, peak {peak:.0f} MB")
    assert max(each.spool_files for each in soak.samples) <= SPOOL_FILES
    assert soak.counts["held"] > 0
    assert soak.counts["instances"] == soak.samples[-1].instances
