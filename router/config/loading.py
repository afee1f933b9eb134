"""From a file to a configuration: read, merge, resolve, validate, cross-check. Puts nothing in force."""

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from pydantic import ValidationError

from router.config.availability import unavailable, without_effect
from router.config.certificates import certificate_findings, tls_findings
from router.config.configuration import Configuration, ConfigurationError, revision_of
from router.config.crosschecks import Crosscheck
from router.config.files import StoredTexts, Texts, TextsOnDisk, absolute
from router.config.including import Reading, read_all
from router.config.loops import senders_of, sent_back, unrouted
from router.config.secrets import resolve
from router.config.settings import Settings
from router.config.sitesecret import site_secret
from router.config.unrecorded import unrecorded
from rules import (
    Document,
    Entry,
    Finding,
    Node,
    Position,
    Problem,
    RulesError,
    Ruleset,
    Table,
    analyse,
    mistakes,
    problems_from,
)


def load(path: Path, environ: Mapping[str, str] = os.environ, *, tried_in: Path | None = None) -> Configuration:
    """Read a configuration from the disk. Raises ConfigurationError with every problem, in the order of the files.

    `tried_in` is the data folder whose site secret counts where it is only tried, and not the one it names itself.
    """
    return _load(path, TextsOnDisk(), environ, is_looked_at_closely=True, data=tried_in)


def load_texts(
    texts: Mapping[str, str],
    path: Path,
    environ: Mapping[str, str] = os.environ,
    *,
    tried_in: Path | None = None,
    served_from: Path | None = None,
) -> Configuration:
    """A configuration from the texts it was read from before; only `${file:…}` is read from the disk.

    `path` is where its main file stood. Raises ConfigurationError as `load` does, but not for certificates: a
    process that takes up what was accepted before must not fail because one of them has gone meanwhile. Unless it is
    `tried_in` a data folder, it is in service, from the folder `served_from` or the one it names itself: without the
    secret of that folder nothing is made from a secret of the site.
    """
    stored = StoredTexts(texts, absolute(Path.cwd(), path).parent)
    return _load(path, stored, environ, data=tried_in or served_from, is_tried=tried_in is not None)


def load_from(texts: Texts, path: Path, environ: Mapping[str, str] = os.environ) -> Configuration:
    """As `load`, from files that lie, or might lie, somewhere else than on the disk."""
    return _load(path, texts, environ, is_looked_at_closely=True)


def _load(
    path: Path,
    texts: Texts,
    environ: Mapping[str, str],
    *,
    is_looked_at_closely: bool = False,
    data: Path | None = None,
    is_tried: bool = False,
) -> Configuration:
    place = absolute(Path.cwd(), path)
    reading = Reading(texts, place.parent)
    document = read_all(reading, place, str(path))
    if document is None:
        raise ConfigurationError(_told(reading.problems, reading), reading.sought)
    document, unresolved = resolve(document, place.parent, environ)
    tables = _tables(document, reading)
    crosscheck = Crosscheck(document, tables)
    problems = [*reading.problems, *unresolved, *unavailable(document), *crosscheck.problems]
    settings = _validated(document, problems, unresolved)
    wrong, odd = _findings(settings, document, is_looked_at_closely)
    if settings is not None and is_looked_at_closely:
        unfit, ageing = certificate_findings(settings, document, place.parent)
        wrong, odd = [*wrong, *unfit], [*odd, *ageing]
    if settings is None or problems or wrong:
        raise ConfigurationError(_told([*problems, *wrong], reading, document), reading.sought)
    ruleset = Ruleset(
        settings,
        tables,
        system=settings.appliance.ae_title,
        original_attributes=settings.archive.original_attributes,
        conceal=document.concealed_text,
        secret=site_secret(
            data or absolute(place.parent, settings.appliance.data), for_a_trial=is_looked_at_closely or is_tried
        ),
        references=_references(settings, document),
    )
    odd = [*reading.warnings, *crosscheck.warnings, *without_effect(document), *odd]
    warnings = _told(odd, reading, document)
    places = _places(settings, document)
    return Configuration(
        place, settings, ruleset, revision_of(reading.read), dict(reading.read), tuple(warnings), places
    )


