"""Adds a line to the CSV file of a lookup table, so that the rest of the file stays as it is. Releases nothing."""

import csv
import io
from dataclasses import dataclass
from pathlib import Path

from archive import replace_durably
from router.config import Configuration, ConfigurationError, load_texts
from router.config.files import absolute
from router.errors import RouterError
from router.locking import FileLock
from rules import Missing, RulesError, Table, delimiter_of, run_tests

LOCK_SECONDS = 10.0
_BOM = b"\xef\xbb\xbf"


class AmendingError(RouterError):
    """The line cannot be added to the table."""


@dataclass(frozen=True, slots=True)
class Amendment:
    """What was written: into which file, with which columns left empty, and what the configuration is with it."""

    file: Path
    empty: tuple[str, ...]
    revision: str


def amend(configuration: Configuration, missing: Missing, value: str, remark: str) -> Amendment:
    """Add the line that is missing, with `value` in the column looked up, below a remark.

    The file is replaced whole, and on the disk, when this returns. AmendingError where the file, or the tests of the
    configuration, do not take it; nothing is changed then.
    """
    name, file = _file(configuration, missing.table)
    lock = FileLock(configuration.data / "locks" / "tables.lock")
    lock.acquire(LOCK_SECONDS)
    try:
        old = file.read_bytes()
        text = old.decode("utf-8-sig")
        table = Table.from_csv(missing.table, text)
        if (there := table.lookup(missing.key, missing.column)) is not None:
            raise AmendingError(f"the table {missing.table!r} has a line for it already, with {there!r}: release it")
        column = missing.column or table.columns[0]
        cells = [missing.key, *(value if each == column else "" for each in table.columns)]
        new = with_line(text, cells, remark)
        if Table.from_csv(missing.table, new).lookup(missing.key, missing.column) != value.strip():
            raise AmendingError("the table does not take this value")
        changed = _tried(configuration, name, new)
        content = (_BOM if old.startswith(_BOM) else b"") + new.encode()
        replace_durably(file, content, file.parent, keeps_owner=True)
    except RulesError as error:
        raise AmendingError(str(error)) from None
    except (OSError, UnicodeDecodeError) as error:
        raise AmendingError(f"{file} cannot be rewritten: {getattr(error, 'strerror', None) or error}") from None
    finally:
        lock.release()
    return Amendment(file, tuple(each for each in table.columns if each != column), changed.revision)


def with_line(text: str, cells: list[str], remark: str) -> str:
    """The table's text with one line more, separated and ended as the others are, below a remark."""
    ending = "\r\n" if "\r\n" in text else "\n"
    row = io.StringIO()
    csv.writer(row, delimiter=delimiter_of(text), lineterminator=ending).writerow(cells)
    line = row.getvalue()
    if line.startswith("#"):  # unquoted it were a remark
        line = f'"{cells[0]}"{line[len(cells[0]) :]}'
    plain = "".join(character for character in remark if character.isprintable())
    return text + ("" if not text or text.endswith(("\n", "\r")) else ending) + f"# {plain}{ending}" + line


def _file(configuration: Configuration, table: str) -> tuple[str, Path]:
    """The table's file: its name in the configuration, and where it lies once links are followed."""
    named = configuration.settings.tables.get(table)
    if named is None:
        raise AmendingError(f"there is no table {table!r}")
    places = {name: absolute(configuration.folder, name) for name in configuration.texts}
    meant = {absolute(place.parent, named) for place in places.values()}
    found = [(name, place) for name, place in places.items() if place in meant]
    if len(found) != 1:
        raise AmendingError(f"two files could be the table {table!r}: add the line by hand")
    name, place = found[0]
    return name, place.resolve()


def _tried(configuration: Configuration, name: str, text: str) -> Configuration:
    """The configuration with the new text, if it can be used and its tests pass."""
    try:
        changed = load_texts({**configuration.texts, name: text}, configuration.path)
    except ConfigurationError as error:
        raise AmendingError(f"the configuration could not be used any more: {error.problems[0]}") from None
    failed = [result.name for result in run_tests(changed.ruleset) if not result.passed]
    if failed:
        raise AmendingError(f"a test of the configuration would fail: {failed[0]}")
    return changed
