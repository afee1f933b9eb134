"""A real appliance's leaving side: an archive with instances, a configuration, its queue and its lines.

Run as a program it sends what the queue of a folder holds until it is killed or nothing is left.
"""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from archive import Archive, Database, Filing, Identity, InstanceKey, Origin, Record, Recorded, Spool
from router import journal
from router.config import Configuration, load
from router.delivery import Digests, Lines, Listed, NewDelivery, Queue, State, metadata
from router.journal import Journal
from router.senders import sender_for
from router.upkeep import Doubt, Verifier
from rules import Dispatch, Priority
from tests.support.rules import data_set, encoded

CT = "1.2.840.10008.5.1.4.1.1.2"
PET = "1.2.840.10008.5.1.4.1.1.128"
IMPLICIT = "1.2.840.10008.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"
PIXELS = bytes(range(256)) * 16
ROUTES = "routes: [{name: all, to: [pacs]}]"
QUICK = "retry: {first: 0.1s, longest: 0.4s}"


def one_peer(port: int, more: str = "") -> str:
    """A configuration with one destination."""
    return f"destinations: {{pacs: {{ae_title: PACS, host: 127.0.0.1, port: {port}, {more or QUICK}}}}}\n{ROUTES}"


@dataclass(frozen=True)
class Kept:
    """One instance of the archive."""

    sop_instance_uid: str
    data_set: bytes
    recorded: Recorded


class Departures:
    """Everything from the archive to the wire, over one folder and an embedded database; the wall clock is real."""

    def __init__(self, folder: Path, yaml: str = "") -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)
        self.database = Database(f"sqlite:///{folder / 'micropacs.db'}")
        self.database.create(metadata)
        self.archive = Archive(self.database, folder / "archive")
        self.archive.create_tables()
        self.database.create(journal.metadata)
        self.queue = Queue(self.database, "here", lambda: datetime.now(UTC))
        self.configuration = self.configure(yaml) if yaml else load(folder / "micropacs.yaml", {})

    def configure(self, yaml: str) -> Configuration:
        """Have this configuration in force for lines that start from now on."""
        path = self.folder / "micropacs.yaml"
        path.write_text(f"appliance: {{ae_title: MICROPACS, data: .}}\n{yaml}")
        self.configuration = load(path, {})
        return self.configuration

    def keep(self, count: int, *, study: str = "1.2.1", syntax: str = EXPLICIT, **attributes: object) -> list[Kept]:
        """File this many CT instances of one series; in a syntax that is not explicit only the label differs."""
        spool = Spool(self.folder / "spool")
        filings, contents = [], []
        for number in range(count):
            uid = f"{study}.1.{number + 1}"
            content = encoded(
                data_set(
                    SOPClassUID=CT,
                    SOPInstanceUID=uid,
                    PatientID="1234567",
                    StudyInstanceUID=study,
                    SeriesInstanceUID=f"{study}.1",
                    **attributes,
                )
            )
            content += b"\xe0\x7f\x10\x00OW\0\0" + len(PIXELS).to_bytes(4, "little") + PIXELS
            origin = Origin("scanner", "GE_DSTE", "MICROPACS", "10.1.1.11", datetime.now(UTC))
            with spool.open(Identity(CT, uid, syntax), origin) as incoming:
                incoming.write(content)
                entry = spool.read(incoming.seal())
            filings.append(Filing(entry, InstanceKey(study, f"{study}.1", uid)))
            contents.append(content)
        records = [Record(f, p, {}) for f, p in zip(filings, self.archive.place(filings), strict=True)]
        with self.database.begin() as connection:
            recorded = self.archive.record(connection, records)
        spool.close()
        return [
            Kept(filing.key.sop_instance_uid, content, row)
            for filing, content, row in zip(filings, contents, recorded, strict=True)
        ]

    def enqueue(self, kept: Sequence[Kept], *destinations: str, route: str = "all") -> None:
        """Send these to these, as the route of this name would."""
        dispatches = [Dispatch(name, route, Priority.NORMAL, "instance", 0.0, "send") for name in destinations]
        new = [
            NewDelivery(
                each.recorded.instance_id, each.recorded.study_id, each.recorded.series_id, dispatch, "revision"
            )
            for dispatch in dispatches
            for each in kept
        ]
        with self.database.begin() as connection:
            self.queue.enqueue(connection, new)

    def lines(self) -> Lines:
        """The lines of the configuration in force, not started."""
        return Lines(
            self.queue,
            self.archive,
            lambda _: self.configuration.ruleset,
            lambda: self.configuration,
            sender_for,
            self.folder / "outbox",
            Doubt(Verifier(self.archive, Journal(self.database, lambda: datetime.now(UTC)))),
        )

    @property
    def digests(self) -> Digests:
        """What enters the digests that were left for later."""
        return Digests(self.database, self.archive, lambda _: self.configuration.ruleset, lambda: None)

    @contextmanager
    def sending(self) -> Iterator[Lines]:
        """The lines, running; drained at the end."""
        lines = self.lines()
        lines.start()
        try:
            yield lines
        finally:
            assert lines.stop(20)

    def listed(self, destination: str | None = None) -> list[Listed]:
        """The queue as it is now."""
        return self.queue.listing(destination=destination, limit=100_000)

    def states(self, destination: str | None = None) -> list[State]:
        """The state of each delivery, in the order they were enqueued."""
        return [each.state for each in sorted(self.listed(destination), key=lambda each: each.delivery_id)]

    def wait_for(self, *states: State, destination: str | None = None, seconds: float = 15) -> None:
        """Until every delivery (to the destination) is in one of these states."""
        wait_until(lambda: set(self.states(destination)) <= set(states), seconds)

    def close(self) -> None:
        """Let the database go."""
        self.database.dispose()


def wait_until(is_so: Callable[[], bool], seconds: float = 15) -> None:
    """Until it is so; fails when it is not in time."""
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, "it did not become so in time"
        time.sleep(0.02)


def main() -> None:
    """Send until nothing is due any more."""
    departures = Departures(Path(sys.argv[1]))
    with departures.sending():
        departures.wait_for(State.DELIVERED, seconds=60)
    departures.close()


if __name__ == "__main__":
    main()
