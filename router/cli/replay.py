"""`micropacs replay`: what new rules would have done with what has arrived. Writes neither archive nor database."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer
from pydantic_core import PydanticCustomError
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from router.cli.options import Config, Json, in_force, read_only
from router.cli.output import Exit, as_json, console, errors, fail, printable, refuse, table
from router.cli.test import as_plain as tests_as_plain
from router.cli.test import tell
from router.config import Configuration, ConfigurationError, Snapshot, SnapshotError, load
from router.replay import Choice, Deed, Pair, Seen, Tally, as_plain, moves
from router.replay import replay as replayed
from router.replay.telling import WORDS, first
from rules import parse_duration, run_tests

MOST_SHOWN = 200
LONGEST_VALUE = 60  # characters


def replay(
    new: Annotated[Path, typer.Argument(metavar="NEW.yaml", help="The configuration to try.")],
    since: Annotated[
        str | None, typer.Option(metavar="DURATION", help="Only what came in the last 30d, 12h …; all if not said.")
    ] = None,
    study: Annotated[str | None, typer.Option(metavar="UID", help="Only this study.")] = None,
    limit: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="At most so many instances, the newest.")
    ] = None,
    examples: Annotated[int, typer.Option(metavar="N", min=0, help="So many examples of each difference.")] = 3,
    no_values: Annotated[
        bool, typer.Option("--no-values", help="Show no values: a patient's name may be one.")
    ] = False,
    config: Config = None,
    json: Json = False,
) -> None:
    """What has arrived, as it came, through the rules in force and through those of NEW.yaml: what would differ.

    Exit code 0: nothing. 1: something. 2: NEW.yaml is wrong, or fails a test of its own.
    """
    came_since = None if since is None else datetime.now(UTC) - timedelta(seconds=_seconds(since))
    running = _in_force(config)
    tried = _tried(new, running, json=json)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with read_only(running) as database, Progress(*columns, console=errors, disable=json, transient=True) as progress:
        task = progress.add_task("instances", total=None)
        try:
            tally = replayed(
                database,
                running,
                tried,
                Choice(came_since, study, limit),
                most=examples,
                begun=lambda total: progress.update(task, total=total),
                advanced=lambda count: progress.advance(task, count),
            )
        except OSError as error:
            fail(f"the archive cannot be read: {error.strerror}", Exit.UNREACHABLE)
    if study is not None and not tally.studies and not tally.unread:
        fail(f"nothing of study {study} has arrived", Exit.NOT_SO, hint="look with: micropacs find")
    if json:
        files = {"in_force": _named(running), "new": _named(tried), "since": came_since}
        as_json({**files, **as_plain(tally, values=not no_values)})
    else:
        _show(tally, running, tried, values=not no_values)
    raise typer.Exit(Exit.DONE if tally.is_same else Exit.NOT_SO)


def _seconds(since: str) -> float:
    try:
        return parse_duration(since)
    except PydanticCustomError as error:
        fail(f"--since: {error.message()}", Exit.WRONG, hint="for example: --since 30d")


def _in_force(config: Path | None) -> Configuration:
    """What the appliance runs with, which may not be what the file says; the file's where none has run with it."""
    loaded = in_force(config)
    try:
        running = Snapshot(loaded.data).read()
    except (SnapshotError, ConfigurationError):
        return loaded
    return running if running.path == loaded.path else loaded


def _tried(path: Path, running: Configuration, *, json: bool) -> Configuration:
    """The new configuration, if it is one and passes its own tests; else the command ends with code 2."""
    try:
        tried = load(path, tried_in=running.data)
    except ConfigurationError as error:
        refuse([problem.as_dict() for problem in error.problems], str(error))
        raise typer.Exit(Exit.WRONG) from None
    results = run_tests(tried.ruleset)
    if not all(result.passed for result in results):
        if json:
            as_json({"ok": False, "tests": tests_as_plain(results)})
        else:
            tell(results)
            errors.print(f"{path}: a test fails, so serve would refuse it", markup=False)
        raise typer.Exit(Exit.WRONG)
    if not json:
        for warning in tried.warnings:
            errors.print(str(warning), markup=False)
    return tried


def _named(configuration: Configuration) -> dict[str, str]:
    return {"file": str(configuration.path), "revision": configuration.revision}


