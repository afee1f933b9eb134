"""Past arrivals through both configurations, and what differs, into a tally. Reads their files and writes nothing."""

from collections.abc import Sequence

from archive import Entry, EntryUnreadableError, Origin, Past
from router.config import Configuration
from router.ingest import CUT_SHORT, is_cut_short
from router.replay.differing import Differing, Found
from router.replay.original import original
from router.replay.side import Side
from router.replay.tally import Kind, Seen, Sent, StudyTally, Tally, Unread
from rules import Header, RulesError, Verdict

_NOT_AS_FILED = "its header cannot be read, or what was changed in it cannot be undone"


class Comparison:
    """Two configurations side by side."""

    def __init__(self, in_force: Configuration, new: Configuration, most: int) -> None:
        """Of each difference at most so many examples are kept."""
        self._old, self._new = Side(in_force), Side(new)
        self._differing = Differing(self._old, self._new)
        self._most = most

    def tally(self, arrivals: Sequence[Past]) -> Tally:
        """What differs for these."""
        tally = Tally(self._most)
        for past in arrivals:
            try:
                header, fault = _read(past)
            except EntryUnreadableError as error:
                tally.unread.append(Unread(past.arrival, past.study_uid, past.path, str(error)))
            else:
                self._add(past, header, fault, tally)
        return tally

    def _add(self, past: Past, header: Header | None, fault: Verdict | None, tally: Tally) -> None:
        old_name, new_name = self._names(past.origin)
        old = self._old.outcome(past, header, old_name, fault)
        new = self._new.outcome(past, header, new_name, fault)
        tally.instances += 1
        tally.in_hold += past.is_in_hold
        tally.refused_by_both += old.refused is not None and new.refused is not None
        study = tally.studies.setdefault(past.study_uid, StudyTally())
        study.instances += 1
        found = self._differing.find(header, old, new)
        _send(found, study)
        if found.is_any:
            study.differing += 1
            study.headers += bool(found.headers)
            study.gained += any(deed.kind is not Kind.WARNED for deed in found.gained)
            study.lost += any(deed.kind is not Kind.WARNED for deed in found.lost)
            _enter(found, past.study_uid, tally)

    def _names(self, origin: Origin) -> tuple[str | None, str | None]:
        """The source's name on each side; where a scanner has moved since, so that neither finds it, as it was."""
        old, new = self._old.found(origin), self._new.found(origin)
        if old is None and new is None:
            return self._old.known(origin), self._new.known(origin)
        return old, new


def _read(past: Past) -> tuple[Header | None, Verdict | None]:
    """The header as received, and what is wrong with the instance whatever the rules are. EntryUnreadableError."""
    try:
        entry, header = original(past)
        return header, _fault(entry, header)
    except RulesError as error:
        if past.is_in_hold:  # which is why it is there
            return None, Verdict(None, str(error))
        raise EntryUnreadableError(_NOT_AS_FILED, past.arrival) from error


def _fault(entry: Entry, header: Header) -> Verdict | None:
    try:
        return CUT_SHORT if is_cut_short(entry, header) else None
    except OSError as error:
        raise entry.unreadable(error) from error


def _send(found: Found, study: StudyTally) -> None:
    for destination, (before, after) in found.to.items():
        sent = study.to.setdefault(destination, Sent())
        sent.before += before
        sent.after += after
        sent.gained += after and not before
        sent.lost += before and not after


def _enter(found: Found, study_uid: str, tally: Tally) -> None:
    for where, differences in found.headers.items():
        for each in differences:
            seen = tally.headers.setdefault((where, each.element), Seen())
            seen.add(study_uid, (each.old, each.new), tally.most)
    for destination, pair in found.timing.items():
        tally.timing.setdefault(destination, Seen()).add(study_uid, pair, tally.most)
    for deeds, into in ((found.gained, tally.gained), (found.lost, tally.lost)):
        for deed in deeds:
            into.setdefault(deed, Seen()).add(study_uid, None, tally.most)
