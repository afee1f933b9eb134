"""`micropacs test --from`: tests from instances as they arrived, ready to paste. Writes no file."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import typer
import yaml

from archive import Stored
from router.appliance import Appliance
from router.cli.explain import arrival_from, file_header
from router.cli.options import opened
from router.cli.output import Exit, as_json, errors, fail
from router.config import IMPORT, Configuration
from router.corrections import restored
from router.reading import read_header
from rules import Arrival, Example, Header, RulesError, example

_WIDEST = 100_000  # characters: no value is folded over lines


def write_tests(loaded: Configuration, template: str, source: str | None, *, json: bool) -> None:
    """Print a test for every series of a study, or for a file; series that make the same test have one."""
    made: dict[str, Example] = {}
    for name, header, arrival in _instances(loaded, template, source):
        try:
            found = example(loaded.ruleset, header, arrival, name)
        except RulesError as error:
            errors.print(f"{name}: {error}", markup=False)
            continue
        made.setdefault(repr((found.given, found.expect)), found)
    if not made:
        fail("there is nothing to write a test from", Exit.NOT_SO)
    if json:
        as_json({"ok": True, "tests": [each.as_dict() for each in made.values()], "notes": list(_notes(made.values()))})
        return
    if not loaded.settings.tests:
        typer.echo("tests:")
    for each in made.values():
        lines = [f"# {note}\n" for note in _notes([each])]
        text = yaml.safe_dump([each.as_dict()], allow_unicode=True, sort_keys=False, width=_WIDEST)
        typer.echo("".join(f"  {line}" for line in [*lines, *text.splitlines(keepends=True)]), nl=False)


def _notes(made: Iterable[Example]) -> Iterator[str]:
    """What a person may fill in by hand, of tests that do not show what became of the real instance."""
    for each in made:
        if each.other:
            yield (
                f"{each.name}: {' and '.join(each.other)} made up, and the rules decide otherwise by that than they "
                "did; to show what they did, write a value by hand that names nobody, such as the key of a line made "
                "for tests"
            )


def _instances(loaded: Configuration, template: str, source: str | None) -> Iterator[tuple[str, Header, Arrival]]:
    """What the tests are written from, each with a name: a file, or one instance of every series of a study."""
    file = Path(template)
    if file.is_file():
        yield "as the file given", file_header(file), arrival_from(loaded, source)
        return
    if source is not None:
        fail("--source is for a file: the archive knows who sent a study", Exit.WRONG)
    with opened(loaded) as appliance:
        series = appliance.archive.find("series", {"StudyInstanceUID": template}) if template.strip("*? ") else []
        if not series:
            fail(f"there is no file and no study {template}", Exit.NOT_SO, hint="look with: micropacs find")
        for number, each in enumerate(series, 1):
            keys = {keyword: each[keyword] for keyword in ("StudyInstanceUID", "SeriesInstanceUID")}
            for stored in appliance.archive.stored(appliance.archive.select(keys, limit=1)).values():
                sender = stored.origin.source or "a stranger"
                name = f"{each.get('Modality') or 'a series'} as it came from {sender} ({number})"
                yield name, _as_it_came(appliance, stored), _arrival(loaded, stored)


def _as_it_came(appliance: Appliance, stored: Stored) -> Header:
    """The header as it was received, what was changed since undone; the command ends where that cannot be."""
    applied = appliance.archive.applied([stored.instance_id]).get(stored.instance_id, [])
    offset = stored.data_set_offset
    try:
        made = restored(stored.path, offset, applied)
        return read_header(stored.path, offset + made.resume, stored.identity.transfer_syntax_uid, made.prefix or b"")
    except RulesError as error:
        fail(f"an instance of the study cannot be read: {error}", Exit.NOT_SO)
    except OSError as error:
        fail(f"an instance of the study cannot be read: {error.strerror}", Exit.NOT_SO)


def _arrival(loaded: Configuration, stored: Stored) -> Arrival:
    origin = stored.origin
    source = origin.source if origin.source in {*loaded.settings.sources, IMPORT} else None
    at = origin.received_at.astimezone(loaded.zone)
    return Arrival(source, origin.calling_ae, origin.called_ae, origin.host, at)
