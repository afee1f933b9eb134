"""One key of a query as a condition in SQL, with the matching of PS3.4 C.2.2.2. Values are bound, never spliced."""

import re
from collections.abc import Callable

from sqlalchemy import Column, ColumnElement, and_, false, or_

from archive.attributes import Indexed, fitted, folded_name
from archive.errors import QueryError
from archive.rows import sop_instance_hash
from archive.tables import instances, series, studies

TABLES = {"study": studies, "series": series, "instance": instances}
_LONGEST = 1024  # characters of one value of a key
_MOST_VALUES = 15_000  # of one key; databases bind some 32,000 values in a statement
_ESCAPE = "!"
_DATE = re.compile(r"\d{8}")
_TIME = re.compile(r"\d{2}(\d{2}(\d{2}(\.\d{1,6})?)?)?")

Condition = ColumnElement[bool]


def condition(indexed: Indexed, value: str) -> Condition | None:
    """What the key asks; None if it asks nothing (empty or `*`: universal matching). QueryError if it is no question.

    Several values, separated by a backslash, are any-of, for UIDs (C.2.2.2.2) as for all others.
    """
    if not value.strip(" \0").strip("*"):
        return None
    values = _values(indexed, value)
    if indexed.matching == "uid":
        return _column(indexed).in_([fitted(indexed, each) for each in values])
    if any(not each.strip("*") for each in values):
        return None
    return or_(false(), *(_ONE_VALUE[indexed.matching](indexed, each) for each in values))


def among_hashes(indexed: Indexed, value: str, newest_shard: int) -> Condition:
    """Where SOP instance UIDs are found whose series nobody names: in every shard of the index by hash."""
    hashes = {sop_instance_hash(fitted(indexed, each)) for each in _values(indexed, value)}
    return and_(
        instances.c.sop_instance_shard.in_(range(newest_shard + 1)), instances.c.sop_instance_hash.in_(sorted(hashes))
    )


def _values(indexed: Indexed, value: str) -> list[str]:
    values = [part for part in (each.strip(" \0") for each in value.split("\\")) if part]
    if len(values) > _MOST_VALUES:
        raise QueryError(f"{indexed.keyword} has more than {_MOST_VALUES} values")
    if any(len(each) > _LONGEST for each in values):
        raise QueryError(f"a value of {indexed.keyword} has more than {_LONGEST} characters")
    return values


def _column(indexed: Indexed) -> Column[str]:
    return TABLES[indexed.level].c[indexed.column]


def _text(indexed: Indexed, value: str) -> Condition:
    return _compare(_column(indexed), value if _is_wild(value) else fitted(indexed, value))


def _name(indexed: Indexed, value: str) -> Condition:
    """A whole name or one of its component groups (PS3.5 6.2.1); a name in ASCII is looked for in the first group only.

    That keeps the common query on the index: ideographic and phonetic groups are hardly ever written in ASCII.
    """
    column: Column[str] = TABLES[indexed.level].c[f"{indexed.column}_folded"]
    name = folded_name(value.replace("\0", "").encode("utf-8", "replace").decode("utf-8"))
    if "=" in name:
        return _compare(column, name)
    pattern = _pattern(name)
    parts = [_compare(column, name), column.like(f"{pattern}=%", escape=_ESCAPE)]
    if not name.isascii():
        parts += [column.like(f"%={pattern}", escape=_ESCAPE), column.like(f"%={pattern}=%", escape=_ESCAPE)]
    return or_(*parts)


def _date(indexed: Indexed, value: str) -> Condition:
    if "-" in value:
        return _range(indexed, value.replace(".", ""), _DATE, "")
    return _text(indexed, value)


def _time(indexed: Indexed, value: str) -> Condition:
    plain = value.replace(":", "")
    if "-" in plain:
        return _range(indexed, plain, _TIME, "235959.999999")
    if _TIME.fullmatch(plain):
        return _column(indexed).like(f"{plain}%")  # what is left out of a time is unknown, not zero (PS3.5 6.2)
    return _text(indexed, plain)


def _range(indexed: Indexed, value: str, form: re.Pattern[str], latest: str) -> Condition:
    """From, to or between, both ends included; an end that leaves out its last parts means all of them."""
    start, _, end = (part.strip() for part in value.partition("-"))
    if not (start or end) or not all(form.fullmatch(part) for part in (start, end) if part):
        raise QueryError(f"the value of {indexed.keyword} is not a range")
    column = _column(indexed)
    above = [column >= start] if start else []
    below = [column <= end + latest[len(end) :]] if end else []
    return and_(*above, *below)


def _compare(column: Column[str], value: str) -> Condition:
    return column.like(_pattern(value), escape=_ESCAPE) if _is_wild(value) else column == value


def _is_wild(value: str) -> bool:
    return "*" in value or "?" in value


def _pattern(value: str) -> str:
    """The LIKE pattern of a DICOM wildcard value: `*` any characters, `?` one, everything else itself."""
    plain = value.replace("\0", "").encode("utf-8", "replace").decode("utf-8")
    escaped = re.sub(r"([%_!])", rf"{_ESCAPE}\1", plain)
    return re.sub(r"\*+", "%", escaped).replace("?", "_")


_ONE_VALUE: dict[str, Callable[[Indexed, str], Condition]] = {
    "text": _text,
    "number": _text,
    "name": _name,
    "date": _date,
    "time": _time,
}
