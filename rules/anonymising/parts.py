"""Single steps of de-identification at every depth of a draft: private elements, UIDs, dates. Knows no profile."""

from collections.abc import Iterator

from rules.anonymising.dates import shifted
from rules.anonymising.identifiers import names_a_class
from rules.anonymising.pseudonyms import Pseudonyms
from rules.overlay import EditedLevel, Replacement
from rules.profiles import SafePrivate

_DATE_VRS = frozenset({"DA", "DT"})


def everywhere(level: EditedLevel) -> Iterator[EditedLevel]:
    """The level and all that lies within."""
    yield level
    for tag in level.tags:
        for item in level.children(tag):
            yield from everywhere(item)


def drop_private(level: EditedLevel, safe: SafePrivate) -> list[int]:
    """Take away the private elements of one level but the safe ones, whose tags are given.

    The creator of a block goes with the last element of its block (PS3.5 7.8.1).
    """
    private = [tag for tag in level.tags if tag >> 16 & 1]
    kept = [tag for tag in private if (level.creator(tag), tag >> 16, tag & 0xFF) in safe and tag & 0xFFFF > 0xFF]
    stays = {*kept, *(tag & 0xFFFF0000 | tag >> 8 & 0xFF for tag in kept)}
    for tag in private:
        if tag not in stays:
            level.put(tag, None)
    return kept


def replace_uids(top: EditedLevel, pseudonyms: Pseudonyms) -> None:
    """New UIDs for all that name one thing; references go on to match."""
    for level in everywhere(top):
        for tag in level.tags:
            if level.vr(tag) == "UI" and not names_a_class(tag):
                values = tuple(pseudonyms.uid(uid) for uid in level.text(tag) or ())
                level.put(tag, Replacement(level.put_vr(tag), "UI", values))


def shift_dates(top: EditedLevel, days: int) -> list[int]:
    """Move every date so many days; times stay. The tags of those that name no day and so were emptied."""
    emptied = []
    for level in everywhere(top):
        for tag in level.tags:
            vr = level.vr(tag)
            if vr in _DATE_VRS and (values := level.text(tag)):
                moved = tuple(shifted(value, vr, days) if value else "" for value in values)
                texts = tuple(text for text in moved if text is not None)
                if len(texts) < len(moved):
                    emptied.append(tag)
                    texts = ()
                level.put(tag, Replacement(level.put_vr(tag), vr, texts))
    return emptied
