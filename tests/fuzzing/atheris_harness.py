"""Runs the targets under atheris, coverage-guided, from the same seeds; needs the extra `fuzz`. pytest runs none of it.

`python -m tests.fuzzing.atheris_harness 60` gives each target 60 seconds, one after the other; with a name of a target
only that. What it finds lies in .hypothesis/atheris/; a finding belongs into seeds/regressions/<target>/.
"""

import random
import subprocess
import sys
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["router.dimse", "rules"]):
    from tests.fuzzing.corpus import seeds_of
    from tests.fuzzing.mutation import spoilt
    from tests.fuzzing.targets import TARGETS

WORK = Path(".hypothesis") / "atheris"
_LONGEST_INPUT = 16384
_MEMORY_MB = 512
_TIMEOUT_SECONDS = 10


def mutator(name: str) -> Callable[[bytes, int, int], bytes]:
    """Half of all mutations keep the structure of what the target reads; the rest are libFuzzer's own."""

    def mutate(data: bytes, longest: int, seed: int) -> bytes:
        chance = random.Random(seed)

        def spoil(part: bytes) -> bytes:
            return atheris.Mutate(part, max(len(part) + chance.choice((0, 0, 1, 8, 64, 1024)), 1))

        if chance.random() < 0.5:
            return atheris.Mutate(data, longest)
        return spoilt(name, data, chance, spoil)[:longest]

    return mutate


def kept_when_it_fails(name: str) -> Callable[[bytes], None]:
    """The target; what it fails with is written down before libFuzzer, which has its own troubles, ends the process."""

    def target(data: bytes) -> None:
        try:
            TARGETS[name](data)
        except Exception:
            (WORK / f"{name}-{sha256(data).hexdigest()[:16]}.finding").write_bytes(data)
            raise

    return target


def fuzz(name: str, seconds: int) -> None:
    """Fuzz one target; libFuzzer ends the process, with a status other than 0 for a finding."""
    corpus = WORK / name
    corpus.mkdir(parents=True, exist_ok=True)
    for seed in seeds_of(name):
        (corpus / sha256(seed).hexdigest()[:16]).write_bytes(seed)
    options = [
        f"-max_total_time={seconds}",
        f"-max_len={_LONGEST_INPUT}",
        f"-rss_limit_mb={_MEMORY_MB}",
        f"-timeout={_TIMEOUT_SECONDS}",
        f"-artifact_prefix={WORK}/{name}-",
        "-print_final_stats=1",
        "-verbosity=0",
    ]
    atheris.Setup([sys.argv[0], *options, str(corpus)], kept_when_it_fails(name), custom_mutator=mutator(name))
    atheris.Fuzz()


def main() -> None:
    """Fuzz the target named, or each in a process of its own."""
    seconds = int(sys.argv[1]) if len(sys.argv) > 1 else 60
    if len(sys.argv) > 2:
        fuzz(sys.argv[2], seconds)
        return
    failed = []
    for name in TARGETS:
        done = subprocess.run([sys.executable, "-m", "tests.fuzzing.atheris_harness", str(seconds), name], check=False)
        if done.returncode:
            failed.append(name)
    sys.exit(f"findings in {', '.join(failed)}" if failed else 0)


if __name__ == "__main__":
    main()
