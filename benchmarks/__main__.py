"""`python -m benchmarks`: runs the measurements asked for, one after the other, and prints and keeps their figures."""

import argparse
import importlib
import json
import shutil
import sys
import tempfile
import traceback
import warnings
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

from benchmarks.figure import Figure
from benchmarks.machine import described, fill_memory
from benchmarks.peers import MissingPeerError, check_installed
from benchmarks.settings import Settings
from benchmarks.table import as_markdown, as_text, replaced
from tests.support.appliance import REPOSITORY

# Each is a module with `measure(settings) -> list[Figure]`, in the order of the table.
MEASUREMENTS = (
    "receive",
    "nagle",
    "scanners",
    "forward",
    "sender",
    "edits",
    "cpu",
    "scan",
    "hundred",
    "memory",
    "idle",
    "growth",
)
CLEAR_LINE = "\r\x1b[K"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure; 0 also where a figure is missed, 1 where one could not be measured, 2 where nothing can be."""
    chosen = _parser().parse_args(arguments)
    try:
        check_installed()
    except MissingPeerError as error:
        print(error, file=sys.stderr)
        return 2
    warnings.filterwarnings("ignore", module="pydicom")  # real headers have odd values
    folder = Path(tempfile.mkdtemp(prefix=".benchmarks-", dir=chosen.folder))
    settings = Settings(folder, chosen.rounds, chosen.scale, say)
    try:
        machine = described(folder)
        figures, failed = run(chosen.only or MEASUREMENTS, settings)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    keep(figures, machine, settings, chosen.json, chosen.write)
    return 1 if failed else 0


def run(names: Sequence[str], settings: Settings) -> tuple[list[Figure], list[str]]:
    """The figures of all these measurements, and the names of those that failed, whose reason is printed."""
    figures: list[Figure] = []
    failed: list[str] = []
    for name in names:
        place = settings.folder / name
        place.mkdir()
        try:
            if settings.scale >= 1:
                say(f"{name}: filling the memory")
                fill_memory(place)
            module = importlib.import_module(f"benchmarks.{name}")
            figures += module.measure(replace(settings, folder=place))
        except Exception:  # noqa: BLE001 - the border of a measurement: the others are worth having
            failed.append(name)
            say("")
            print(f"{name} could not be measured:\n{traceback.format_exc()}", file=sys.stderr)
    say("")
    return figures, failed


def keep(
    figures: Sequence[Figure], machine: str, settings: Settings, record: Path | None, document: Path | None
) -> None:
    """Print the table; write the record (JSON) and the results in the document where they are asked for."""
    print(as_text(figures), f"\n{machine}, {settings.rounds} rounds", sep="\n")
    if record is not None:
        content = {"machine": machine, "rounds": settings.rounds, "scale": settings.scale}
        lines = [{**asdict(figure), "judged": figure.judged, "verdict": figure.verdict} for figure in figures]
        record.write_text(json.dumps({**content, "figures": lines}, indent=1) + "\n", encoding="utf-8")
    if document is not None:
        results = f"\nMeasured on {machine}; medians of {settings.rounds} rounds.\n\n{as_markdown(figures)}\n"
        document.write_text(replaced(document.read_text(encoding="utf-8"), results), encoding="utf-8")


def say(line: str) -> None:
    """Show what is being done, each line in place of the last."""
    if sys.stderr.isatty():
        sys.stderr.write(CLEAR_LINE + line)
    elif line:
        sys.stderr.write(line + "\n")
    sys.stderr.flush()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure the appliance beside its peers.")
    parser.add_argument("--only", type=_names, metavar="A,B", help=f"of {', '.join(MEASUREMENTS)}")
    parser.add_argument("--rounds", type=int, default=5, help="how often each is measured (default 5)")
    parser.add_argument("--scale", type=float, default=1.0, help="less than 1 proves only that a measurement works")
    parser.add_argument(
        "--folder", type=Path, default=REPOSITORY, help="on the disk to measure (default: this checkout)"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every measured value")
    parser.add_argument(
        "--write", type=_document, metavar="FILE", help="put the table between the markers of a document"
    )
    return parser


def _names(text: str) -> list[str]:
    names = text.split(",")
    unknown = sorted(set(names) - set(MEASUREMENTS))
    if unknown:
        raise argparse.ArgumentTypeError(f"no measurement {', '.join(unknown)}; there are {', '.join(MEASUREMENTS)}")
    return names


def _document(name: str) -> Path:
    """Refused before anything is measured where the table could not be put into it."""
    path = Path(name)
    try:
        replaced(path.read_text(encoding="utf-8"), "")
    except (OSError, ValueError) as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return path


if __name__ == "__main__":
    sys.exit(main())
