"""What a run of the benchmarks is asked for: rounds, sizes, and the folder it works in. Reads no command line."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


def _silent(_: str) -> None:
    pass


@dataclass(frozen=True, slots=True)
class Settings:
    """Given to every `measure(settings) -> list[Figure]`.

    `folder` is empty, on the disk that is measured, and the caller removes it. `scale` is 1.0 for the whole
    measurement; less makes every study, file and table smaller in proportion, which proves that the benchmark works
    and says nothing about the product. `say` shows one short line of progress.
    """

    folder: Path
    rounds: int = 5
    scale: float = 1.0
    say: Callable[[str], None] = _silent

    def scaled(self, count: int, least: int = 1) -> int:
        """`count` at this scale, and `least` at the least."""
        return max(least, round(count * self.scale))
