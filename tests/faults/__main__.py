"""`python -m tests.faults --studies N --seed S --folder F [--minutes M]`: the headline run, see docs/reliability.md."""

import argparse
import sys
import time
from pathlib import Path

from tests.faults.headline import Headline
from tests.faults.report import table


def main() -> int:
    """Run it, print the table; 1 when anything is lost, duplicated, altered, misrouted or left."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults")
    parser.add_argument("--studies", type=int, default=20_000, help="how many there are to be in the end")
    parser.add_argument("--seed", type=int, help="of the studies and their faults; a folder keeps the first one given")
    parser.add_argument("--folder", type=Path, required=True, help="where everything is; the same again goes on")
    parser.add_argument("--minutes", type=float, help="begin no study after so long")
    chosen = parser.parse_args()
    seed = time.time_ns() % 1_000_000 if chosen.seed is None else chosen.seed
    until = time.monotonic() + 60 * chosen.minutes if chosen.minutes else None
    run = Headline(chosen.folder.resolve(), seed, chosen.studies)
    result = run.run(until, lambda line: print(line, flush=True))
    print(table(result))
    return 0 if result.passed else 1


if __name__ == "__main__":
    sys.exit(main())
