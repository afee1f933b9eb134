"""What shall become of one sealed instance: its header read, its rules asked. Touches neither archive nor database."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import tzinfo

import structlog

from archive import INDEXED, Entry, InstanceKey, Origin, Standing
from router.ingest.wholeness import is_cut_short
from router.reading import read_header
from rules import (
    BY_HAND,
    OTHERWISE,
    Arrival,
    Attribute,
    Decision,
    FiledSeries,
    Header,
    HeaderError,
    Readable,
    RulesError,
    Ruleset,
    Verdict,
)

UID = re.compile(r"[0-9.]{1,64}")  # PS3.5 9.1, but tolerant of leading zeros, which old scanners write
KEY = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")
STANDING_FAILED = "it cannot be given a correction that stands for its study"
CUT_SHORT = Verdict(None, "the data set ends before its pixel data does")
INDEXED_ATTRIBUTES = {keyword: Attribute.parse(keyword) for keyword in INDEXED}

log = structlog.get_logger(__name__)


class IndexedAttributes(Mapping[str, str]):
    """The indexed attributes that are there, by keyword, multiple values joined with a backslash (PS3.5 6.4).

    Each is read from the header when it is asked for: those of study and series are needed once, not an instance.
    """

    def __init__(self, header: Readable) -> None:
        self._header = header

    def __getitem__(self, keyword: str) -> str:
        attribute = INDEXED_ATTRIBUTES[keyword]
        try:
            values = self._header.values(attribute)
        except RulesError:
            raise
        except Exception as error:  # the border of the work loop, as in `judge`, since this is read later than there
            log.exception("attribute cannot be read", keyword=keyword)
            raise HeaderError from error
        if not values:
            raise KeyError(keyword)
        return "\\".join(values)

    def __iter__(self) -> Iterator[str]:
        return (keyword for keyword in INDEXED_ATTRIBUTES if keyword in self)

    def __len__(self) -> int:
        return sum(1 for _ in self)


@dataclass(frozen=True, slots=True)
class Judgement:
    """One entry with what was decided: filed under `key` by `decision`, or `held`/`rejected` for a reason.

    `standing` are the corrections of its study that it was given.
    """

    entry: Entry
    attributes: Mapping[str, str]
    key: InstanceKey | None = None
    decision: Decision | None = None
    held: Verdict | None = None
    rejected: Verdict | None = None
    standing: tuple[Standing, ...] = ()


def judge(
    entry: Entry,
    ruleset: Ruleset,
    zone: tzinfo | None,
    fixes: Mapping[str, str] | None,
    let_by: str | None = None,
    filed_series: tuple[FiledSeries, ...] = (),
    held_by: str | None = None,
    standing: tuple[Standing, ...] = (),
) -> Judgement:
    """Read the header of `entry` and ask the rules; what is no header, or cannot be evaluated, is held.

    `zone` is the site's time zone (None: the machine's); `fixes` are the corrections, by keyword, of a person
    who released it (None: it has just arrived), `let_by` the rule whose hold they let it by, `held_by` the one that
    held it; `filed_series` are those of its study, `standing` the corrections a person made of all of it.
    Raises EntryUnreadableError where the disk fails.
    """
    try:
        header = header_of(entry)
        if fixes is None and is_cut_short(entry, header):
            return Judgement(entry, IndexedAttributes(header), held=CUT_SHORT)
        arrival = arrival_of(entry.origin, zone, filed_series)
        values = {each.attribute: each.value for each in standing}
        decision = ruleset.decide(header, arrival, fixes, let_by=let_by, held_by=held_by, standing=values)
        attributes = IndexedAttributes(decision.header)
    except RulesError as error:
        return Judgement(entry, {}, held=Verdict(None, str(error)))
    except OSError as error:
        raise entry.unreadable(error) from error
    except Exception:  # the border of the work loop: one instance that breaks the rules engine must not stop the others
        log.exception("rules failed", arrival=entry.arrival)
        return Judgement(entry, {}, held=Verdict(None, "the rules failed unexpectedly; see the log"))
    if decision.held or decision.rejected:
        held = decision.held
        if held and held.rule == BY_HAND and standing:
            held = replace(held, reason=f"{STANDING_FAILED}: {held.reason}")
        return Judgement(entry, attributes, held=held, rejected=decision.rejected)
    key = _key(entry, attributes)
    fault = fault_of(key)
    return (
        Judgement(entry, attributes, held=fault)
        if fault
        else Judgement(entry, attributes, key, decision, standing=standing)
    )


def unrouted_key(judgement: Judgement) -> InstanceKey | None:
    """What an instance that no route was for would be filed under as it came; None for all others."""
    verdict = judgement.rejected or judgement.held
    is_unrouted = verdict is not None and verdict.rule == OTHERWISE
    return _key(judgement.entry, judgement.attributes) if is_unrouted else None


def _key(entry: Entry, attributes: Mapping[str, str]) -> InstanceKey:
    return InstanceKey(
        attributes.get("StudyInstanceUID", ""),
        attributes.get("SeriesInstanceUID", ""),
        attributes.get("SOPInstanceUID", "") or entry.identity.sop_instance_uid,
    )


def fault_of(key: InstanceKey) -> Verdict | None:
    """Why nothing can be filed under this key, None if it can."""
    for keyword, uid in zip(KEY, key, strict=True):
        if not UID.fullmatch(uid):
            return Verdict(None, f"{keyword} is {'not a UID' if uid else 'missing'}")
    return None


def header_of(entry: Entry) -> Header:
    """The header of an entry. HeaderError; OSError where the disk fails."""
    if entry.content is not None:
        return Header.scan(entry.content, entry.identity.transfer_syntax_uid, complete=True)
    return read_header(entry.path, entry.data_set_offset, entry.identity.transfer_syntax_uid)


def arrival_of(origin: Origin, zone: tzinfo | None, filed_series: tuple[FiledSeries, ...] = ()) -> Arrival:
    """The facts of the arrival, as rules see them."""
    at = origin.received_at.astimezone(zone)
    return Arrival(origin.source, origin.calling_ae, origin.called_ae, origin.host, at, filed_series)
