"""What rules warn of goes into the journal, once for each study and rule, and is read back. It holds nothing back."""

from collections.abc import Iterable
from datetime import datetime

import sqlalchemy as sa

from router.journal import Event, Journal, Written
from rules import Verdict

WARNED = "warned"


def warn(
    journal: Journal,
    connection: sa.Connection,
    found: Iterable[tuple[int, str | None, Verdict]],
    revision: str,
) -> None:
    """In the transaction that files the instances: what was `found`, by study and source, and is not known yet."""
    new = {(study_id, verdict.rule): (source, verdict) for study_id, source, verdict in reversed(list(found))}
    if not new:
        return
    known = journal.of_studies(connection, WARNED, {study_id for study_id, _ in new})
    for each in known:
        new.pop((each.study_id or 0, each.detail.get("rule")), None)
    events = [
        Event(WARNED, study_id, source, revision=revision, detail={"rule": verdict.rule, "reason": verdict.reason})
        for (study_id, _), (source, verdict) in sorted(new.items(), key=lambda item: (item[0][0], item[0][1] or ""))
    ]
    journal.write(connection, events)


def warnings_since(journal: Journal, since: datetime) -> list[Written]:
    """What was warned of since then, the latest first."""
    return journal.written(WARNED, since)[::-1]
