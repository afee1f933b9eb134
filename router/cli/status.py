"""`micropacs status`: one screen about the whole appliance."""

import dataclasses
from datetime import UTC, datetime, timedelta
from operator import itemgetter
from typing import Annotated, Any

import typer
from rich.markup import escape

from router.appliance import Appliance
from router.cli.options import Config, Json, in_force, opened
from router.cli.output import Exit, ago, as_json, console, lasting, printable
from router.cli.queue_listing import tell_lines
from router.config import Configuration, Snapshot, SnapshotError
from router.delivery import LineState
from router.disks import Health, look
from router.ingest import warnings_since
from router.journal import CLOCK_SET
from router.locking import is_held
from router.security import SecurityEvent, recent
from router.sizes import size
from router.upkeep import NOT_SYNCHRONISED, last_synchronising

PACE = timedelta(days=7)
SHORTEST_PACE_SECONDS = 3600.0
LAST_DAY_SECONDS = 86400.0
SHOWN_EVENTS = 5


def status(
    config: Config = None,
    json: Json = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print nothing; the exit code tells whether it runs.")] = False,
) -> None:
    """Show whether the appliance runs, its sources, spool, archive and destinations, and the oldest undelivered."""
    loaded = in_force(config)
    runs = is_held(loaded.data / "locks" / "serve.lock")
    if quiet:
        raise typer.Exit(Exit.DONE if runs else Exit.UNREACHABLE)
    with opened(loaded) as appliance:
        found = _found(loaded, appliance, runs=runs)
        if json:
            as_json(found)
        else:
            _tell(loaded, found)
    raise typer.Exit(Exit.DONE if runs else Exit.UNREACHABLE)


def _found(loaded: Configuration, appliance: Appliance, *, runs: bool) -> dict[str, Any]:
    backlog = appliance.spool.backlog()
    kept = appliance.archive.summary()
    disks = look(loaded)
    archive_disk = next(disk for disk in disks if "archive" in disk.uses)
    try:
        in_force = Snapshot(loaded.data).read().revision
    except SnapshotError:
        in_force = None
    lines = appliance.queue.overview()
    return {
        "running": runs,
        "ae_title": loaded.settings.appliance.ae_title,
        "listen": str(loaded.settings.appliance.listen),
        "revision": in_force,
        "file_revision": loaded.revision,
        "sources": {name: getattr(source, "ae_title", "folder") for name, source in loaded.settings.sources.items()},
        "spool": dataclasses.asdict(backlog),
        "database": appliance.archive.trouble(),
        "archive": dataclasses.asdict(kept),
        "disk": {
            "free": archive_disk.free,
            "total": archive_disk.total,
            "lasts_days": _disk_lasts_days(appliance, archive_disk.free),
        },
        "disks": [dataclasses.asdict(disk) | {"health": str(disk.health), "words": str(disk)} for disk in disks],
        "synchronises": last_synchronising(appliance.journal),
        "clock_set": _clock_set(appliance),
        "security": [event.detail() for event in _security(appliance)],
        "warnings": _warnings(appliance),
        "destinations": [dataclasses.asdict(line) for line in lines],
        "unreadable": appliance.queue.unreadable(),
        "oldest_undelivered": min((line.oldest_at for line in lines if line.oldest_at), default=None),
    }


def _security(appliance: Appliance) -> list[SecurityEvent]:
    """The security events that began within the last day, the latest first."""
    events = recent(appliance.journal, datetime.now(UTC), LAST_DAY_SECONDS)
    return [event for _, event in reversed(events)]


def _clock_set(appliance: Appliance) -> list[dict[str, Any]]:
    """When the wall clock was set within the last day, the latest first."""
    since = datetime.now(UTC) - timedelta(seconds=LAST_DAY_SECONDS)
    events = appliance.journal.of_kind(CLOCK_SET, since)
    return [
        {**detail, "at": datetime.fromisoformat(detail["at"])}
        for _, detail in sorted(events, key=itemgetter(0), reverse=True)
    ]


def _warnings(appliance: Appliance) -> list[dict[str, Any]]:
    """What was warned of within the last day, the latest first, with the study as it is known to people."""
    found = warnings_since(appliance.journal, datetime.now(UTC) - timedelta(seconds=LAST_DAY_SECONDS))
    uids = appliance.archive.study_uids({each.study_id for each in found if each.study_id is not None})
    return [
        {"at": each.at, "study": uids.get(each.study_id or 0), "source": each.source, "revision": each.revision}
        | {name: each.detail.get(name) for name in ("rule", "reason")}
        for each in found
    ]


