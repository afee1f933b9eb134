"""`micropacs study`: a kept study with all that is known of it, corrections by hand, and their undoing."""

import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Annotated

import typer

from archive import ArchiveError, StudyKept
from router.appliance import Appliance, utc_now
from router.cli.explain import tell_changes, tell_receipts
from router.cli.options import Config, Json, in_force, opened
from router.cli.output import Exit, as_json, console, fail, table
from router.cli.queue_listing import UNDELIVERED, tell_deliveries
from router.config import Configuration
from router.corrections import Corrected, CorrectionError, Corrector, correctable
from router.delivery import Digests, Holder
from router.inbox import person
from router.ingest import WARNED, is_mixed, people_of
from router.sizes import size

application = typer.Typer(no_args_is_help=True)

Study = Annotated[str, typer.Argument(metavar="UID", help="The Study Instance UID.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Ask nothing.")]
Resend = Annotated[
    bool, typer.Option("--resend", help="Send the version of now to every destination that has an older one.")
]


@application.callback()
def study_group(config: Config = None, json: Json = False) -> None:
    """What is known of a kept study, and corrections to it."""
    del config, json  # taken up by the command: router.cli.options.or_before


@application.command()
def show(study: Study, config: Config = None, json: Json = False) -> None:
    """Show a study: patient, series, where it came from, what was changed, where it went."""
    with opened(in_force(config)) as appliance:
        study_id = _study_id(appliance, study)
        kept = appliance.archive.contents(study_id)
        changes = appliance.archive.changes(study_id)
        deliveries = appliance.queue.listing(study_id=study_id, limit=1_000_000)
        receipts = appliance.queue.receipts(study_id)
        outdated = appliance.queue.holders(study_id)
        events = appliance.journal.of_study(study_id)
        people = people_of(appliance.archive, study_id) if is_mixed(events) else []
    if json:
        plain = {
            "study": study,
            "attributes": kept.attributes,
            "patients": people,
            "bytes": kept.bytes,
            "series": [asdict(each) for each in kept.series],
            "changes": [asdict(each) for each in changes],
            "standing": [asdict(each) for each in kept.standing],
            "deliveries": [asdict(each) for each in deliveries],
            "receipts": receipts,
            "outdated": [asdict(each) for each in outdated],
            "events": events,
        }
        as_json(plain)
        return
    table(("attribute", "value"), list(kept.attributes.items()), title="Patient and study")
    if len(people) > 1:
        table(list(people[0]), [list(each.values()) for each in people], title="\nInstances of more than one patient")
    table(("series", "modality", "description", "instances", "size"), _series(kept), title="\nSeries")
    table(("source", "calling AE", "host", "instances", "first", "last"), _origins(kept), title="\nWhere it came from")
    tell_changes(changes)
    if kept.standing:
        rows = [(each.at, each.by, each.attribute, each.value) for each in kept.standing]
        table(("since", "by", "attribute", "value"), rows, title="\nWhat arrives later is corrected, too")
    warned = [
        (each["at"], each["detail"]["rule"], each["detail"]["reason"])
        for each in events
        if each["kind"] == WARNED and each["detail"]["rule"]
    ]
    if warned:
        table(("since", "rule", "why"), warned, title="\nWhat rules warn of")
    tell_receipts(receipts)
    undelivered = [each for each in deliveries if each.state in UNDELIVERED]
    if undelivered:
        console.print("\nWhat is not delivered")
        tell_deliveries(undelivered, {study_id: study})
    _tell_holders(outdated)


@application.command()
def edit(
    study: Study,
    values: Annotated[
        list[str], typer.Argument(metavar="KEYWORD=VALUE…", help="What to set, e.g. PatientID=01234567.")
    ],
    resend: Resend = False,
    yes: Yes = False,
    config: Config = None,
    json: Json = False,
) -> None:
    """Correct attributes of every instance of a study, also of those that arrive later; `study undo` takes it back."""
    wanted = _wanted(values)
    with _correcting(study, config) as (appliance, corrector, study_id):
        done = corrector.edit(study_id, wanted, resend=resend)
        told = "corrected", "is corrected, too, until: micropacs study undo"
        _told(appliance, corrector, study_id, done, *told, asks=not (resend or yes or json), json=json)


@application.command()
def undo(study: Study, resend: Resend = False, yes: Yes = False, config: Config = None, json: Json = False) -> None:
    """Take back every change, by rules and by hand: each instance gets the bytes it was received with."""
    with _correcting(study, config) as (appliance, corrector, study_id):
        if not (yes or json) and sys.stdin.isatty():
            _confirm(appliance, study, study_id)
        done = corrector.undo(study_id, resend=resend)
        told = "as received again", "is filed as the rules say"
        _told(appliance, corrector, study_id, done, *told, asks=not (resend or yes or json), json=json)


