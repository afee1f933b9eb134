"""`micropacs config`: the configurations that were in force, how they differ, and going back to one.

What is kept and shown are the texts as they were written: a reference stands for each secret.
"""

import difflib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from router.appliance import Appliance
from router.cli.options import Config, Json, configuration_path, in_force, opened
from router.cli.output import Exit, as_json, console, fail, printable, table
from router.config import configuration_in_force, is_secret_lost, make_site_secret, revision_of
from router.config.earlier import NotPutBackError, besides, check_earlier, put_back, texts_on_disk
from router.inbox import person
from router.revisions import Remembered

_STYLES = {"+": "green", "-": "red", "@": "cyan"}

application = typer.Typer(no_args_is_help=True)

Revision = Annotated[str, typer.Argument(metavar="REVISION", help="As `config list` shows it; its beginning will do.")]


@application.callback()
def config_group(config: Config = None, json: Json = False) -> None:
    """The configurations that were in force, how they differ, and going back to one."""
    del config, json  # taken up by the command: router.cli.options.or_before


@application.command("list")
def list_revisions(config: Config = None, json: Json = False) -> None:
    """List what was in force, the newest first."""
    path = configuration_path(config)
    with opened(in_force(config)) as appliance:
        every = list(reversed(appliance.revisions.all()))
    current, on_disk = _current(path), revision_of(texts_on_disk(path))
    if json:
        rows = [
            {
                "revision": each.revision,
                "loaded_at": each.loaded_at,
                "by": each.by,
                "put_back_at": each.put_back_at,
                "put_back_by": each.put_back_by,
                "path": each.path,
                "files": list(each.texts),
                "current": each.revision == current,
                "on_disk": each.revision == on_disk,
            }
            for each in every
        ]
        as_json(rows)
        return
    marks = {current: "in force", on_disk: "as the file is"} if current != on_disk else {current: "in force"}
    shown = [
        (each.revision, each.loaded_at, each.by, each.put_back_by, ", ".join(each.texts), marks.get(each.revision, ""))
        for each in every
    ]
    table(("revision", "first loaded", "by", "put back by", "files", ""), shown)


@application.command()
def show(revision: Revision, config: Config = None, json: Json = False) -> None:
    """Show the texts of one."""
    with opened(in_force(config)) as appliance:
        found = _found(appliance, revision)
    if json:
        as_json({"revision": found.revision, "loaded_at": found.loaded_at, "texts": found.texts})
        return
    for name, text in found.texts.items():
        console.print(f"[bold]{escape(name)}[/]")
        for line in text.splitlines():
            console.print(printable(line), markup=False)


@application.command()
def diff(
    revision: Revision,
    other: Annotated[
        str | None, typer.Argument(metavar="REVISION", help="What it is compared with: the files as they are, if none.")
    ] = None,
    config: Config = None,
    json: Json = False,
) -> None:
    """Show how two differ, as a unified diff."""
    with opened(in_force(config)) as appliance:
        before = _found(appliance, revision)
        after = _found(appliance, other) if other is not None else None
    names = before.revision, after.revision if after else "files"
    lines = list(_differences(before.texts, after.texts if after else texts_on_disk(configuration_path(config)), names))
    if json:
        as_json({"from": names[0], "to": names[1], "diff": lines})
        return
    for line in lines:
        console.print(printable(line), markup=False, style=_STYLES.get(line[:1]))
    if not lines:
        console.print("they are the same")


@application.command()
def rollback(
    revision: Revision,
    by: Annotated[str | None, typer.Option(help="Who does it; the name of the system's user if not said.")] = None,
    config: Config = None,
    json: Json = False,
) -> None:
    """Put the files of an earlier one back; a running appliance takes them up. The files as they are are kept first."""
    path, who = configuration_path(config), person(by)
    with opened(in_force(config)) as appliance:
        found = _found(appliance, revision)
        now = texts_on_disk(path)
        saved = revision_of(now)
        try:
            configuration = check_earlier(found.texts, path, found.revision)
            beside = besides(found.texts, path, now)
            for texts in filter(None, (now, {**now, **beside})):
                saved = revision_of(texts)
                appliance.revisions.remember_texts(saved, configuration.path, texts, who)
            written = put_back(found.texts, path)
        except NotPutBackError as error:
            fail(f"{found.revision} is not put back: {error}", Exit.NOT_SO)
        except OSError as error:
            fail(f"the files cannot be written: {error.strerror}", Exit.NOT_SO, hint=f"micropacs config show {saved}")
        if written:
            appliance.revisions.rolled_back(found.revision, who, saved, len(written))
    if json:
        as_json({"revision": found.revision, "saved": saved, "written": written})
    elif written:
        console.print(f"{', '.join(written)} as in {found.revision}; what was there is kept as {saved}", markup=False)
    else:
        console.print("the files are those of this revision already")


@application.command("new-secret")
def new_secret(config: Config = None, json: Json = False) -> None:
    """Make a new secret of the site where the old one is lost: from now on the same patients get other pseudonyms."""
    data = in_force(config).data
    if not is_secret_lost(data):
        fail("the secret of the site is not lost", Exit.NOT_SO)
    try:
        make_site_secret(data)
    except OSError as error:
        fail(f"it cannot be written to {data}: {error.strerror}", Exit.NOT_SO)
    if is_secret_lost(data):
        fail("the file of the old one is there, but cut short; move it away first", Exit.NOT_SO)
    if json:
        as_json({"made": True})
    else:
        console.print("made; back it up, and start the appliance again", markup=False)


def _current(path: Path) -> str | None:
    """The revision that is in force where the appliance runs, or ran last."""
    running = configuration_in_force(path)
    return running.revision if running else None


def _found(appliance: Appliance, revision: str) -> Remembered:
    found = [each for each in appliance.revisions.all() if each.revision.startswith(revision)]
    if len(found) != 1:
        what = f"{len(found)} revisions begin with {revision!r}" if found else f"no revision {revision!r} is kept"
        fail(what, Exit.NOT_SO, hint="look with: micropacs config list")
    return found[0]


def _differences(before: Mapping[str, str], after: Mapping[str, str], names: tuple[str, str]) -> Iterator[str]:
    for file in dict.fromkeys([*before, *after]):
        old, new = (texts.get(file, "").splitlines() for texts in (before, after))
        labels = [f"{file} ({name})" for name in names]
        yield from difflib.unified_diff(old, new, labels[0], labels[1], lineterm="")
