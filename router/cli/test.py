"""`micropacs test`: the tests that stand in the configuration file, and new ones written from real instances."""

from collections.abc import Sequence
from typing import Annotated

import typer

from router.cli.example import write_tests
from router.cli.options import Config, Json, configuration
from router.cli.output import Exit, as_json, console
from rules import TestResult, run_tests


def test(
    template: Annotated[
        str | None,
        typer.Option("--from", metavar="STUDY|FILE", help="Write tests from a study of the archive or a DICOM file."),
    ] = None,
    source: Annotated[str | None, typer.Option(help="With a file: as if this source had sent it.")] = None,
    config: Config = None,
    json: Json = False,
) -> None:
    """Run the tests of the configuration file: given this header, what is decided."""
    loaded = configuration(config)
    if template is not None:
        write_tests(loaded, template, source, json=json)
        return
    results = run_tests(loaded.ruleset)
    passed = all(result.passed for result in results)
    if json:
        as_json({"ok": passed, "tests": as_plain(results)})
    else:
        tell(results)
    raise typer.Exit(Exit.DONE if passed else Exit.NOT_SO)


def as_plain(results: Sequence[TestResult]) -> list[dict[str, object]]:
    """Results for JSON."""
    return [{"name": result.name, "passed": result.passed, "failures": list(result.failures)} for result in results]


def tell(results: Sequence[TestResult]) -> None:
    """Print results for people."""
    for result in results:
        console.print(f"{'[green]✓[/]' if result.passed else '[red]✗[/]'} ", end="")
        console.print(result.name, markup=False)
        for failure in result.failures:
            console.print(f"    {failure}", markup=False)
    failed = sum(not result.passed for result in results)
    console.print(f"{len(results) - failed} of {len(results)} tests pass" if results else "no tests in the file")
