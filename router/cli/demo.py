"""`micropacs demo`: the main job once, on this machine, with real DICOM over TCP."""

import shutil
import tempfile
import warnings
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from router.cli.options import Json
from router.cli.output import Exit, as_json, console, errors, fail, table
from router.demo.children import DemoError
from router.demo.run import Demo, Row


def demo(
    study: Annotated[
        Path | None, typer.Option(help="Your own DICOM files instead of the phantom.", exists=True, show_default=False)
    ] = None,
    folder: Annotated[
        Path | None,
        typer.Option(help="Work here and keep everything, instead of a temporary folder.", show_default=False),
    ] = None,
    slices: Annotated[int, typer.Option(min=1, max=1000, help="Slices a series of the phantom.")] = 263,
    json: Json = False,
) -> None:
    """Do the main job once: scanner, rule, archive, workstation and full PACS, each a process, and prove the result."""
    place = folder or Path(tempfile.mkdtemp(prefix="micropacs-demo-"))
    place.mkdir(parents=True, exist_ok=True)
    warnings.filterwarnings("ignore", module="pydicom")  # of the user's files; here only their bytes count
    try:
        rows = Demo(place, errors if json else console, slices).run(study)
    except DemoError as error:
        fail(str(error), Exit.NOT_SO, hint=f"everything is kept in {place}")
    complete = all(row.complete for row in rows)
    if json:
        as_json({"ok": complete, "folder": str(place), "rows": [asdict(row) for row in rows]})
    else:
        _tell(rows)
    if complete:
        if folder is None:
            shutil.rmtree(place, ignore_errors=True)
        return
    errors.print(f"\n[red]Something is missing.[/] Logs, data and configuration are kept in {place}")
    raise typer.Exit(Exit.NOT_SO)


def _tell(rows: Sequence[Row]) -> None:
    console.print()
    table(
        ("who", "got", "complete after", "verified how"),
        [(row.who, f"{row.got} of {row.of}", f"{row.seconds:.1f} s", row.how) for row in rows],
    )
    if all(row.complete for row in rows):
        console.print("\n[green]Every instance is where it belongs.[/]")