def _validated(document: Document, problems: list[Problem], unresolved: Sequence[Problem]) -> Settings | None:
    """The settings; None, and problems, where the schema refuses them. An unresolved reference is told only once."""
    try:
        return Settings.model_validate(document.plain())
    except ValidationError as error:
        told = {(problem.file, problem.line, problem.column) for problem in unresolved}
        found = problems_from(error, document, Settings)
        problems.extend(each for each in found if (each.file, each.line, each.column) not in told)
        return None


def _tables(document: Document, reading: Reading) -> dict[str, Table]:
    """The tables that can be read, each from the file's folder that names it."""
    section = document.root.get("tables")
    tables = {}
    for name, entry in section.entries().items() if section is not None else ():
        table = _table(name, entry, reading)
        if table is not None:
            tables[name] = table
    return tables


def _table(name: str, entry: Entry, reading: Reading) -> Table | None:
    node = entry.node
    if not isinstance(node.value, str) or not node.value.strip() or "\0" in node.value:
        return None  # the schema tells
    path = absolute(reading.shown[node.position.file].parent, node.value.strip())
    text = reading.text(path, node.position)
    try:
        return Table.from_csv(name, text) if text is not None else None
    except RulesError as error:
        reading.problems.append(Problem.at(node.position, str(error)))
        return None


def _findings(
    settings: Settings | None, document: Document, is_looked_at_closely: bool
) -> tuple[list[Problem], list[Problem]]:
    """What the settings themselves show to be wrong, and, looked at closely, to be odd."""
    problems: list[Problem] = []
    warnings: list[Problem] = []
    if settings is None:
        return problems, warnings
    for finding in _analysed(settings) if is_looked_at_closely else mistakes(settings):
        found = Problem.at(document.position(finding.loc), finding.message)
        (problems if finding.is_error else warnings).append(found)
    wrong, odd = tls_findings(settings, document)
    return [*problems, *wrong], [*warnings, *odd]


def _analysed(settings: Settings) -> list[Finding]:
    senders = senders_of(settings)
    of_senders = [*analyse(settings, senders), *sent_back(settings, senders), *unrouted(settings, senders)]
    return [*of_senders, *unrecorded(settings)]


def _references(settings: Settings, document: Document) -> dict[str, tuple[str, ...]]:
    """What the edits of each route, by its name, take from outside: values with references, as they are just now."""
    routes = document.root.get("routes")
    nodes = routes.items() if routes is not None else []
    found = {
        rule.name: tuple(_referring(edit, document.referring))
        for rule, node in zip(settings.routes, nodes, strict=True)
        if (edit := node.get("edit")) is not None
    }
    return {name: values for name, values in found.items() if values}


def _referring(node: Node, places: frozenset[Position]) -> Iterator[str]:
    if isinstance(node.value, str) and node.position in places:
        yield node.value
    for below in (*node.items(), *(entry.node for entry in node.entries().values())):
        yield from _referring(below, places)


def _places(settings: Settings, document: Document) -> dict[str, Position]:
    sections = ("normalise", settings.normalise), ("routes", settings.routes)
    return {
        rule.name: document.position((section, index, "when"))
        for section, rules in sections
        for index, rule in enumerate(rules)
    }


def _told(problems: Sequence[Problem], reading: Reading, document: Document | None = None) -> list[Problem]:
    """The problems as people get to see them: without secret values, once each, in the order of files and lines."""
    order = {shown: number for number, shown in enumerate(reading.shown)}
    unique = dict.fromkeys(document.concealed_in(problem) if document is not None else problem for problem in problems)
    return sorted(unique, key=lambda each: (order.get(each.file, len(order)), each.line, each.column, each.message))
