"""Debris that is left in a data folder and its database: each kind as one function, drawn by `sow`. Heals nothing."""

import os
import random
import shutil
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

OLD_SECONDS = 3600.0  # a file that was written a moment ago is not called an orphan yet


@dataclass
class Ground:
    """The data folder of an appliance that does not run, and what a verification must say of it afterwards."""

    data: Path
    chance: random.Random
    orphans: set[str] = field(default_factory=set)
    missing: set[str] = field(default_factory=set)
    kept: dict[Path, bytes] = field(default_factory=dict)  # what may be an image: must be there, as it is

    def filling(self) -> bytes:
        """None at all, a few or many, by chance."""
        return self.chance.randbytes(self.chance.choice((0, 1, 40, 512, 5000, 70_000)))

    def name(self) -> str:
        """As of an arrival, of now."""
        return f"{time.time_ns() // 1000:016x}{self.chance.randrange(1 << 32):08x}"

    def put(self, path: Path, content: bytes | None = None) -> Path:
        """A new file."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(self.filling() if content is None else content)
        return path

    def archived(self) -> Path:
        """One of the archive's files."""
        return self.chance.choice(sorted((self.data / "archive").glob("??/??/*/*.dcm")))

    def segment(self) -> Path:
        """One of the spool's segments."""
        return self.chance.choice(sorted((self.data / "spool" / "segments").rglob("*.segment")))

    def sql(self, statement: str, *values: object) -> None:
        """One transaction."""
        with closing(sqlite3.connect(self.data / "micropacs.db")) as database, database:
            database.execute(statement, values)


def _foreign_files(ground: Ground) -> None:
    places = ("spool", "spool/sealed", "spool/incoming", "spool/segments", "spool/segments/0", "spool/unreadable")
    for place in (
        *places,
        "archive",
        "archive/incoming",
        "archive/hold",
        "outbox",
        "security",
        "locks",
        "configuration",
    ):
        path = ground.put(
            ground.data / place / ground.chance.choice(("Thumbs.db", "copy of it.dcm", ".nfs0001", "x" * 28))
        )
        ground.kept[path] = path.read_bytes()


def _plausible_name_in_the_spool(ground: Ground) -> None:
    number = ground.chance.choice((ground.name(), "f" * 24, "0" * 24, "z" * 24))
    ground.put(ground.data / "spool" / "sealed" / f"{number}.dcm")


def _half_received(ground: Ground) -> None:
    ground.put(ground.data / "spool" / "incoming" / f"{ground.name()}.part")


def _half_archived(ground: Ground) -> None:
    ground.put(ground.data / "archive" / "incoming" / f"{ground.name()}{ground.name()[:8]}.part")


def _segment_of_chance(ground: Ground) -> None:
    ground.put(ground.segment().parent / f"{ground.name()}.segment", ground.chance.randbytes(9000))


def _segment_cut(ground: Ground) -> None:
    """A copy of a segment, cut within an entry or before the first."""
    content = ground.segment().read_bytes()
    ground.put(
        ground.segment().parent / f"{ground.name()}.segment", content[: ground.chance.choice((0, 100, 4096, 9999))]
    )


def _segment_twice(ground: Ground) -> None:
    segment = ground.segment()
    copy = segment.with_name(f"{ground.name()}.segment")
    shutil.copy(segment, copy)
    register = segment.with_suffix(".register")
    if ground.chance.random() < 0.5 and register.exists():  # another kind may have taken it away
        shutil.copy(register, copy.with_suffix(".register"))


def _segment_in_another_folder(ground: Ground) -> None:
    folder = ground.data / "spool" / "segments" / str(ground.chance.choice((1, 5, 200)))
    folder.mkdir()
    ground.put(folder / "lock", b"4711\n")
    shutil.copy(ground.segment(), folder / f"{ground.name()}.segment")


def _rubbish_behind_a_segment(ground: Ground) -> None:
    with ground.segment().open("ab") as segment:
        segment.write(ground.filling())


def _register_lost(ground: Ground) -> None:
    ground.segment().with_suffix(".register").unlink(missing_ok=True)


def _register_cut(ground: Ground) -> None:
    register = ground.segment().with_suffix(".register")
    size = register.stat().st_size if register.exists() else 0
    with register.open("ab") as file:
        file.truncate(ground.chance.randint(0, size))


def _register_of_chance(ground: Ground) -> None:
    ground.put(ground.segment().with_suffix(".register"))


def _register_without_segment(ground: Ground) -> None:
    ground.put(ground.segment().parent / f"{ground.name()}.register")


def _counter_spoilt(ground: Ground) -> None:
    content = ground.chance.choice((b"", b"\xff" * 16, b"f" * 16, b"-000000000000001", b"000000000000000"))
    ground.put(ground.data / "spool" / "last-arrival", content)


def _locks_stale(ground: Ground) -> None:
    for name in ("serve.lock", "work.lock"):
        ground.put(ground.data / "locks" / name, b"4711\n")
    ground.put(ground.data / "micropacs.pid", b"1\n")


