"""What waits for a person: held, released or rejected instances, their files and their rows. Knows no rule."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, select, update

from archive.arrivals import checked
from archive.attributes import fitted_uid, plain_text
from archive.database import Database
from archive.entry import Entry, read_entry
from archive.errors import EntryUnreadableError, NotKeptError
from archive.origin import Identity, Origin, identity_of, origin_of
from archive.records import in_parts
from archive.rows import ARRIVAL_COLUMNS, arrival_values
from archive.tables import held as table

FOLDER = "hold"
CORRECTED = "corrected"  # what was decided where an instance was let go with corrections
_ANY_RELEASED = select(table.c.id).where(table.c.state == "released").limit(1)


@dataclass(frozen=True, slots=True)
class Hold:
    """An entry that a rule held or rejected; `state` is "held" or "rejected", `attributes` are for listing."""

    entry: Entry
    reason: str
    rule: str | None
    revision: str
    state: str
    attributes: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Held:
    """One instance in hold. `bytes` and `digest` are those of the data set; the last four say what a person decided.

    `attributes` are those of the header as it came; `fixes` are a person's corrections, which stay with it whatever
    holds it again.
    """

    arrival: str
    path: Path
    state: str
    reason: str
    rule: str | None
    revision: str
    attributes: Mapping[str, str]
    identity: Identity
    origin: Origin
    bytes: int
    digest: str
    held_at: datetime
    decided_at: datetime | None
    decided_by: str | None
    decision: str | None
    fixes: Mapping[str, str]

    @property
    def corrected(self) -> dict[str, str]:
        """The attributes as the person's corrections leave them."""
        return {**self.attributes, **self.fixes}


class Released(NamedTuple):
    """An instance that a person let go, and what they set by hand, then or before.

    `let_by` is the rule by whose hold it is let as it is; None where it was corrected for it, and all judge it anew.
    `held_by` is the rule that held it, in either case.
    """

    entry: Entry
    fixes: Mapping[str, str]
    let_by: str | None
    held_by: str | None


def hold(database: Database, connection: Connection, holds: Sequence[Hold], folder: Path) -> None:
    """Write the rows; one that is there stays, except that a released instance that is held anew waits again."""
    if not holds:
        return
    connection.execute(database.insert_new(table), [_row(each) for each in holds])
    for each in holds:
        if each.entry.path.parent == folder / FOLDER:
            connection.execute(
                update(table)
                .where(table.c.arrival == each.entry.arrival, table.c.state == "released")
                .values(
                    {key: value for key, value in _row(each).items() if key in {"state", "reason", "rule", "revision"}}
                )
            )


def held(connection: Connection, folder: Path, state: str, limit: int | None = None) -> list[Held]:
    """The instances in this state, oldest first, at most `limit`."""
    query = select(table).where(table.c.state == state).order_by(table.c.arrival).limit(limit)
    return [_held(row, folder) for row in connection.execute(query)]


def these(connection: Connection, folder: Path, arrivals: Iterable[str]) -> list[Held]:
    """The instances of these names that are or were in hold, whatever became of them."""
    return [
        _held(row, folder)
        for some in in_parts(arrivals)
        for row in connection.execute(select(table).where(table.c.arrival.in_(some)).order_by(table.c.arrival))
    ]


def came_before(connection: Connection, entries: Sequence[Entry]) -> set[str]:
    """The arrivals of those entries whose very bytes an earlier arrival brought into hold, whatever became of it."""
    held_digests: dict[tuple[str, str], set[str]] = {}
    for some in in_parts({entry.digest for entry in entries}):
        query = select(table.c.sop_instance_uid, table.c.digest, table.c.arrival).where(table.c.digest.in_(some))
        for row in connection.execute(query):
            held_digests.setdefault((row.sop_instance_uid, row.digest), set()).add(row.arrival)
    found = {
        entry.arrival: held_digests.get((fitted_uid(entry.identity.sop_instance_uid), entry.digest), set())
        for entry in entries
    }
    return {arrival for arrival, earlier in found.items() if earlier - {arrival}}


