"""What filing and sending an instance costs the database beside ten million others; `python -m benchmarks.growth`.

Two indexes in one run, batch by batch in turn: an empty one, and one of years with a million deliveries that wait.
The code measured is the product's own, with commits as durable as they are; files and wires are left out.
"""

import argparse
import hashlib
import random
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from archive import Archive, Database, Entry, Filing, Identity, InstanceKey, Origin, Placed, Record
from benchmarks.figure import Figure, at_most, ours_alone, ours_to_peer
from benchmarks.growth_filling import DESTINATIONS, SERIES, STUDY, fill
from benchmarks.settings import Settings
from router.delivery import Kind, NewDelivery, Outcome, Queue, Settlement
from router.journal import Event, Journal
from router.migrations import upgrade
from rules import Dispatch, Priority

INSTANCES = 10_000_000
PENDING = 1_000_000
BATCH = 64
BATCHES = 60
LOOKS = 5
REVISION = "0123456789abcdef"
PET = "1.2.840.10008.5.1.4.1.1.128"
FRESH = "fresh"  # a destination whose line is short

_chance = random.Random(20261122)  # noqa: S311 (UIDs of a benchmark)


@dataclass
class Side:
    """One of the two indexes; times of steps by name, µs an instance, of CPU and on the wall."""

    folder: Path
    cpu: dict[str, list[float]] = field(default_factory=dict)
    wall: dict[str, list[float]] = field(default_factory=dict)

    def open(self) -> None:
        """Open the index; its tables are made if it has none."""
        self.folder.mkdir(exist_ok=True)
        self.database = Database(f"sqlite:///{self.folder / 'micropacs.db'}")
        upgrade(self.database)
        self.archive = Archive(self.database, self.folder / "archive")
        self.queue = Queue(self.database, "benchmark", _now, self.archive.touch)
        self.journal = Journal(self.database, _now)
        self.queue.configure([*DESTINATIONS, FRESH])

    @contextmanager
    def timed(self, name: str, count: int) -> Iterator[None]:
        """Time a step about `count` instances."""
        began, began_cpu = time.perf_counter(), time.process_time()
        yield
        cpu, wall = time.process_time() - began_cpu, time.perf_counter() - began
        self.cpu.setdefault(name, []).append(cpu * 1e6 / count)
        self.wall.setdefault(name, []).append(wall * 1e6 / count)

    def file(self, batch: list[Record], dispatch: Dispatch) -> None:
        """What `router.ingest.Filer` asks of the database for one batch of new instances with one route."""
        with self.timed("file", len(batch)):
            assert not self.archive.known([each.filing.key for each in batch])
            with self.database.begin() as connection:
                recorded = self.archive.record(connection, batch)
                new = [
                    NewDelivery(each.instance_id, each.study_id, each.series_id, dispatch, REVISION)
                    for each in recorded
                ]
                self.queue.enqueue(connection, new)
                self.archive.settle_released(connection, [each.filing.entry.arrival for each in batch])
                event = Event("filed", recorded[0].study_id, "ct-room-1", revision=REVISION, detail={"instances": 1})
                self.journal.write(connection, [event])

    def send(self, destination: str) -> None:
        """Lease a batch and settle all of it as delivered."""
        with self.timed("lease", BATCH):
            leased = self.queue.lease(destination, BATCH)
        outcome, digest = Outcome(Kind.DELIVERED, 0, ""), "d" * 64
        settled = [Settlement(each.delivery_id, each.token, outcome, _now(), 0.01, digest, 35_000) for each in leased]
        with self.timed("settle", BATCH):
            assert self.queue.settle(settled) == BATCH

    def look(self) -> None:
        """What people and loops ask of the whole queue."""
        with self.timed("overview", 1):
            self.queue.overview()
        with self.timed("listing", 1):
            self.queue.listing()
        with self.timed("quiet", 1):
            self.queue.release_quiet()
        with self.timed("rescue", 1):
            self.queue.rescue()


