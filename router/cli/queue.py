"""`micropacs queue`: deliveries under way and destinations, with the reason why each waits; and orders about them."""

import dataclasses
import getpass
from enum import StrEnum
from typing import Annotated, Any

import typer

from router.appliance import Appliance
from router.cli.options import Config, Json, in_force, opened, or_before
from router.cli.output import Exit, as_json, console, fail
from router.cli.queue_listing import UNDELIVERED, tell_deliveries, tell_lines
from router.config import Configuration, ConfigurationError, Snapshot, SnapshotError
from router.delivery import InForce, LineState, Listed, State
from router.rerouted import Rerouted

application = typer.Typer(help="Deliveries and destinations, with the reason why each waits.", no_args_is_help=False)

Destination = Annotated[str | None, typer.Option(help="Only this destination.", show_default=False, callback=or_before)]
Study = Annotated[
    str | None, typer.Option(metavar="UID", help="Only this study.", show_default=False, callback=or_before)
]
OneDestination = Annotated[str | None, typer.Option(help="Which destination.", show_default=False, callback=or_before)]


class Under(StrEnum):
    """By which rules a held delivery is tried again."""

    current = "current"
    filed = "filed"


@application.callback(invoke_without_command=True)
def queue(
    context: typer.Context,
    destination: Destination = None,
    study: Study = None,
    config: Config = None,
    json: Json = False,
) -> None:
    """List what is under way; with a command, give an order about it."""
    if context.invoked_subcommand is None:
        list_deliveries(destination, study, config=config, json=json)


@application.command("list")
def list_deliveries(
    destination: Destination = None,
    study: Study = None,
    every: Annotated[bool, typer.Option("--all", help="Also what is delivered, cancelled or ignored.")] = False,
    limit: Annotated[int, typer.Option(min=1, help="At most so many deliveries.")] = 10_000,
    config: Config = None,
    json: Json = False,
) -> None:
    """List deliveries that are not delivered yet, and every destination."""
    with opened(in_force(config)) as appliance:
        study_id = _study_id(appliance, study)
        _check_known(appliance, destination)
        states = tuple(State) if every else UNDELIVERED
        deliveries = appliance.queue.listing(destination=destination, study_id=study_id, states=states, limit=limit)
        lines = [line for line in appliance.queue.overview() if destination in (None, line.destination)]
        studies = appliance.archive.study_uids({delivery.study_id for delivery in deliveries})
    if json:
        rows = [_plain(delivery) | {"study_uid": studies.get(delivery.study_id)} for delivery in deliveries]
        as_json({"destinations": [_plain(line) for line in lines], "deliveries": rows})
        return
    tell_lines(lines)
    if deliveries:
        console.print()
        tell_deliveries(deliveries, studies)


@application.command()
def retry(
    destination: Destination = None,
    study: Study = None,
    under: Annotated[
        Under | None,
        typer.Option(
            help="What is held: current takes the edits and secrets in force, be they others than it was decided with, "
            "filed leaves it those. Without it those in force, if they do no less.",
            show_default=False,
        ),
    ] = None,
    config: Config = None,
    json: Json = False,
) -> None:
    """Try again now what is parked, held (by the rules in force), or waits for its next attempt."""
    loaded = in_force(config)
    with opened(loaded) as appliance:
        _check_known(appliance, destination)
        rules = None if under is Under.filed else _rules_in_force(appliance, loaded, under)
        done = appliance.queue.retry(destination, _study_id(appliance, study), rules)
    if json:
        as_json({"deliveries": done.due, "held": done.held})
    else:
        console.print(f"{done.due} deliveries due again")
        if done.held:
            console.print(f"{done.held} stay held, and why is said by: micropacs queue")
    raise typer.Exit(Exit.DONE if done.due and not done.held else Exit.NOT_SO)


def _rules_in_force(appliance: Appliance, loaded: Configuration, under: Under | None) -> InForce | None:
    """Those of the configuration that was served last; None where none was: then what is held keeps its own."""
    try:
        served = Snapshot(loaded.data).read()
    except SnapshotError:
        return None
    except ConfigurationError:
        hint = "run it with the environment and the secrets that the appliance has"
        fail("the configuration in force cannot be read here", Exit.WRONG, hint=hint)
    appliance.revisions.remember(served)
    routed = Rerouted(appliance.archive, served)
    return InForce(served.revision, appliance.revisions.ruleset, routed, as_they_are=under is Under.current)


@application.command()
def cancel(
    destination: Destination = None,
    study: Study = None,
    config: Config = None,
    json: Json = False,
) -> None:
    """Send no more what is not delivered yet. The archive keeps everything."""
    if destination is None and study is None:
        fail("say what to cancel", Exit.WRONG, hint="with --destination NAME, --study UID, or both")
    with opened(in_force(config)) as appliance:
        _check_known(appliance, destination)
        count = appliance.queue.cancel(getpass.getuser(), destination, _study_id(appliance, study))
    _done(count, "cancelled", json=json)


@application.command()
def pause(
    destination: OneDestination = None,
    reason: Annotated[str, typer.Option(help="Why, for those who look later.")] = "",
    config: Config = None,
    json: Json = False,
) -> None:
    """Send nothing to a destination until `resume`; what is for it waits."""
    with opened(in_force(config)) as appliance:
        name = _one(appliance, destination)
        appliance.queue.pause(name, reason or f"by {getpass.getuser()}")
    _ordered(name, "paused", json=json)


@application.command()
def resume(
    destination: OneDestination = None,
    config: Config = None,
    json: Json = False,
) -> None:
    """Send to a destination again, at once."""
    with opened(in_force(config)) as appliance:
        name = _one(appliance, destination)
        appliance.queue.resume(name)
    _ordered(name, "resumed", json=json)


def _study_id(appliance: Appliance, uid: str | None) -> int | None:
    if uid is None:
        return None
    study_id = appliance.archive.study_id(uid)
    if study_id is None:
        fail(f"the archive holds no study {uid}", Exit.NOT_SO, hint="look with: micropacs find")
    return study_id


def _one(appliance: Appliance, destination: str | None) -> str:
    if destination is None:
        fail("say which destination", Exit.WRONG, hint="with --destination NAME")
    _check_known(appliance, destination)
    return destination


def _check_known(appliance: Appliance, destination: str | None) -> None:
    known = [line.destination for line in appliance.queue.overview()]
    if destination is not None and destination not in known:
        fail(f"there is no destination {destination!r}", Exit.WRONG, hint=f"destinations: {', '.join(known) or 'none'}")


def _plain(value: Listed | LineState) -> dict[str, Any]:
    return dataclasses.asdict(value)


def _done(count: int, what: str, *, json: bool) -> None:
    if json:
        as_json({"deliveries": count})
    else:
        console.print(f"{count} deliveries {what}")
    raise typer.Exit(Exit.DONE if count else Exit.NOT_SO)


def _ordered(destination: str, what: str, *, json: bool) -> None:
    if json:
        as_json({"destination": destination, "done": what})
    else:
        console.print(f"{destination} {what}", markup=False)
