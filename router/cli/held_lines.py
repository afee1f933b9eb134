"""`held fix --table`: a line is added to a lookup table, and what waited for it goes on."""

from collections.abc import Sequence
from datetime import datetime

import typer

from archive import Archive
from router.appliance import Appliance
from router.cli.held_listing import chosen
from router.cli.options import opened
from router.cli.output import Exit, as_json, console, fail
from router.config import Configuration
from router.inbox import AmendingError, amend, await_revision, missing_now, release_and_see
from router.locking import LockedError, is_held
from rules import Missing

TAKEN_UP_SECONDS = 20.0
FILED_SECONDS = 10.0
_BECAME = {
    "filed": "filed",
    "released": "released, to be filed by the appliance",
    "held": "held again, see: micropacs held",
}


def add_line(arrivals: list[str], name: str, to: str, by: str, loaded: Configuration, *, json: bool) -> None:
    """Add one line to a table, wait until it counts, and release all that waited for it."""
    with opened(loaded) as appliance:
        missing = _the_missing(appliance.archive, arrivals, name, loaded)
        waiting = [
            each.arrival
            for each in appliance.archive.held()
            if f"table {name!r}" in each.reason and missing_now(each, loaded) == missing
        ]
        try:
            made = amend(loaded, missing, to, f"added by {by} on {datetime.now().astimezone():%Y-%m-%d %H:%M}")
        except (AmendingError, LockedError) as error:
            fail(str(error), Exit.NOT_SO)
        appliance.revisions.brought(made.revision, by)
        found = _see_through(appliance, loaded, waiting, made.revision, by)
    if json:
        as_json({"file": str(made.file), "revision": made.revision, "empty": list(made.empty), **found})
    else:
        console.print(f"added to {made.file}", markup=False)
        if made.empty:
            console.print(f"left empty, if a rule needs them add them by hand: {', '.join(made.empty)}", markup=False)
        for state, arrived in found.items():
            console.print(f"{len(arrived)} {_BECAME.get(state, state)}", markup=False)
    raise typer.Exit(Exit.NOT_SO if "held" in found else Exit.DONE)


def _see_through(
    appliance: Appliance, loaded: Configuration, waiting: Sequence[str], revision: str, by: str
) -> dict[str, list[str]]:
    """Release what waited for a line; where the appliance runs, once it has taken the line up."""
    runs = is_held(loaded.data / "locks" / "serve.lock")
    if runs and not await_revision(appliance, revision, TAKEN_UP_SECONDS):
        fail(
            "the line is written, but the appliance has not taken it up yet",
            Exit.NOT_SO,
            hint=f"micropacs status tells why; then: micropacs held release {' '.join(waiting[:3])}"
            f"{' …' if len(waiting) > 3 else ''}",
        )
    return release_and_see(appliance, waiting, by, FILED_SECONDS if runs else 0.0)


def _the_missing(archive: Archive, arrivals: list[str], name: str, loaded: Configuration) -> Missing:
    """The one line of the table that these instances wait for."""
    found: set[Missing] = set()
    if name not in loaded.settings.tables:
        fail(f"there is no table {name!r}", Exit.WRONG, hint=f"tables: {', '.join(loaded.settings.tables)}")
    meant = chosen(archive, arrivals)
    held = {each.arrival: each for each in archive.held_these(meant) if each.state == "held"}
    for arrival in meant:
        missing = missing_now(held[arrival], loaded) if arrival in held else None
        if missing is None or missing.table != name or not missing.key:
            fail(f"{arrival} does not wait for a line in table {name!r}", Exit.NOT_SO, hint="look with: micropacs held")
        found.add(missing)
    if len(found) != 1:
        fail(f"these instances have {len(found)} different values: each needs a line of its own", Exit.NOT_SO)
    return found.pop()