def _show(tally: Tally, running: Configuration, tried: Configuration, *, values: bool) -> None:
    for name, each in (("in force", running), ("new", tried)):
        console.print(f"{name}: {each.path}, revision {each.revision}", markup=False)
    held = f", {tally.in_hold:,} of them in hold" if tally.in_hold else ""
    console.print(f"{len(tally.studies):,} studies replayed, {tally.instances:,} instances{held}", markup=False)
    if tally.refused_by_both:
        console.print(
            f"{tally.refused_by_both:,} of them either would refuse: their source is in neither", markup=False
        )
    for tell_some in (_show_routing, _show_headers, _show_deeds, _show_studies):
        tell_some(tally, values)
    if tally.unread:
        rows = [(each.arrival, each.study, each.file, each.reason) for each in tally.unread[:MOST_SHOWN]]
        table(("arrival", "study", "file", "why"), rows, title=f"\nNot replayed: {len(tally.unread):,} instances")
        _more(len(tally.unread), MOST_SHOWN, "")
    if tally.is_same:
        console.print("\nnothing would differ" + (" in what could be replayed" if tally.unread else ""))


def _show_routing(tally: Tally, _: bool) -> None:
    """In sum, with examples: which studies would go elsewhere, or at another time."""
    found = moves(tally)
    if found or tally.timing:
        console.print("\nWhere studies go")
    for move in found:
        count = f"{len(move.studies):,} of {len(tally.studies):,} studies"
        instances = f"{move.instances:,} instance{'' if move.instances == 1 else 's'}"
        console.print(f"{count} {WORDS[move.change]} {move.destination} ({instances})", markup=False)
        for uid in move.studies[: tally.most]:
            console.print(f"    {_study(uid)}", markup=False)
        _more(len(move.studies), tally.most, "    ")
    for destination, seen in sorted(tally.timing.items()):
        console.print(f"{len(seen.studies):,} studies would go to {destination} in another way", markup=False)
        for old, new in seen.pairs:
            console.print(f"    {old} → {new}", markup=False)


def _show_headers(tally: Tally, values: bool) -> None:
    rows = [
        row
        for (where, attribute), seen in sorted(tally.headers.items())
        for row in _header_rows(where or "the archive", attribute, seen, values=values)
    ]
    columns = ("at", "attribute", "instances", "studies", *(("in force", "new", "of them") if values else ()))
    if rows:
        table(columns, rows, title="\nWhat headers say")


def _header_rows(where: str, attribute: str, seen: Seen, *, values: bool) -> Iterator[Sequence[object]]:
    counts = (where, attribute, seen.instances, len(seen.studies))
    pairs = list(seen.pairs.items()) if values else []
    if not pairs:
        yield (*counts, "", "", "") if values else counts
    for number, (pair, count) in enumerate(pairs):
        yield (*(counts if number == 0 else ("", "", "", "")), *_shown(pair), count)


def _shown(pair: Pair) -> tuple[str | None, ...]:
    """Old and new value, shortened; an absent one is shown as a dash, an empty one as quotes."""
    return tuple(None if each is None else _short(each) or '""' for each in pair)


def _short(value: str) -> str:
    return value if len(value) <= LONGEST_VALUE else value[: LONGEST_VALUE - 1] + "…"


def _show_deeds(tally: Tally, _: bool) -> None:
    found = [("new", deed, seen) for deed, seen in sorted(tally.gained.items())]
    found += [("gone", deed, seen) for deed, seen in sorted(tally.lost.items())]
    if found:
        columns = ("", "what", "rule", "reason", "instances", "studies", "for example")
        rows = [_deed_row(which, deed, seen, tally.most) for which, deed, seen in found]
        table(columns, rows, title="\nWhat is held, rejected, refused, not sent or warned of")


def _deed_row(which: str, deed: Deed, seen: Seen, most: int) -> Sequence[object]:
    what = f"{deed.kind} to {deed.destination}" if deed.destination else str(deed.kind)
    few = ", ".join(map(_study, first(seen.studies, most)))
    return which, what, deed.rule or None, deed.reason, seen.instances, len(seen.studies), few


def _show_studies(tally: Tally, _: bool) -> None:
    differing = [(uid, study) for uid, study in tally.studies.items() if study.differing]
    rows = []
    for uid, study in differing[:MOST_SHOWN]:
        more = ", ".join(name for name, sent in study.to.items() if sent.gained)
        fewer = ", ".join(name for name, sent in study.to.items() if sent.lost)
        counts = (each or "" for each in (study.headers, study.gained, study.lost))
        rows.append((_study(uid), f"{study.differing} of {study.instances}", more, fewer, *counts))
    if rows:
        columns = ("study", "instances", "also to", "no longer to", "headers differ", "new holds", "holds gone")
        table(columns, rows, title="\nStudy by study")
        _more(len(differing), MOST_SHOWN, "")


def _study(uid: str) -> str:
    return printable(uid) if uid else "(in hold, of no study)"


def _more(count: int, shown: int, indent: str) -> None:
    if count > shown:
        console.print(f"{indent}… and {count - shown:,} more: --json lists all", markup=False)
