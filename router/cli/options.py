"""What all commands share: which configuration file, JSON or not, and the opened appliance."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import sqlalchemy.exc
import typer

from router.appliance import Appliance
from router.cli.output import Exit, as_json, errors, fail
from router.config import Configuration, ConfigurationError, load

DEFAULT_FILE = "micropacs.yaml"

Config = Annotated[
    Path | None,
    typer.Option(
        "-c",
        "--config",
        metavar="FILE",
        help="The configuration [default: $MICROPACS_CONFIG, else micropacs.yaml].",
        show_default=False,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


def configuration_path(context: typer.Context, given: Path | None) -> Path:
    """The configuration file: the option after the command or before it, the environment, the default."""
    outer = context.parent
    while given is None and outer is not None:
        given = outer.params.get("config")
        outer = outer.parent
    return Path(given or os.environ.get("MICROPACS_CONFIG") or DEFAULT_FILE)


def configuration(context: typer.Context, given: Path | None, *, json: bool = False) -> Configuration:
    """Load the configuration; its problems are told and end the command."""
    path = configuration_path(context, given)
    try:
        return load(path)
    except ConfigurationError as error:
        tell_problems(error, json=json)
        raise typer.Exit(Exit.WRONG) from None


def tell_problems(error: ConfigurationError, *, json: bool) -> None:
    """Print every problem of a configuration, in the order of the file."""
    if json:
        as_json({"ok": False, "problems": [problem.as_dict() for problem in error.problems]})
        return
    for problem in error.problems:
        errors.print(str(problem), markup=False)


@contextmanager
def opened(configuration: Configuration) -> Iterator[Appliance]:
    """The appliance's database, archive and queue; the command ends with code 3 when they cannot be reached."""
    if configuration.settings.appliance.database is None and not (configuration.data / "micropacs.db").exists():
        fail(
            f"the appliance has not run with {configuration.path} yet: there is no database in {configuration.data}",
            Exit.UNREACHABLE,
            hint="start it with: micropacs serve",
        )
    try:
        appliance = Appliance.open(configuration)
    except (sqlalchemy.exc.SQLAlchemyError, OSError) as error:
        fail(
            f"the database cannot be reached ({type(error).__name__})",
            Exit.UNREACHABLE,
            hint="is the database server running?",
        )
    try:
        yield appliance
    except sqlalchemy.exc.OperationalError as error:
        fail(
            f"the database cannot be reached ({type(error).__name__})",
            Exit.UNREACHABLE,
            hint="is the database server running?",
        )
    finally:
        appliance.close()
