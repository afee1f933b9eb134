"""The archive's door: places, records, finds and holds instances. Each kind of work has a module of its own."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection

from archive import (
    candidates,
    history,
    holding,
    manifests,
    orphans,
    quarantine,
    query,
    recording,
    records,
    rewriting,
    standing,
    trouble,
    verification,
)
from archive.attributes import Level
from archive.candidates import Candidate
from archive.database import Database
from archive.entry import Entry
from archive.filing import Filing, InstanceKey, Placed, Rewritten, Version
from archive.history import ChangeMade, SeriesFiled, StudyKept
from archive.holding import Held, Hold, Released
from archive.moving import Place
from archive.quarantine import Round
from archive.records import Known, Record, Recorded, Stored, Summary
from archive.rewriting import Applied, Revised
from archive.shelves import Shelves
from archive.spool import Backlog
from archive.standing import Standing
from archive.tables import metadata
from archive.verification import Finding, Kept
from archive.versions import write_versions


class Archive:
    """All instances kept in one folder with one database. Safe for several threads, and for several processes."""

    def __init__(self, database: Database, folder: Path) -> None:
        """`folder` is made if it is not there; the tables must be (`create_tables`, or the migrations)."""
        self.database = database
        self.folder = folder
        self._shelves = Shelves(folder)

    def create_tables(self) -> None:
        """Make the archive's tables where they are missing."""
        self.database.create(metadata)

    # -- filing

    def known(self, keys: Sequence[InstanceKey]) -> Mapping[InstanceKey, Known]:
        """What is kept under these keys; keys without an instance are left out."""
        return self.known_and_standing(keys)[0]

    def known_and_standing(
        self, keys: Sequence[InstanceKey]
    ) -> tuple[Mapping[InstanceKey, Known], Mapping[InstanceKey, tuple[Standing, ...]]]:
        """As `known`, and the corrections that stand for the studies of these keys, as far as there are any."""
        with self.database.read() as connection:
            return records.known(connection, keys)

    def place(self, filings: Sequence[Filing], *, gently: bool = False) -> list[Placed]:
        """The filings' files, on the disk when this returns, in order; placing the same again changes nothing.

        `gently` is for when somebody else waits for the disk: it takes a little longer then.
        """
        return self._shelves.place(filings, gently=gently)

    def record(self, connection: Connection, batch: Sequence[Record]) -> list[Recorded]:
        """Index placed instances in the caller's transaction, in order; the same arrival keeps its ids."""
        return recording.record(self.database, connection, batch)

    def sweep(self) -> int:
        """At start-up: drop half-written files of processes that died; gives how many."""
        return self._shelves.sweep()

    # -- answering

    def stored(self, instance_ids: Sequence[int]) -> dict[int, Stored]:
        """Where the instances of these ids are, by id; unknown ids are left out."""
        with self.database.read() as connection:
            return records.stored(connection, self.folder, instance_ids)

    def find(self, level: Level, keys: Mapping[str, str], limit: int | None = None) -> list[dict[str, str]]:
        """Every indexed attribute of what matches (PS3.4 C.2.2.2), and the counts; QueryError for an unknown key."""
        with self.database.read() as connection:
            return query.find(connection, level, keys, limit)

    def select(self, keys: Mapping[str, str], limit: int | None = None) -> list[int]:
        """The ids of the instances that match; QueryError if no key narrows it down."""
        with self.database.read() as connection:
            return query.select_instances(connection, keys, limit)

    def summary(self) -> Summary:
        """Totals for a status page."""
        with self.database.read() as connection:
            return records.summary(connection)

    def trouble(self) -> str | None:
        """In plain words why nothing can be written into the index just now; None if it can."""
        return trouble.of_writing(self.database)

    def received_since(self, moment: datetime) -> tuple[int, datetime | None]:
        """The bytes of the studies that came (or grew) since `moment`, and when the first of them began to come."""
        with self.database.read() as connection:
            return records.received_since(connection, moment)

    def series_of(self, study_uid: str) -> list[SeriesFiled]:
        """The series of a study, each with one of its instances; none if the study is not kept."""
        with self.database.read() as connection:
            return history.series_of(connection, self.folder, study_uid)

    # -- history

    def study_id(self, study_uid: str) -> int | None:
        """The id of the study with this Study Instance UID, None if it is not kept."""
        with self.database.read() as connection:
            return history.study_id(connection, study_uid)

    def study_uids(self, study_ids: Iterable[int]) -> Mapping[int, str]:
        """The Study Instance UIDs by id; ids that are not there are left out."""
        with self.database.read() as connection:
            return history.study_uids(connection, study_ids)

    def contents(self, study_id: int) -> StudyKept:
        """A kept study with its series and instances."""
        with self.database.read() as connection:
            return history.contents(connection, study_id)

    def changes(self, study_id: int) -> list[ChangeMade]:
        """What was changed in the instances of a study, on arrival and later, in the order it was made."""
        with self.database.read() as connection:
            return history.changes(connection, study_id)

    # -- correcting

    def instances_of(self, study_id: int) -> list[Kept]:
        """All instances of a study, in the order of their ids."""
        with self.database.read() as connection:
            return quarantine.instances_of(connection, study_id)

    def applied(self, instance_ids: Iterable[int]) -> dict[int, list[Applied]]:
        """The changes these instances' files have, by the instance's id, in the order they were made."""
        with self.database.read() as connection:
            return rewriting.applied(connection, instance_ids)

    def rewrite(self, versions: Sequence[Version]) -> list[Rewritten]:
        """Other versions of kept files, on the disk when this returns; `revise` makes them those that are kept."""
        return write_versions(self._shelves, versions, lambda files: rewriting.announce(self.database, files))

    def revise(self, connection: Connection, study_id: int, revised: Sequence[Revised], by: str) -> Mapping[int, Place]:
        """In the caller's transaction: the study is kept like this from now on; see `rewriting.revise`."""
        return rewriting.revise(self.database, connection, study_id, revised, by)

    def standing(self, connection: Connection, study_id: int) -> tuple[Standing, ...]:
        """In the caller's transaction, which locks it: the corrections that stand for a study."""
        return standing.of_study(connection, study_id)

    def stand(self, connection: Connection, study_id: int, every: Sequence[Standing]) -> None:
        """In the caller's transaction: these corrections, and no others, stand for what arrives for a study later."""
        standing.stand(connection, study_id, every)

    def remove_leftovers(self, before: datetime) -> int:
        """Remove the files that were replaced before then by another version, or never became one; gives how many."""
        return rewriting.remove_leftovers(self.database, self.folder, before)

    # -- holding

    def place_held(self, entries: Sequence[Entry]) -> list[str]:
        """Keep entries in the folder of what waits for a person, durably; gives their files."""
        return self._shelves.keep(entries, holding.FOLDER)

    def hold(self, connection: Connection, holds: Sequence[Hold]) -> None:
        """Write down why each placed entry waits or was rejected; one that is written down already stays as it is."""
        holding.hold(self.database, connection, holds, self.folder)

    def held(self, state: str = "held") -> list[Held]:
        """What is in this state, oldest first: held, released, rejected or filed."""
        with self.database.read() as connection:
            return holding.held(connection, self.folder, state)

    def held_these(self, arrivals: Iterable[str]) -> list[Held]:
        """The instances of these names that are or were in hold; names that never were are left out."""
        with self.database.read() as connection:
            return holding.these(connection, self.folder, arrivals)

    def patients_like(self, attributes: Mapping[str, str]) -> list[Candidate]:
        """The patients of the index whom a header with these attributes may mean, the most likely first."""
        with self.database.read() as connection:
            return candidates.patients_like(connection, attributes)

    def held_before(self, entries: Sequence[Entry]) -> set[str]:
        """The arrivals of those entries whose very bytes an earlier arrival brought into hold."""
        if not entries:
            return set()
        with self.database.read() as connection:
            return holding.came_before(connection, entries)

    def release(self, arrival: str, by: str, fixes: Mapping[str, str], *, as_it_came: bool = False) -> None:
        """A person lets a held instance go, with attributes set by hand; NotKeptError if it is not held.

        What was set by hand before is made as well, unless it is let go `as_it_came`.
        """
        holding.release(self.database, arrival, by, fixes, as_it_came=as_it_came)

    def reject(self, arrival: str, by: str, why: str) -> None:
        """A person rejects a held instance; its file stays until it is removed. NotKeptError if it is not held."""
        holding.reject(self.database, arrival, by, why)

    def released(self, limit: int | None = None) -> list[Released]:
        """What waits to be filed with its fixes and the rule it is let by, oldest first, at most `limit`.

        One whose file cannot be read, or is not what was received, goes back to being held, and says so.
        """
        ready = holding.released(self.database, self.folder, limit)
        damage = self._damage_in_hold([each.entry.arrival for each in ready])
        for arrival, reason in damage.items():
            self.put_back(arrival, f"the kept file is damaged: {reason}")
        return [each for each in ready if each.entry.arrival not in damage]

    def put_back(self, arrival: str, reason: str) -> None:
        """A released instance that could not be filed is held again, and says so."""
        holding.put_back(self.database, arrival, reason)

    def settle_released(self, connection: Connection, arrivals: Iterable[str]) -> None:
        """In the caller's transaction: these are filed now."""
        holding.settle_released(connection, arrivals)

    def remove_held_files(self, arrivals: Iterable[str]) -> None:
        """Remove the held files of instances that are filed; those still in hold are left alone."""
        holding.remove_files(self.database, self.folder, arrivals)

    def _damage_in_hold(self, arrivals: Sequence[str]) -> dict[str, str]:
        if not arrivals:
            return {}
        with self.database.read() as connection:
            kept = quarantine.held_these(connection, arrivals)
        found = [each for each in map(self.examine, kept) if each is not None]
        damage = {each.kept.arrival: each.reason for each in found}
        whole_again = [each for each in kept if each.damage is not None and each.arrival not in damage]
        if whole_again:
            with self.database.begin() as connection:
                self.lift(connection, whole_again)
        return damage

    # -- verifying

    def examine(self, kept: Kept, is_stopped: Callable[[], bool] = lambda: False) -> Finding | None:
        """Read a file: what is wrong with it, None if nothing is. VerificationStoppedError if `is_stopped`."""
        finding = verification.examine(self.folder, kept, is_stopped)
        if finding is not None and kept.study_id is None:
            with self.database.read() as connection:
                if not quarantine.held_these(connection, [kept.arrival]):  # filed meanwhile, and its file removed
                    return None
        return finding

    def instances_after(self, instance_id: int, limit: int) -> list[Kept]:
        """The next instances to verify, in order of their ids."""
        with self.database.read() as connection:
            return quarantine.instances_after(connection, instance_id, limit)

    def sample(self, count: int) -> Iterator[list[Kept]]:
        """So many instances to verify, chosen by chance; in batches."""
        return quarantine.sample(self.database, count)

    def held_after(self, row: int, limit: int) -> list[Kept]:
        """What is in hold and next to verify, in the order of the rows."""
        with self.database.read() as connection:
            return quarantine.held_after(connection, row, limit)

    def quarantine(self, connection: Connection, findings: Sequence[Finding]) -> None:
        """In the caller's transaction: what was found damaged is not fit to be sent, until `lift`."""
        quarantine.enter(self.database, connection, findings)

    def lift(self, connection: Connection, whole: Sequence[Kept]) -> None:
        """In the caller's transaction: these were found whole again."""
        quarantine.lift(connection, whole)

    def files(self, backlog: Callable[[], Backlog]) -> Iterator[tuple[str, bool]]:
        """Each file in the study folders, and whether the index does not know it; see `orphans.orphans`."""
        return orphans.orphans(self.database, self.folder, backlog)

    def newest(self) -> int:
        """The highest id of an instance, 0 if there is none."""
        with self.database.read() as connection:
            return quarantine.newest(connection)

    def last_round(self) -> Round | None:
        """How far the archive is verified on its schedule; None before the first round."""
        with self.database.read() as connection:
            return quarantine.last_round(connection)

    def set_round(self, connection: Connection, to: Round) -> None:
        """In the caller's transaction: it is verified so far now."""
        quarantine.set_round(self.database, connection, to)

    # -- manifests

    def touch(self, connection: Connection, study_ids: Iterable[int]) -> None:
        """In the caller's transaction: these studies' manifests say too little now, for example of a delivery."""
        manifests.touch(connection, study_ids)

    def stale_manifests(self, before: datetime, limit: int) -> list[int]:
        """Studies that changed since their manifest was written, and not since `before`; longest waiting first."""
        with self.database.read() as connection:
            return manifests.stale(connection, before, limit)

    def write_manifest(self, study_id: int, annex: Mapping[str, object]) -> Path:
        """Write the study's `manifest.json` durably, with `annex` merged in; gives its path."""
        return manifests.write(self.database, self.folder, study_id, annex)
