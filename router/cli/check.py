"""`micropacs check`: would the appliance take this configuration, and what is odd about it."""

from dataclasses import asdict
from typing import Annotated

import typer
from sqlalchemy.exc import SQLAlchemyError

from archive import Database, samples, synchronises
from router.appliance import database_url, utc_now
from router.cli.options import Config, Json, configuration
from router.cli.output import Exit, as_json, console, errors, fail
from router.cli.test import as_plain, tell
from router.config import Configuration, SecretLostError, is_secret_lost, never_sent, tls_destinations
from router.repointed import Repointed, repointed
from router.revisions import Revisions
from router.upkeep import NOT_SYNCHRONISED
from rules import Problem, run_tests


def check(
    config: Config = None,
    probe: Annotated[bool, typer.Option("--probe", help="Also ask every destination what it takes.")] = False,
    json: Json = False,
) -> None:
    """Load the configuration, tell what it says in vain or against itself, and run its tests."""
    if probe:
        fail(
            "--probe is not available yet",
            Exit.WRONG,
            hint="micropacs echo NAME asks one destination whether it answers",
        )
    loaded = configuration(config)
    results = run_tests(loaded.ruleset)
    passed = all(result.passed for result in results)
    lost = SecretLostError(loaded.data) if loaded.ruleset.needs_secret and is_secret_lost(loaded.data) else None
    warnings, elsewhere = [*loaded.warnings], list[Repointed]()
    if (database := _database(loaded)) is not None:
        warnings += _never_sent(loaded, database)
        elsewhere = _repointed(loaded, database)
        database.dispose()
    if json:
        problems = [problem.as_dict() for problem in warnings]
        machine = {} if synchronises() else {"machine": NOT_SYNCHRONISED}
        lack = {} if lost is None else {"secret": f"{lost}; {lost.hint}"}
        told = {"ok": passed and lost is None, "revision": loaded.revision, "warnings": problems}
        as_json(
            told | {"tests": as_plain(results)} | machine | lack | {"repointed": [asdict(each) for each in elsewhere]}
        )
    else:
        for warning in warnings:
            errors.print(str(warning), markup=False)
        for each in elsewhere:
            errors.print(str(each), markup=False)
        if not synchronises():
            errors.print(NOT_SYNCHRONISED, markup=False)
        if results:
            tell(results)
        settings = loaded.settings
        console.print(
            f"{loaded.path}: revision {loaded.revision}, {len(settings.sources)} sources, "
            f"{len(settings.destinations)} destinations, {len(settings.normalise)} normalise rules, "
            f"{len(settings.routes)} routes",
            markup=False,
        )
        for line in _tls(loaded):
            console.print(line, markup=False)
        if lost is not None:
            fail(f"serve would refuse it: {lost}", Exit.NOT_SO, hint=lost.hint)
        console.print("[green]good[/]" if passed else "[red]a test fails, so serve would refuse it[/]")
    raise typer.Exit(Exit.DONE if passed and lost is None else Exit.NOT_SO)


def _database(loaded: Configuration) -> Database | None:
    """The appliance's database; None where it has never run."""
    if loaded.settings.appliance.database is None and not (loaded.data / "micropacs.db").exists():
        return None
    return Database(database_url(loaded))


def _never_sent(loaded: Configuration, database: Database) -> list[Problem]:
    """What the archive's index says of the conditions; nothing where it cannot be asked."""
    try:
        return list(never_sent(loaded, samples(database)))
    except (SQLAlchemyError, OSError):
        return []


def _repointed(loaded: Configuration, database: Database) -> list[Repointed]:
    """What is pending and would go elsewhere; nothing where the queue cannot be asked."""
    try:
        return repointed(database, Revisions(database, utc_now, loaded.data), loaded)
    except (SQLAlchemyError, OSError):
        return []


def _tls(loaded: Configuration) -> list[str]:
    """What `appliance.tls` will do, in words."""
    tls = loaded.settings.appliance.tls
    if tls is None:
        return []
    lines = []
    if tls.listen is not None:
        shows = {"required": "must", "optional": "may", "none": "need not"}[tls.clients]
        lines.append(f"TLS 1.2 and 1.3 at {tls.listen}; those who call {shows} show a certificate of the authorities")
    destinations = tls_destinations(loaded.settings)
    if destinations:
        lines.append(f"TLS only, and only if they prove to be their host: {', '.join(destinations)}")
    return lines
