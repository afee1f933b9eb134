"""`micropacs explain`: what the rules would do with a file, and why; or what happened to a study of the archive."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from archive import ChangeMade
from router.cli.options import Config, Json, configuration, in_force, opened
from router.cli.output import Exit, as_json, console, fail, printable, table
from router.cli.queue_listing import UNDELIVERED, tell_deliveries
from router.config import IMPORT, Configuration
from router.errors import RouterError
from router.part10 import part_ten
from router.reading import read_header
from rules import Arrival, Explanation, Header, RulesError, explained

_STYLES = {"-": "red", "+": "green", "✗": "red", "✓": "green", "!": "yellow"}


def explain(
    files: Annotated[list[Path] | None, typer.Argument(metavar="FILE", help="DICOM files.")] = None,
    source: Annotated[str | None, typer.Option(help="As if this source had sent it.")] = None,
    study: Annotated[
        str | None, typer.Option(metavar="UID", help="What has happened to this study of the archive.")
    ] = None,
    config: Config = None,
    json: Json = False,
) -> None:
    """Show every rule and condition with its actual value, the header before and after, and where it goes."""
    if study:
        _explain_study(in_force(config), study, json=json)
        return
    loaded = configuration(config)
    if not files:
        fail("name a DICOM file, or a study with --study UID", Exit.WRONG)
    explanations = [(file, _explained(loaded, file, source)) for file in files]
    if json:
        as_json([{"file": str(file), **explanation.as_dict()} for file, explanation in explanations])
        return
    for file, explanation in explanations:
        console.print(f"[bold]{escape(str(file))}[/]")
        for line in explanation.lines():
            console.print(printable(line), markup=False, style=_STYLES.get(line.lstrip()[:1]))


def _explained(loaded: Configuration, file: Path, source: str | None) -> Explanation:
    return explained(loaded.ruleset, file_header(file), arrival_from(loaded, source))


def file_header(file: Path) -> Header:
    """The header of a DICOM file; the command ends with code 1 where it cannot be read."""
    try:
        kept = part_ten(file)
        return read_header(file, kept.data_set_offset, kept.identity.transfer_syntax_uid)
    except (RulesError, RouterError) as error:
        fail(f"{file}: {error}", Exit.NOT_SO)
    except OSError as error:
        fail(f"{file}: {error.strerror}", Exit.NOT_SO)


def arrival_from(loaded: Configuration, source: str | None) -> Arrival:
    """As if a source had sent it just now; the command ends with code 2 where there is no such source."""
    known = (*loaded.settings.sources, IMPORT)
    if source is not None and source not in known:
        fail(f"there is no source {source!r}", Exit.WRONG, hint=f"sources: {', '.join(known)}")
    sender = loaded.settings.sources.get(source) if source else None
    return Arrival(
        source,
        getattr(sender, "ae_title", "") or "",
        loaded.settings.appliance.ae_title,
        str(getattr(sender, "host", "") or ""),
        datetime.now(UTC).astimezone(loaded.zone),
    )


def _explain_study(loaded: Configuration, uid: str, *, json: bool) -> None:
    with opened(loaded) as appliance:
        study_id = appliance.archive.study_id(uid)
        if study_id is None:
            fail(f"the archive holds no study {uid}", Exit.NOT_SO, hint="look with: micropacs find")
        events = appliance.journal.of_study(study_id)
        deliveries = appliance.queue.listing(study_id=study_id, states=UNDELIVERED)
        receipts = appliance.queue.receipts(study_id)
        changes = appliance.archive.changes(study_id)
    if json:
        plain = {"changes": [asdict(each) for each in changes], "undelivered": [asdict(each) for each in deliveries]}
        as_json({"study": uid, "events": events, "receipts": receipts, **plain})
        return
    table(("when", "what", "source", "revision", "detail"), [_event(event) for event in events], title="What happened")
    tell_changes(changes)
    tell_receipts(receipts)
    if deliveries:
        console.print("\nWhat is not delivered")
        tell_deliveries(deliveries, {study_id: uid})


def tell_changes(changes: Sequence[ChangeMade]) -> None:
    """Print what was changed in a study, one row a change of an attribute."""
    rows = [
        (each.at, each.rule, each.by, each.attribute, each.old, each.new, each.instances, each.undone_at)
        for each in changes
    ]
    columns = ("when", "rule", "by", "attribute", "before", "after", "instances", "undone")
    table(columns, rows, title="\nWhat was changed")


def tell_receipts(receipts: Sequence[Mapping[str, Any]]) -> None:
    """Print what each destination got of a study."""
    columns = ("destination", "instances", "states", "first", "last")
    table(columns, [_receipt(receipt) for receipt in receipts], title="\nWhere it went")


def _receipt(receipt: Mapping[str, Any]) -> list[object]:
    states = ", ".join(f"{count} {state}" for state, count in receipt["states"].items())
    times = [datetime.fromisoformat(receipt[key]) if key in receipt else None for key in ("first_at", "last_at")]
    return [receipt["destination"], receipt["instances"], states, *times]


def _event(event: dict[str, Any]) -> list[object]:
    detail = ", ".join(f"{key} {value}" for key, value in event["detail"].items() if value is not None)
    return [event["at"], event["kind"], event["source"], event["revision"], detail]