@contextmanager
def _correcting(study: str, config: Config) -> Iterator[tuple[Appliance, Corrector, int]]:
    """What corrects this study; the command ends with code 1 where it cannot be done."""
    loaded: Configuration = in_force(config)
    with opened(loaded) as appliance:
        study_id = _study_id(appliance, study)
        digests = Digests(appliance.database, appliance.archive, appliance.revisions.ruleset, lambda: loaded.zone)
        parts = appliance.archive, appliance.queue, digests, appliance.journal
        try:
            yield appliance, Corrector(*parts, loaded, utc_now, person(None)), study_id
        except (CorrectionError, ArchiveError) as error:
            fail(f"nothing was changed: {error}", Exit.NOT_SO)


def _study_id(appliance: Appliance, study: str) -> int:
    study_id = appliance.archive.study_id(study)
    if study_id is None:
        fail(f"the archive holds no study {study}", Exit.NOT_SO, hint="look with: micropacs find")
    return study_id


def _wanted(values: list[str]) -> dict[str, str]:
    wanted: dict[str, str] = {}
    for value in values:
        keyword, separator, text = value.partition("=")
        if not separator:
            fail(f"{value!r} is not KEYWORD=VALUE", Exit.WRONG)
        if reason := correctable(keyword):
            fail(reason, Exit.WRONG)
        wanted[keyword] = text
    return wanted


def _confirm(appliance: Appliance, study: str, study_id: int) -> None:
    """Ask the person at the terminal whether it is meant; who does not say so changes nothing."""
    changes = [each for each in appliance.archive.changes(study_id) if each.undone_at is None]
    shown = [(each.rule, each.attribute, each.new, each.old, each.instances) for each in changes]
    if shown:
        table(("change of", "attribute", "now", "then", "instances"), shown)
    typer.confirm(f"Give every instance of {study} the bytes it was received with?", abort=True, err=True)


def _told(
    appliance: Appliance,
    corrector: Corrector,
    study_id: int,
    done: Corrected,
    what: str,
    later: str,
    *,
    asks: bool,
    json: bool,
) -> None:
    """Say what was done, what of what arrives later, and who has an older version; on a terminal offer to follow up."""
    studies = [study_id, *done.moved]
    outdated = [holder for each in studies for holder in appliance.queue.holders(each)]
    uids = appliance.archive.study_uids(done.moved)
    moved = {uids[each]: count for each, count in done.moved.items()}
    if json:
        holders = [asdict(each) for each in outdated]
        told = {"instances": done.instances, "is_for_later": done.is_for_later, "moved": moved}
        as_json({**told, "resent": dict(done.resent), "outdated": holders})
    else:
        console.print(f"{done.instances} instances {what}" if done.instances else "nothing to change", markup=False)
        if done.is_for_later:
            console.print(f"what arrives later {later}", markup=False)
        for uid, count in moved.items():
            console.print(f"{count} instances belong to study {uid} again", markup=False)
        for name, count in done.resent.items():
            console.print(f"{count} instances are sent to {name} again", markup=False)
        if not done.resent:
            _tell_holders(outdated)
        if asks and any(each.is_configured for each in outdated) and sys.stdin.isatty():
            _offer(corrector, studies)
    raise typer.Exit(Exit.DONE if done.instances or done.is_for_later or done.resent else Exit.NOT_SO)


def _offer(corrector: Corrector, studies: list[int]) -> None:
    if typer.confirm("Send them the version of now?"):
        for name, count in (each for study_id in studies for each in corrector.resend(study_id).items()):
            console.print(f"{count} instances are sent to {name} again", markup=False)


def _tell_holders(outdated: list[Holder]) -> None:
    if not outdated:
        return
    rows = [(each.destination, each.instances, "" if each.is_configured else "not configured") for each in outdated]
    table(("destination", "instances", ""), rows, title="\nWho has an older version than the archive")
    console.print("send the version of now with: micropacs study edit|undo UID … --resend", markup=False)


def _series(kept: StudyKept) -> list[tuple[object, ...]]:
    return [
        (
            each.attributes.get("SeriesInstanceUID"),
            each.attributes.get("Modality"),
            each.attributes.get("SeriesDescription"),
            len(each.instances),
            size(sum(instance.bytes for instance in each.instances)),
        )
        for each in kept.series
    ]


def _origins(kept: StudyKept) -> list[tuple[object, ...]]:
    origins = [instance.origin for each in kept.series for instance in each.instances]
    came = Counter((origin.source, origin.calling_ae, origin.host) for origin in origins)
    rows: list[tuple[object, ...]] = []
    for key, count in came.items():
        times = [each.received_at for each in origins if (each.source, each.calling_ae, each.host) == key]
        rows.append((*key, count, min(times), max(times)))
    return rows
