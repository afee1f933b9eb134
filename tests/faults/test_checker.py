"""The checker of the headline run can fail: each breach that is planted is found, and nothing else."""

import json
import shutil
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.faults.appliance import DESTINATIONS
from tests.faults.checker import KINDS, Verdict, check
from tests.faults.headline import Headline
from tests.faults.studies import EXPLICIT, Instance, Study, make_study
from tests.support.dcmtk import needs_dcmtk
from tests.support.part10 import part10_head, read_part10

pytestmark = [needs_dcmtk, pytest.mark.peer, pytest.mark.slow, pytest.mark.xdist_group("faults")]

SEED = 4
CT_STUDY, PET_STUDY = 0, 1


@dataclass(frozen=True)
class Run:
    """A copy of a run without a breach, to plant one in."""

    folder: Path

    @property
    def data(self) -> Path:
        """The data folder of its appliance."""
        return self.folder / "site" / "data"

    def check(self) -> Verdict:
        """What the checker says."""
        return check(self.folder / "sent.jsonl", self.data, {name: self.folder / name for name in DESTINATIONS})

    def sql(self, statement: str, *values: object) -> list[tuple[object, ...]]:
        """Change the database, or ask it."""
        with closing(sqlite3.connect(self.data / "micropacs.db")) as database:
            rows = database.execute(statement, values).fetchall()
            database.commit()
        return rows

    def file(self, instance: Instance) -> Path:
        """Its file in the archive."""
        rows = self.sql("select file from instances where sop_instance_uid = ?", instance.uid)
        return self.data / "archive" / str(rows[0][0])

    def plant(self, receiver: str, instance: Instance, data: bytes) -> None:
        """A copy at a receiver, as a file."""
        head = part10_head(instance.sop_class_uid, instance.uid, EXPLICIT)
        (self.folder / receiver / "planted.dcm").write_bytes(head + data)

    def forget(self, receiver: str, instance: Instance) -> None:
        """Take its copies away from a receiver."""
        for path in (self.folder / receiver).iterdir():
            if path.suffix == ".jsonl":
                lines = path.read_text().splitlines(keepends=True)
                path.write_text("".join(line for line in lines if instance.uid not in line))
            elif (part := read_part10(path)) and part.sop_instance_uid == instance.uid:
                path.unlink()


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a short run in which nothing went wrong."""
    folder = tmp_path_factory.mktemp("sound")
    result = Headline(folder, SEED, 4).run()
    assert result.passed, result
    return folder


@pytest.fixture
def run(sound: Path, tmp_path: Path) -> Run:
    """A copy of it."""
    return Run(shutil.copytree(sound, tmp_path / "run"))


def _first(number: int) -> Instance:
    study: Study = make_study(SEED, number)
    return study.instances[0]


def _flipped(data: bytes) -> bytes:
    return data[:-1] + bytes([data[-1] ^ 1])


def _only(kind: str) -> dict[str, int]:
    return {each: int(each == kind) for each in KINDS}


def test_a_sound_run_has_no_breach(run: Run) -> None:
    """Without a planted breach nothing is counted, and every instance was looked at at two receivers."""
    verdict = run.check()
    assert verdict.counts() == _only("none")
    assert verdict.acknowledged >= 12
    assert verdict.copies - verdict.sent_again == 24


def test_a_deleted_file_is_a_lost_instance(run: Run) -> None:
    """The row is there, the file is not."""
    run.file(_first(CT_STUDY)).unlink()
    assert run.check().counts() == _only("lost")


def test_an_instance_that_nothing_knows_is_lost(run: Run) -> None:
    """Acknowledged, and neither in the index nor in hold."""
    run.sql("delete from instances where sop_instance_uid = ?", _first(PET_STUDY).uid)
    assert run.check().counts() == _only("lost")


def test_an_acknowledged_second_content_that_is_not_held_is_lost(run: Run) -> None:
    """Of two contents under one UID both must be there."""
    other = make_study(SEED, CT_STUDY, "planted").instances[0]
    line = {"uid": other.uid, "sha256": other.sha256, "answer": 0, "bare": other.bare, "to": dict(other.to)}
    with (run.folder / "sent.jsonl").open("a") as log:
        log.write(json.dumps(line) + "\n")
    assert run.check().counts() == _only("lost")


def test_an_overwritten_first_content_is_altered(run: Run) -> None:
    """What was acknowledged first is in hold, and what came later under its UID is in the archive."""
    first, other = _first(CT_STUDY), make_study(SEED, CT_STUDY + 4, "planted").instances[0]
    line = {"uid": first.uid, "sha256": other.sha256, "answer": 0, "bare": other.sha256, "to": {}}
    with (run.folder / "sent.jsonl").open("a") as log:
        log.write(json.dumps(line) + "\n")
    head = part10_head(first.sop_class_uid, first.uid, EXPLICIT)
    run.file(first).write_bytes(head + other.data)
    (run.data / "archive" / "hold").mkdir(exist_ok=True)
    (run.data / "archive" / "hold" / "planted.dcm").write_bytes(head + first.data)
    columns = [row[1] for row in run.sql("pragma table_info(held)") if row[3] and row[1] != "id"]
    values = {"state": "held", "sop_instance_uid": first.uid, "file": "hold/planted.dcm"}
    marks = ", ".join("?" for _ in columns)
    run.sql(f"insert into held ({', '.join(columns)}) values ({marks})", *(values.get(name, "x") for name in columns))
    assert run.check().count("altered") == 1
    assert run.check().count("lost") == 0


def test_a_flipped_byte_in_the_archive_is_an_alteration(run: Run) -> None:
    """One bit of the pixels."""
    path = run.file(_first(CT_STUDY))
    path.write_bytes(_flipped(path.read_bytes()))
    assert run.check().counts() == _only("altered")


def test_a_flipped_byte_at_a_receiver_is_an_alteration(run: Run) -> None:
    """Beside the copy that is as it should be."""
    instance = _first(PET_STUDY + 2)
    run.plant("pacs", instance, _flipped(instance.data))
    assert run.check().counts() == _only("altered")


def test_a_second_row_is_a_duplicate(run: Run) -> None:
    """The same instance in another series of the index."""
    columns = [row[1] for row in run.sql("pragma table_info(instances)") if row[1] != "id"]
    changed = {"series_id": "series_id + 1000", "arrival": "arrival || 'x'"}
    chosen = ", ".join(changed.get(str(name), str(name)) for name in columns)
    run.sql(
        f"insert into instances ({', '.join(map(str, columns))}) select {chosen} from instances"
        " where sop_instance_uid = ?",
        _first(CT_STUDY).uid,
    )
    assert run.check().counts() == _only("duplicated")


def test_a_copy_at_the_wrong_receiver_is_misrouted(run: Run) -> None:
    """A CT at the destination that is for PET."""
    instance = _first(CT_STUDY + 2)
    run.plant("research", instance, instance.data)
    assert run.check().counts() == _only("misrouted")


def test_a_copy_without_its_edit_is_misrouted(run: Run) -> None:
    """A PET instance with its name at the destination that must not see it."""
    instance = _first(PET_STUDY + 2)
    run.plant("research", instance, instance.data)
    assert run.check().counts() == _only("misrouted")


def test_a_copy_that_never_came_is_lost_unless_it_is_on_its_way(run: Run) -> None:
    """A settled delivery without a copy at the receiver; one that is parked is there for all to see."""
    instance = _first(CT_STUDY)
    run.forget("pacs", instance)
    assert run.check().counts() == _only("lost")
    run.sql(
        "update deliveries set state = 'parked' where destination = 'pacs' and instance_id ="
        " (select id from instances where sop_instance_uid = ?)",
        instance.uid,
    )
    verdict = run.check()
    assert verdict.counts() == _only("none")
    assert verdict.under_way == 1


def test_the_same_copy_again_is_no_breach(run: Run) -> None:
    """A delivery is made at least once."""
    instance = _first(PET_STUDY + 2)
    before = run.check().sent_again
    run.plant("pacs", instance, instance.data)
    verdict = run.check()
    assert verdict.counts() == _only("none")
    assert verdict.sent_again == before + 1
