"""`micropacs held`: the inbox of instances that wait for a person."""

import dataclasses
from collections.abc import Callable
from enum import StrEnum
from typing import Annotated

import typer

from archive import Archive, NotKeptError
from router.cli.held_lines import add_line
from router.cli.held_listing import COLUMNS, advised, as_plain, chosen, row_of, tell_candidates, tell_corrections
from router.cli.options import Config, Json, configuration, in_force, opened
from router.cli.output import Exit, as_json, console, errors, fail, printable, table
from router.inbox import Group, grouped, person
from rules import Attribute, AttributeNameError


class HeldState(StrEnum):
    """What may have become of an instance that was held."""

    held = "held"
    released = "released"
    rejected = "rejected"
    filed = "filed"


application = typer.Typer(help="Instances that wait for a person, and why.", no_args_is_help=False)

Arrivals = Annotated[
    list[str],
    typer.Argument(metavar="ARRIVAL…", help="As `held list` shows them; a study's UID for all of it; or `all`."),
]
By = Annotated[str | None, typer.Option(help="Who decides; the name of the system's user if not said.")]


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
    """List what is held, study by study, with the reason and what would fix it."""
    loaded = in_force(config)
    with opened(loaded) as appliance:
        groups = grouped(appliance.archive.held(state))
        told = [(group, *advised(appliance.archive, loaded, group)) for group in groups]
    if json:
        as_json(
            [
                {**as_plain(each, advice, found), "instances": len(group.members)}
                for group, advice, found in told
                for each in group.members
            ]
        )
        return
    if not groups:
        console.print(f"nothing is {state}", markup=False)
        return
    table(COLUMNS, [row_of(group) for group in groups])
    for group, advice, found in told:
        console.print(f"\n{group.first.arrival}: {printable(advice.text)}", markup=False)
        tell_corrections(group.first)
        tell_candidates(found)


@application.command()
def show(
    arrival: Annotated[str, typer.Argument(help="As `held list` shows it.")], config: Config = None, json: Json = False
) -> None:
    """Show all that is known of one instance, what would fix it, and which patients may be meant."""
    loaded = in_force(config)
    with opened(loaded) as appliance:
        found = appliance.archive.held_these([arrival])
        if not found:
            fail(f"{arrival} is not held", Exit.NOT_SO, hint="look with: micropacs held")
        (each,) = found
        advice, _ = advised(appliance.archive, loaded, Group(None, (each,), is_whole_study=False))
        candidates = appliance.archive.patients_like(each.corrected)
    if json:
        as_json(as_plain(each, advice, candidates))
        return
    rows = [(name, value) for name, value in dataclasses.asdict(each).items() if not isinstance(value, dict)]
    rows += [
        (name, value)
        for part in (dataclasses.asdict(each.origin), dataclasses.asdict(each.identity), each.attributes)
        for name, value in part.items()
    ]
    rows += [(f"{name} (set by hand)", value) for name, value in each.fixes.items()]
    table(("", ""), [(name, value) for name, value in rows if value not in {None, ""}])
    console.print(f"\n{printable(advice.text)}", markup=False)
    tell_candidates(candidates)


@application.command()
def release(
    arrivals: Arrivals,
    as_it_came: Annotated[bool, typer.Option("--as-it-came", help="Forget what was corrected by hand before.")] = False,
    by: By = None,
    config: Config = None,
    json: Json = False,
) -> None:
    """Let instances go: they are filed and routed by the rules as they are now, what was corrected by hand first."""
    _release(arrivals, {}, by, as_it_came=as_it_came, config=config, json=json)


@application.command()
def fix(
    what: Annotated[
        list[str],
        typer.Argument(
            metavar="ARRIVAL… [KEYWORD=VALUE…]",
            help="As `held list` shows them, or a study's UID; and what to set first, e.g. PatientID=01234567.",
        ),
    ],
    table_name: Annotated[
        str | None, typer.Option("--table", metavar="NAME", help="Add a line for their value to this lookup table.")
    ] = None,
    to: Annotated[str | None, typer.Option("--to", metavar="VALUE", help="What the table shall give for it.")] = None,
    by: By = None,
    config: Config = None,
    json: Json = False,
) -> None:
    """Set attributes by hand, or add what a table lacks; then let the instances go through the rules."""
    arrivals = [each for each in what if "=" not in each]
    fixes = _fixes([each for each in what if "=" in each])
    if not arrivals:
        fail("name the instances, as `micropacs held` shows them", Exit.WRONG)
    if (table_name is None) != (to is None) or (table_name is None) == (not fixes):
        fail("give either KEYWORD=VALUE, or --table NAME --to VALUE", Exit.WRONG)
    if table_name is None or to is None:
        _release(arrivals, fixes, by, config=config, json=json)
    elif not to.strip() or not to.isprintable():
        fail("--to needs a value", Exit.WRONG)
    else:
        add_line(arrivals, table_name, to.strip(), person(by), configuration(config), json=json)


@application.command()
def reject(
    arrivals: Arrivals,
    why: Annotated[str, typer.Option(help="The reason, kept with the instance.")],
    by: By = None,
    config: Config = None,
    json: Json = False,
) -> None:
    """Decide that instances are never filed or sent. The file stays in the hold, as rejected."""
    if not why.strip():
        fail("--why needs a reason", Exit.WRONG)
    done = _decide(arrivals, lambda archive, arrival: archive.reject(arrival, person(by), why), config)
    _told(*done, "rejected", json=json)


def _release(
    arrivals: list[str], fixes: dict[str, str], by: str | None, *, as_it_came: bool = False, config: Config, json: bool
) -> None:
    def let(archive: Archive, arrival: str) -> None:
        archive.release(arrival, person(by), fixes, as_it_came=as_it_came)

    done = _decide(arrivals, let, config)
    _told(*done, "released; what the rules still hold comes back with its reason", json=json)


def _decide(arrivals: list[str], decide: Callable[[Archive, str], None], config: Config) -> tuple[int, list[str]]:
    """Decide on each of them that is held; how many those are, and which are not."""
    not_held = []
    with opened(in_force(config)) as appliance:
        meant = chosen(appliance.archive, arrivals)
        for arrival in meant:
            try:
                decide(appliance.archive, arrival)
            except NotKeptError:
                not_held.append(arrival)
    return len(meant) - len(not_held), not_held


def _fixes(values: list[str]) -> dict[str, str]:
    """What is to be set, by keyword; a wrong name ends the command."""
    fixes: dict[str, str] = {}
    for value in values:
        keyword, _, text = value.partition("=")
        try:
            Attribute.parse(keyword)
        except AttributeNameError as error:
            fail(str(error), Exit.WRONG, hint=f"did you mean {error.suggestion}?" if error.suggestion else None)
        fixes[keyword] = text
    return fixes


def _told(count: int, not_held: list[str], what: str, *, json: bool) -> None:
    """Say how many it was done to, and which of them could not be; code 1 where there are any, or nothing was done."""
    if json:
        as_json({"instances": count} | ({"not_held": not_held} if not_held else {}))
    else:
        console.print(f"{count} {what}")
    for each in not_held:
        errors.print(f"{each} is not held", markup=False)
    if not_held:
        errors.print("  look with: micropacs held", markup=False)
    raise typer.Exit(Exit.DONE if count and not not_held else Exit.NOT_SO)
