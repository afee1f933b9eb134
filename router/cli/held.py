"""`micropacs held`: the inbox of instances that wait for a person."""

import dataclasses
import getpass
from collections.abc import Callable
from enum import StrEnum
from typing import Annotated

import typer

from archive import Archive, NotKeptError
from router.cli.options import Config, Json, in_force, opened
from router.cli.output import Exit, as_json, console, fail, table
from rules import Attribute, AttributeNameError


class HeldState(StrEnum):
    """What may have become of an instance that was held."""

    held = "held"
    released = "released"
    rejected = "rejected"
    filed = "filed"


application = typer.Typer(help="Instances that wait for a person, and why.", no_args_is_help=False)

Arrivals = Annotated[list[str], typer.Argument(metavar="ARRIVAL…", help="As `held list` shows them; or `all`.")]


@application.callback(invoke_without_command=True)
def held(context: typer.Context, config: Config = None, json: Json = False) -> None:
    """List what is held; with a command, decide about it."""
    if context.invoked_subcommand is None:
        list_held(config=config, json=json)


@application.command("list")
def list_held(
    state: Annotated[HeldState, typer.Option(help="Which instances to list.")] = HeldState.held,
    config: Config = None,
    json: Json = False,
) -> None:
    """List held instances with the reason."""
    with opened(in_force(config)) as appliance:
        found = appliance.archive.held(state)
    if json:
        as_json([dataclasses.asdict(each) for each in found])
        return
    if not found:
        console.print(f"nothing is {state}", markup=False)
        return
    rows = [
        (
            each.arrival,
            each.held_at,
            each.origin.source,
            each.attributes.get("PatientID"),
            each.attributes.get("Modality"),
            each.rule,
            each.reason,
        )
        for each in found
    ]
    table(("arrival", "since", "source", "PatientID", "Modality", "rule", "why"), rows)
    console.print(
        "\nmicropacs held fix ARRIVAL KEYWORD=VALUE | held release ARRIVAL | held reject ARRIVAL --why TEXT",
        markup=False,
    )


@application.command()
def release(arrivals: Arrivals, config: Config = None, json: Json = False) -> None:
    """Let instances go: they are filed and routed by the rules as they are now."""
    _release(arrivals, {}, config=config, json=json)


@application.command()
def fix(
    arrival: Annotated[str, typer.Argument(help="As `held list` shows it.")],
    values: Annotated[
        list[str], typer.Argument(metavar="KEYWORD=VALUE…", help="What to set first, e.g. PatientID=01234567.")
    ],
    config: Config = None,
    json: Json = False,
) -> None:
    """Set attributes by hand, then let the instance go through the rules."""
    fixes: dict[str, str] = {}
    for value in values:
        keyword, separator, text = value.partition("=")
        if not separator:
            fail(f"{value!r} is not KEYWORD=VALUE", Exit.WRONG)
        try:
            Attribute.parse(keyword)
        except AttributeNameError as error:
            fail(str(error), Exit.WRONG, hint=f"did you mean {error.suggestion}?" if error.suggestion else None)
        fixes[keyword] = text
    _release([arrival], fixes, config=config, json=json)


@application.command()
def reject(
    arrivals: Arrivals,
    why: Annotated[str, typer.Option(help="The reason, kept with the instance.")],
    config: Config = None,
    json: Json = False,
) -> None:
    """Decide that instances are never filed or sent. The file stays in the hold, as rejected."""
    count = _decide(arrivals, lambda archive, arrival: archive.reject(arrival, getpass.getuser(), why), config)
    _told(count, "rejected", json=json)


def _release(arrivals: list[str], fixes: dict[str, str], *, config: Config, json: bool) -> None:
    count = _decide(arrivals, lambda archive, arrival: archive.release(arrival, getpass.getuser(), fixes), config)
    _told(count, "released; what the rules still hold comes back with its reason", json=json)


def _decide(arrivals: list[str], decide: Callable[[Archive, str], None], config: Config) -> int:
    """Decide about each of them, or about all that is held; how many that were."""
    with opened(in_force(config)) as appliance:
        archive = appliance.archive
        chosen = [each.arrival for each in archive.held()] if arrivals == ["all"] else arrivals
        for arrival in chosen:
            try:
                decide(archive, arrival)
            except NotKeptError:
                fail(f"{arrival} is not held", Exit.NOT_SO, hint="look with: micropacs held")
    return len(chosen)


def _told(count: int, what: str, *, json: bool) -> None:
    if json:
        as_json({"instances": count})
    else:
        console.print(f"{count} {what}")
    raise typer.Exit(Exit.DONE if count else Exit.NOT_SO)
