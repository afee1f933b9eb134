"""One configuration from several files: reads what `include` names, merges the sections. Checks no content."""

import glob
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from router.config.files import FileUnreadableError, Texts, absolute, has_wildcard, relative_name
from router.config.remarks import cut_short
from rules import Document, Entry, LoadError, Node, Position, Problem, compose

MERGED_BY_KEY = frozenset({"appliance", "archive", "sources", "destinations", "tables"})
APPENDED = frozenset({"normalise", "routes", "tests"})


@dataclass(slots=True)
class Reading:
    """What was read so far, and what went wrong. `shown` maps a name in a position to the file's path.

    `sought` are all files that were asked for, also those that cannot be read.
    """

    texts: Texts
    folder: Path
    read: dict[str, str] = field(default_factory=dict)
    shown: dict[str, Path] = field(default_factory=dict)
    sought: list[Path] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)

    def text(self, path: Path, named_at: Position) -> str | None:
        """The text of a file; None, and a problem where it was named, when it cannot be read."""
        self.sought.append(path)
        try:
            text = self.texts.read(path)
        except FileUnreadableError as error:
            self.problems.append(Problem.at(named_at, f"{relative_name(path, self.folder)}: {error}"))
            return None
        self.read[relative_name(path, self.folder)] = text
        return text

    def sections(self, path: Path, shown: str, named_at: Position) -> Node | None:
        """The sections of one file; None, and problems, when there are none to be had."""
        text = self.text(path, named_at)
        if text is None:
            return None
        self.shown[shown] = path
        try:
            root = compose(text, shown).root
        except LoadError as error:
            self.problems.extend(error.problems)
            return None
        self.warnings.extend(cut_short(root, text))
        if root.value is None:
            self.warnings.append(Problem(shown, 1, 1, "the file is empty"))
        elif not isinstance(root.value, dict):
            self.problems.append(Problem.at(root.position, "a configuration is a mapping of sections"))
        return Node(
            root.position, {key: entry for key, entry in root.entries().items() if entry.node.value is not None}
        )


def read_all(reading: Reading, path: Path, shown: str) -> Document | None:
    """The main file with every file it includes; None when the main file itself cannot be understood."""
    main = reading.sections(path, shown, Position(shown, 1, 1))
    if main is None:
        return None
    sections = dict(main.entries())
    for included, position in _included(reading, main, path).items():
        name = str(Path(shown).parent / relative_name(included, reading.folder))
        node = reading.sections(included, name, position)
        if node is None:
            continue
        for key, entry in node.entries().items():
            if key == "include":
                reading.problems.append(Problem.at(entry.key_position, "only the main file may include others"))
            else:
                sections[key] = _merged(reading, key, sections.get(key), entry)
    return Document(Node(main.position, sections))


def _included(reading: Reading, main: Node, path: Path) -> Mapping[Path, Position]:
    """The files that `include` names, each once, in its order; those of one pattern by name."""
    found: dict[Path, Position] = {}
    named = main.get("include")
    for name, node in named.texts() if named is not None else ():
        if has_wildcard(name):
            files = reading.texts.match(absolute(Path(glob.escape(str(reading.folder))), name))
        else:
            files = [absolute(reading.folder, name)]
        if not files:
            reading.warnings.append(Problem.at(node.position, f"no file matches {name!r}"))
        for file in files:
            if file != path:
                found.setdefault(file, node.position)
    return found


def _merged(reading: Reading, section: str, first: Entry | None, second: Entry) -> Entry:
    """A section of two files in one: rules one after the other, named things together."""
    if first is None:
        return second
    if section in APPENDED and isinstance(first.node.value, list) and isinstance(second.node.value, list):
        return Entry(first.key_position, Node(first.node.position, [*first.node.value, *second.node.value]))
    if section in MERGED_BY_KEY and isinstance(first.node.value, dict) and isinstance(second.node.value, dict):
        for key in first.node.value.keys() & second.node.value.keys():
            here = second.node.value[key].key_position
            place = first.node.value[key].key_position.seen_from(here)
            reading.problems.append(Problem.at(here, f"duplicate key {key!r} in {section}, first {place}"))
        joined = first.node.value | {
            key: each for key, each in second.node.value.items() if key not in first.node.value
        }
        return Entry(first.key_position, Node(first.node.position, joined))
    place = first.key_position.seen_from(second.key_position)
    message = f"{section!r} stands in two files and cannot be joined, first {place}"
    reading.problems.append(Problem.at(second.key_position, message))
    return first