def release(database: Database, arrival: str, by: str, fixes: Mapping[str, str], *, as_it_came: bool) -> None:
    """Held or rejected becomes released, with what is to be set by hand besides what was before.

    With `as_it_came` what was set before is forgotten.
    """
    with database.begin() as connection:
        before = connection.scalar(select(table.c.fixes).where(table.c.arrival == arrival).with_for_update()) or {}
        changed = bool(fixes) or (as_it_came and bool(before))
        values = {"fixes": {**({} if as_it_came else before), **fixes}, "decision": CORRECTED if changed else None}
        _enter(connection, arrival, ("held", "rejected"), state="released", decided_by=by, **values)


def reject(database: Database, arrival: str, by: str, why: str) -> None:
    """Held becomes rejected."""
    _decide(database, arrival, ("held",), state="rejected", decided_by=by, decision=plain_text(why, 255))


def put_back(database: Database, arrival: str, reason: str) -> None:
    """Released becomes held again; harmless if it is not released any more."""
    with suppress(NotKeptError):
        _decide(database, arrival, ("released",), state="held", reason=plain_text(reason, 255))


def released(database: Database, folder: Path, limit: int | None = None) -> list[Released]:
    """What a person let go and is not filed yet, with the fixes; an unreadable one is put back into hold."""
    with database.read() as connection:
        waiting = held(connection, folder, "released", limit)
    ready: list[Released] = []
    for each in waiting:
        try:
            let_by = None if each.decision == CORRECTED else each.rule
            ready.append(Released(read_entry(each.path), each.fixes, let_by, each.rule))
        except EntryUnreadableError as error:
            put_back(database, each.arrival, str(error))
    return ready


def settle_released(connection: Connection, arrivals: Iterable[str]) -> None:
    """Released becomes filed."""
    if connection.execute(_ANY_RELEASED).first() is None:
        return
    for some in in_parts(arrivals):
        connection.execute(
            update(table).where(table.c.arrival.in_(some), table.c.state == "released").values(state="filed")
        )


def remove_files(database: Database, folder: Path, arrivals: Iterable[str]) -> None:
    """Remove the files of those that are filed or rejected; the rows stay as the record of what happened."""
    for some in in_parts(arrivals):
        query = select(table.c.arrival).where(table.c.arrival.in_(some), table.c.state.in_(("filed", "rejected")))
        with database.read() as connection:
            settled = list(connection.scalars(query))
        for arrival in settled:
            (folder / FOLDER / f"{checked(arrival)}.dcm").unlink(missing_ok=True)


def _decide(database: Database, arrival: str, states: tuple[str, ...], **values: object) -> None:
    with database.begin() as connection:
        _enter(connection, arrival, states, **values)


def _enter(connection: Connection, arrival: str, states: tuple[str, ...], **values: object) -> None:
    these = update(table).where(table.c.arrival == arrival, table.c.state.in_(states))
    if connection.execute(these.values(decided_at=datetime.now(UTC), **values)).rowcount != 1:
        raise NotKeptError("no instance of this name waits for a decision")


def _held(row: Row[Any], folder: Path) -> Held:
    return Held(
        arrival=row.arrival,
        path=folder / row.file,
        state=row.state,
        reason=row.reason,
        rule=row.rule,
        revision=row.revision,
        attributes=row.attributes,
        identity=identity_of(row),
        origin=origin_of(row),
        bytes=row.bytes,
        digest=row.digest,
        held_at=row.held_at,
        decided_at=row.decided_at,
        decided_by=row.decided_by,
        decision=row.decision,
        fixes=row.fixes or {},
    )


def _row(each: Hold) -> dict[str, object]:
    entry = each.entry
    return {
        "arrival": entry.arrival,
        "state": each.state,
        "reason": plain_text(each.reason, 255),
        "rule": plain_text(each.rule, 255),
        "revision": each.revision,
        "attributes": dict(each.attributes),
        "sop_class_uid": fitted_uid(entry.identity.sop_class_uid),
        "sop_instance_uid": fitted_uid(entry.identity.sop_instance_uid),
        "file": f"{FOLDER}/{checked(entry.arrival)}.dcm",
        "bytes": entry.size,
        "digest": entry.digest,
        **dict(zip(ARRIVAL_COLUMNS, arrival_values(entry), strict=True)),
        "held_at": datetime.now(UTC),
    }