def measure(settings: Settings) -> list[Figure]:
    """Cost of an instance and of a delivery with the large index against the empty one; what looking at it takes."""
    empty, large = Side(settings.folder / "empty"), Side(settings.folder / "large")
    for side in (empty, large):
        side.open()
    large.database.dispose()
    instances, pending = settings.scaled(INSTANCES, STUDY), settings.scaled(PENDING, STUDY)
    fill(large.folder / "micropacs.db", instances, pending, settings.say)
    large.open()
    settings.say("filing, leasing and settling, in turn")
    turns = [(DESTINATIONS[0], empty, large), (FRESH, large, empty)] * (BATCHES // 2)
    for (destination, *sides), batch in zip(turns, _batches(BATCHES), strict=True):
        for side in sides:
            side.file(batch, Dispatch(destination, "everything", Priority.NORMAL, "instance", 0.0, "send"))
    for destination, *sides in turns:
        for side in sides:
            side.send(destination)
    for _ in range(LOOKS):
        large.look()
    for side in (empty, large):
        side.database.dispose()
    size = f"{instances:,} instances, {pending:,} pending"
    return [*_grown(empty, large, size), *_looked(large, size)]


def _grown(empty: Side, large: Side, size: str) -> list[Figure]:
    figures = []
    for step, what in (("file", "filing"), ("lease", "leasing"), ("settle", "settling")):
        name = f"{what} an instance in a large index"
        cpu, wall = (large.cpu[step], empty.cpu[step]), (large.wall[step], empty.wall[step])
        asked = at_most(1.2), at_most(1.05)
        figures.append(ours_to_peer(f"{name}: CPU", "µs", *cpu, "empty index", *asked, note=size))
        figures.append(ours_to_peer(f"{name}: time", "µs", *wall, "empty index", note="informs: the disk is shared"))
    return figures


def _looked(large: Side, size: str) -> list[Figure]:
    return [
        ours_alone(f"{name} of a long queue: CPU", "ms", [each / 1000 for each in large.cpu[name]], note=size)
        for name in ("overview", "listing", "quiet", "rescue")
    ]


def _batches(count: int) -> Iterator[list[Record]]:
    """Instances of new studies, in the order a scanner sends them."""
    while count > 0:
        study = [_uid() for _ in range(SERIES + 1)]
        for start in range(0, STUDY, BATCH):
            yield [_record(study, number) for number in range(start, start + BATCH)]
            count -= 1
            if not count:
                return


def _record(study: list[str], number: int) -> Record:
    uid, series_uid = _uid(), study[1 + number * SERIES // STUDY]
    digest = hashlib.sha256(uid.encode()).hexdigest()
    arrival = f"{time.time_ns() // 1000:016x}{_chance.randrange(1 << 32):08x}"
    origin = Origin("ct-room-1", "CT01", "MICROPACS", "10.1.20.31", _now())
    identity = Identity(PET, uid, "1.2.840.10008.1.2.1")
    entry = Entry(arrival, Path(arrival), identity, origin, digest, 1010, 35_000)
    filing = Filing(entry, InstanceKey(study[0], series_uid, uid))
    return Record(filing, Placed(f"ab/cd/{digest[:24]}/{arrival}.dcm", digest, 35_000, 1010), _attributes(number))


def _attributes(number: int) -> dict[str, str]:
    return {
        "PatientID": "1234567",
        "PatientName": "BENCHMARK^ONE",
        "StudyDate": "20261122",
        "StudyTime": "101500",
        "StudyDescription": "PET/CT WHOLE BODY",
        "Modality": "PT",
        "SeriesNumber": "2",
        "SeriesDescription": "WB 3D MAC",
        "Manufacturer": "GE MEDICAL SYSTEMS",
        "InstanceNumber": str(number),
        "Rows": "128",
        "Columns": "128",
        "ContentDate": "20261122",
    }


def _uid() -> str:
    return f"1.2.840.113619.{_chance.randrange(10**9)}.{_chance.randrange(10**18)}"


def _now() -> datetime:
    return datetime.now(UTC)


def main() -> None:
    """Measure and print, at the size asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--instances", type=int, default=INSTANCES, help="already in the large index")
    parser.add_argument("--folder", type=Path, help="on the disk to be measured; some 700 bytes an instance")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=asked.folder) as folder:
        for each in measure(Settings(Path(folder), scale=asked.instances / INSTANCES, say=print)):
            ratio = "" if each.ratio is None or each.peer is None else f" / {each.peer:.1f} = {each.ratio:.2f}"

            print(f"{each.what:50} {each.ours:10.1f}{ratio} {each.unit} {each.verdict}")


if __name__ == "__main__":
    main()
