"""What one kept instance is to become: corrected by hand, or as it was received. Writes nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from archive import Amendment, Applied, Kept
from router.config import Configuration
from router.reading import read_header
from rules import undo


@dataclass(frozen=True, slots=True)
class Edition:
    """Its data set as `prefix` and the kept one from byte `resume` on; a prefix of None: as it is kept.

    `is_original`: it is to be what was received. `undone` are the rows of the changes it does not have any more.
    """

    prefix: bytes | None = None
    resume: int = 0
    amendment: Amendment | None = None
    undone: Sequence[int] = ()
    is_original: bool = False


def edited(file: Path, kept: Kept, configuration: Configuration, values: Mapping[str, str], at: datetime) -> Edition:
    """The kept file with these values set by hand. Raises `rules.RulesError`, OSError."""
    header = read_header(file, kept.data_set_offset or 0, kept.uids[2])
    decision = configuration.ruleset.correct(header, values, at)
    splice = decision.splice
    if splice is None or not decision.changes:
        return Edition()
    changes = [
        {"rule": change.rule, "attribute": change.attribute, "old": change.old, "new": change.new}
        for change in decision.changes
    ]
    return Edition(splice.prefix, splice.resume, Amendment(configuration.revision, at, changes, splice.restore))


def restored(file: Path, data_set_offset: int, applied: Sequence[Applied]) -> Edition:
    """The kept file without the changes it has, the last one undone first. Raises `rules.RulesError`, OSError."""
    if not applied:
        return Edition(is_original=True)
    prefix, resume = b"", 0
    for change in reversed(applied):
        if len(prefix) < change.prefix_length:
            more = _read(file, data_set_offset + resume, change.prefix_length - len(prefix))
            prefix += more
            resume += len(more)
        prefix = undo(prefix[: change.prefix_length], change.restore) + prefix[change.prefix_length :]
    return Edition(prefix, resume, undone=[change.row for change in applied], is_original=True)


def _read(file: Path, offset: int, size: int) -> bytes:
    with file.open("rb") as opened:
        opened.seek(offset)
        return opened.read(size)
