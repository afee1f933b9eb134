"""What all commands share: which configuration file, JSON or not, and the opened appliance."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, NoReturn

import sqlalchemy
import typer

from archive import LOCKED, Database, DatabaseUnfitError
from router.appliance import Appliance, database_url
from router.cli.output import Exit, errors, fail, refuse, speak_json
from router.config import Configuration, ConfigurationError, configuration_in_force, load
from router.disks import DiskGoneError, Health, look, refuse_what_is_missing
from router.migrations import SchemaNewerError, is_current
from router.telemetry import reason_of

DEFAULT_FILE = "micropacs.yaml"


def or_before(context: typer.Context, option: typer.CallbackParam, value: Any) -> Any:  # noqa: ANN401 - of any type
    """The option as given after the command, else as given before it."""
    if value or context.parent is None:
        return value
    return context.parent.params.get(option.name or "") or value


def _json(context: typer.Context, option: typer.CallbackParam, value: bool) -> bool:
    """Whether to print JSON; from here on refusals are told so too."""
    told = bool(or_before(context, option, value))
    speak_json(told)
    return told


Config = Annotated[
    Path | None,
    typer.Option(
        "-c",
        "--config",
        metavar="FILE",
        help="The configuration (if not named: $MICROPACS_CONFIG, else micropacs.yaml).",
        show_default=False,
        callback=or_before,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs.", callback=_json)]


def configuration_path(given: Path | None) -> Path:
    """The configuration file: the option, the environment, the default."""
    return Path(given or os.environ.get("MICROPACS_CONFIG") or DEFAULT_FILE)


def configuration(given: Path | None) -> Configuration:
    """Load the configuration; its problems are told in the order of the file, and end the command."""
    path = configuration_path(given)
    try:
        return load(path)
    except ConfigurationError as error:
        refuse([problem.as_dict() for problem in error.problems], str(error))
        if not path.exists():
            errors.print("  name the file with -c FILE, or in $MICROPACS_CONFIG", markup=False)
        raise typer.Exit(Exit.WRONG) from None


def in_force(given: Path | None) -> Configuration:
    """The configuration for looking at the appliance: the file's, or while that is broken the one that still runs."""
    path = configuration_path(given)
    try:
        return load(path)
    except ConfigurationError as error:
        running = configuration_in_force(path)
        if running is None:
            return configuration(given)
        mistakes = f"{len(error.problems)} mistake{'s' if len(error.problems) > 1 else ''}"
        errors.print(f"{path} has {mistakes}; the last good one is in force. See: micropacs check", markup=False)
        return running


@contextmanager
def opened(configuration: Configuration) -> Iterator[Appliance]:
    """The appliance's database, archive and queue; the command ends with code 3 when they cannot be reached."""
    _be_there(configuration)
    try:
        appliance = Appliance.open(configuration)
    except (DatabaseUnfitError, SchemaNewerError) as error:
        fail(str(error), Exit.UNREACHABLE)
    except (sqlalchemy.exc.SQLAlchemyError, OSError) as error:
        _unreachable(configuration, error)
    try:
        yield appliance
    except sqlalchemy.exc.SQLAlchemyError as error:
        _unreachable(configuration, error)
    finally:
        appliance.close()


@contextmanager
def read_only(configuration: Configuration) -> Iterator[Database]:
    """The appliance's database, to which nothing is written; code 3 if it is away or of another version."""
    _be_there(configuration)
    database = Database(database_url(configuration), read_only=True)
    try:
        if not is_current(database):
            hint = "micropacs serve brings it up to date, also where that was interrupted"
            fail("the database is of an older version of micropacs", Exit.UNREACHABLE, hint=hint)
        yield database
    except (DatabaseUnfitError, SchemaNewerError) as error:
        fail(str(error), Exit.UNREACHABLE)
    except sqlalchemy.exc.SQLAlchemyError as error:
        _unreachable(configuration, error)
    finally:
        database.dispose()


def _be_there(configuration: Configuration) -> None:
    """Code 3 where the appliance has not run, or where a disk of it is missing."""
    try:
        refuse_what_is_missing(configuration, ["spool", "archive", "database"])
    except DiskGoneError as error:
        fail(str(error), Exit.UNREACHABLE)
    if configuration.settings.appliance.database is None and not (configuration.data / "micropacs.db").exists():
        fail(
            f"the appliance has not run with {configuration.path} yet: there is no database in {configuration.data}",
            Exit.UNREACHABLE,
            hint="start it with: micropacs serve",
        )


def _unreachable(configuration: Configuration, error: Exception) -> NoReturn:
    reason = reason_of(error)
    url = sqlalchemy.make_url(database_url(configuration))
    hint = "is the database server running, and may this machine and its user in?"
    if url.get_backend_name() == "sqlite":
        hint = f"is {url.database} whole, and may you read and write it?"
        if reason == LOCKED:
            hint = f"end what else uses {url.database}; until then the appliance keeps what it receives in its spool"
    bad = [str(disk) for disk in look(configuration) if disk.health is not Health.GOOD]
    what = "the data folder" if isinstance(error, OSError) else "the database"
    fail(f"{what} cannot be reached: {reason}", Exit.UNREACHABLE, hint="\n  ".join(bad) or hint)