def _node_spoilt(ground: Ground) -> None:
    ground.put(ground.data / "node", ground.chance.choice((b"", b"\xff\xfe", b"../../elsewhere", b"0123")))


def _ledgers_of_chance(ground: Ground) -> None:
    node = (ground.data / "node").read_text("latin-1")[:16].replace("/", "")
    for name in (f"{node}-1.log", "0123456789abcdef-1.log"):
        ground.put(ground.data / "outbox" / name, ground.filling() + b'\n{"delivery_id": 1, "token"\n{}\n[1]\n')
    ground.put(ground.data / "security" / "events.log", ground.filling())


def _configuration_spoilt(ground: Ground) -> None:
    ground.put(ground.data / "configuration" / "active.json", ground.chance.choice((b"", b"{", b"{}", b"\0" * 99)))
    ground.put(ground.data / "configuration" / "active-x.tmp")


def _archived_without_a_row(ground: Ground) -> None:
    archived = ground.archived()
    copy = archived.with_name(f"{ground.name()}.dcm")
    shutil.copy(archived, copy)
    if ground.chance.random() < 0.5:
        ground.put(copy)
    os.utime(copy, (time.time() - OLD_SECONDS,) * 2)
    ground.orphans.add(str(copy.relative_to(ground.data / "archive")))
    ground.kept[copy] = copy.read_bytes()


def _row_without_a_file(ground: Ground) -> None:
    """A row like another, of an instance that nobody sent."""
    name = ground.name()
    with closing(sqlite3.connect(ground.data / "micropacs.db")) as database, database:
        every = [row[1] for row in database.execute("pragma table_info(instances)") if row[1] != "id"]
        given = {"sop_instance_uid": f"2.25.{int(name, 16)}", "arrival": name, "file": f"00/00/{name}/{name}.dcm"}
        chosen = ", ".join("?" if column in given else column for column in every)
        values = [given[column] for column in every if column in given]
        database.execute(
            f"insert into instances ({', '.join(every)}) select {chosen} from instances order by id limit 1", values
        )
    ground.missing.add(given["file"])


def _leases(ground: Ground) -> None:
    """Expired, of nobody, of somebody unknown and for a hundred years, on what had been delivered before."""
    until, holder = ground.chance.choice(
        (("2001-01-01 00:00:00.000000", "0123456789abcdef"), (None, None), ("2126-01-01 00:00:00.000000", "nobody"))
    )
    ground.sql(
        "update deliveries set state = 'leased', lease_until = ?, lease_holder = ?, settled_at = null "
        "where id % 3 = ? and state = 'delivered'",
        until,
        holder,
        ground.chance.randrange(3),
    )


def _migration_broken_off(ground: Ground) -> None:
    """A process that died in a transaction that changes tables."""
    child = os.fork()
    if child == 0:
        database = sqlite3.connect(ground.data / "micropacs.db", isolation_level=None)
        database.execute("pragma cache_size = 1")
        database.execute("begin immediate")
        database.execute("create table half_made (id integer, filling blob)")
        database.execute("insert into half_made values (1, zeroblob(1000000))")
        database.execute("delete from alembic_version")
        os._exit(1)
    os.waitpid(child, 0)


def _links(ground: Ground) -> None:
    archive = ground.data / "archive"
    (archive / "ab").mkdir(exist_ok=True)
    for link, to in ((archive / "ab" / "cd", archive), (archive / "ff" / "ff", Path("nowhere"))):
        link.parent.mkdir(exist_ok=True)
        if not link.exists():
            link.symlink_to(to)
    (ground.data / "spool" / "sealed" / f"{ground.name()}.dcm").symlink_to("/dev/null/nowhere")


def _unreadable(ground: Ground) -> None:
    """Root reads it all the same."""
    ground.put(ground.data / "spool" / "sealed" / f"{ground.name()}.dcm").chmod(0)


KINDS: tuple[Callable[[Ground], None], ...] = (
    _foreign_files,
    _plausible_name_in_the_spool,
    _half_received,
    _half_archived,
    _segment_of_chance,
    _segment_cut,
    _segment_twice,
    _segment_in_another_folder,
    _rubbish_behind_a_segment,
    _register_lost,
    _register_cut,
    _register_of_chance,
    _register_without_segment,
    _counter_spoilt,
    _locks_stale,
    _node_spoilt,
    _ledgers_of_chance,
    _configuration_spoilt,
    _archived_without_a_row,
    _row_without_a_file,
    _leases,
    _migration_broken_off,
    _links,
    _unreadable,
)


def sow(data: Path, chance: random.Random, kinds: int) -> tuple[Ground, list[str]]:
    """Leave so many kinds of debris, in any order; what it is, by name."""
    ground = Ground(data, chance)
    chosen = chance.sample(KINDS, kinds)
    for kind in chosen:
        kind(ground)
    return ground, [kind.__name__ for kind in chosen]