def _disk_lasts_days(appliance: Appliance, free: int) -> float | None:
    """For how many days the disk lasts at the pace of the last week; None while there is no pace to speak of."""
    now = datetime.now(UTC)
    received, first = appliance.archive.received_since(now - PACE)
    seconds = (now - max(first, now - PACE)).total_seconds() if first else 0.0
    return free / (received / seconds) / 86400 if received and seconds > SHORTEST_PACE_SECONDS else None


def _tell(loaded: Configuration, found: dict[str, Any]) -> None:
    kept, spool = found["archive"], found["spool"]
    state = "[green]running[/]" if found["running"] else "[red]not running[/] (start it with: micropacs serve)"
    console.print(
        f"[bold]{found['ae_title']}[/] at {found['listen']}: {state}, configuration {found['revision'] or '–'}"
    )
    if found["revision"] != found["file_revision"]:
        console.print(
            f"  {loaded.path} is revision {found['file_revision']}, which is not in force; see: micropacs check",
            markup=False,
        )
    console.print(
        f"sources    {', '.join(f'{name} ({title})' for name, title in found['sources'].items()) or 'none'}",
        markup=False,
    )
    console.print(
        f"spool      {spool['count']} instances wait to be filed"
        + (f", the oldest for {ago(spool['oldest'])}" if spool["oldest"] else "")
    )
    if spool["unreadable"]:
        console.print(
            f"[red]{spool['unreadable']} acknowledged instances cannot be read back[/] from "
            f"{escape(str(loaded.data / 'spool'))}: check the disk; they are filed once it gives them back"
        )
    if found["database"]:
        console.print(f"[red]database   cannot be written[/]: {escape(found['database'])}; the spool keeps what comes")
    console.print(
        f"archive    {kept['studies']} studies, {kept['instances']} instances, {size(kept['bytes'])}; "
        f"{kept['held']} held, {kept['rejected']} rejected"
    )
    if kept["damaged"]:
        console.print(f"[red]{kept['damaged']} kept files are damaged[/] and not sent: see micropacs verify")
    if found["unreadable"]:
        console.print(
            f"[red]{found['unreadable']} deliveries wait because the kept file cannot be read[/]: check the disk; "
            "they are tried again by themselves",
            soft_wrap=True,
        )
    _tell_disks(found)
    for each in found["clock_set"][:1]:
        by = "forward" if each["seconds"] > 0 else "back"
        console.print(
            f"[yellow]clock      was set {by} by {lasting(abs(round(each['seconds'])))}[/], {ago(each['at'])} ago; "
            f"{each['moved']} waits go on as long as they had to"
        )
    _tell_security(found["security"])
    _tell_warnings(found["warnings"])
    console.print(
        f"undelivered since {ago(found['oldest_undelivered'])}"
        if found["oldest_undelivered"]
        else "nothing is undelivered"
    )
    console.print()
    tell_lines([LineState(**line) for line in found["destinations"]])


def _tell_disks(found: dict[str, Any]) -> None:
    """What room is left and for how long, and what is wrong with a disk."""
    days = found["disk"]["lasts_days"]
    pace = f", enough for {days:.0f} days at this week's pace" if days is not None else ""
    console.print(f"disk       {size(found['disk']['free'])} left{pace}")
    for disk in found["disks"]:
        if disk["health"] != str(Health.GOOD):
            console.print(f"[red]{escape(disk['words'])}[/]", soft_wrap=True)
    if not found["synchronises"]:
        console.print(f"[red]{NOT_SYNCHRONISED}[/]", soft_wrap=True)


def _tell_security(events: list[dict[str, Any]]) -> None:
    """The latest events of the last day, a line each."""
    console.print(f"security   {len(events)} events in the last 24 hours")
    for event in events[:SHOWN_EVENTS]:
        host = event["host"] or "many addresses"
        title = f" as {event['calling_ae']}" if "calling_ae" in event else ""
        last = ago(datetime.fromisoformat(event["last"]))
        console.print(f"  {event['what']}: {host}{title}, {event['count']} times, the last {last} ago", markup=False)


def _tell_warnings(warnings: list[dict[str, Any]]) -> None:
    """What was warned of in the last day, by rules and without: how often, and the latest, a line each."""
    by_rules = [each for each in warnings if each["rule"]]
    mixed = [each for each in warnings if not each["rule"]]
    for what, found in (("rules warn of {} studies", by_rules), ("{} studies of more than one patient", mixed)):
        if found:
            studies = what.format(len({each["study"] for each in found}))
            console.print(f"[yellow]warnings   {studies}[/] in the last 24 hours")
        for each in found[:SHOWN_EVENTS]:
            rule = f"{each['rule']}: " if each["rule"] else ""
            text = f"  {rule}{each['reason']}; study {each['study']}, {ago(each['at'])} ago"
            console.print(printable(text), markup=False, soft_wrap=True)
