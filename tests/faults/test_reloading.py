"""The configuration changes again and again while a scanner sends: no instance goes by half of two of them."""

import itertools
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Self

import pydicom
import pytest

from tests.faults.calling import Call
from tests.faults.studies import CT, make_instance
from tests.support.appliance import RunningAppliance, wait_until
from tests.support.dcmtk import needs_dcmtk, storescp
from tests.support.extent import extent
from tests.support.figures import figure

pytestmark = [needs_dcmtk, pytest.mark.peer, pytest.mark.slow, pytest.mark.xdist_group("faults")]

RELOADS = int(os.environ.get("MICROPACS_RELOADS", extent(14, 21)))
A_CALL = 40  # instances of one association, which outlasts a reload
PACE_SECONDS = 0.02
MAIN = """
include: [rules.yaml]
appliance: {{ae_title: MICROPACS, listen: "127.0.0.1:{{port}}", data: ./data}}
sources: {{room-{letter}: {{ae_title: ROOM1, host: 127.0.0.1}}}}
destinations: {{a: {{ae_title: A, host: 127.0.0.1, port: {a}}}, b: {{ae_title: B, host: 127.0.0.1, port: {b}}}}}
tables: {{marks: {table}}}
archive: {{free_space: 100MB}}
"""
RULES = """
normalise:
  - name: marked {letter}
    when: {{source: room-{letter}}}
    edit: [set: {{PatientComments: {letter}}}, lookup: {{keyword: StudyDescription, table: marks, missing: hold}}]
routes:
  - name: to {letter}
    when: {{PatientComments: {letter}, StudyDescription: {letter}}}
    edit: [set: {{ImageComments: {letter}}}]
    to: [{letter}]
tests:
  - name: everything is of {letter}
    given: {{source: room-{letter}, Modality: CT, StudyDescription: Faults}}
    expect: {{to: [{letter}], PatientComments: {letter}, StudyDescription: {letter}}}
"""
TABLE = "was,is\nFaults,{letter}\n"


class Streaming:
    """A scanner that sends without end, in associations that outlast reloads."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._enough = threading.Event()
        self._thread = threading.Thread(target=self._send)
        self.acknowledged: list[str] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._enough.set()
        self._thread.join(60)

    def _send(self) -> None:
        numbers = itertools.count()
        while not self._enough.is_set():
            call = Call(self._port, "ROOM1", CT)
            for number in itertools.islice(numbers, A_CALL):
                study = f"2.25.50{number // 10}"
                instance = make_instance(study, f"{study}.1", f"{study}.2.{number}")
                assert call.store(instance) == 0
                self.acknowledged.append(instance.uid)
                time.sleep(PACE_SECONDS)
                if self._enough.is_set():
                    break
            call.release()


class Site:
    """The files of a configuration, and the ways in which people change them."""

    def __init__(self, folder: Path, a: int, b: int) -> None:
        folder.mkdir()
        self.folder = folder
        self._ports = {"a": a, "b": b}
        self._tables = itertools.count()
        self._table = "marks.csv"
        self.appliance = RunningAppliance(folder, self._main("a"))
        self._put("rules.yaml", RULES.format(letter="a"))
        self._put("marks.csv", TABLE.format(letter="a"))

    def _main(self, letter: str) -> str:
        text = MAIN.format(letter=letter, table=self._table, **self._ports)
        return text.replace("{port}", str(self.appliance.port)) if hasattr(self, "appliance") else text

    def _put(self, name: str, text: str) -> None:
        new = self.folder / f"{name}.new"
        new.write_text(text, encoding="utf-8")
        new.replace(self.folder / name)

    def _rest(self, letter: str) -> None:
        self._put("rules.yaml", RULES.format(letter=letter))
        self._put(self._table, TABLE.format(letter=letter))

    def renamed(self, letter: str) -> None:
        """Each file is replaced whole."""
        self._rest(letter)
        self._put("micropacs.yaml", self._main(letter))

    def hung_up(self, letter: str) -> None:
        """And nobody waits until it is noticed."""
        self.renamed(letter)
        assert self.appliance.process is not None
        os.kill(self.appliance.process.pid, signal.SIGHUP)

    def half_written(self, letter: str) -> None:
        """The main file is there to its half for a while."""
        text = self._main(letter)
        self._rest(letter)
        with self.appliance.file.open("w", encoding="utf-8") as file:
            file.write(text[: len(text) // 2])
            file.flush()
            self.stays()
            file.write(text[len(text) // 2 :])

    def one_after_the_other(self, letter: str) -> None:
        """Rules first, then the table, then the main file: what lies between fails the tests of the file."""
        self._put("rules.yaml", RULES.format(letter=letter))
        self.stays()
        self._put(self._table, TABLE.format(letter=letter))
        self.stays()
        self._put("micropacs.yaml", self._main(letter))

    def missing(self, letter: str) -> None:
        """The main file is gone for a while."""
        self.appliance.file.unlink()
        self._rest(letter)
        self.stays()
        self._put("micropacs.yaml", self._main(letter))

    def include_missing(self, letter: str) -> None:
        """An included file is gone for a while."""
        (self.folder / "rules.yaml").unlink()
        self._put("micropacs.yaml", self._main(letter))
        self.stays()
        self._rest(letter)

    def table_made_later(self, letter: str) -> None:
        """The main file names a table that nobody has made yet."""
        self._table = f"marks-{next(self._tables)}.csv"
        self._put("rules.yaml", RULES.format(letter=letter))
        self._put("micropacs.yaml", self._main(letter))
        self.stays()
        self._put(self._table, TABLE.format(letter=letter))

    def nonsense(self, letter: str) -> None:
        """Somebody saves what is no configuration."""
        self._put("micropacs.yaml", "routes: [{")
        self.stays()
        self.renamed(letter)

    def stays(self) -> None:
        """What is there now is refused, which the log says, and instances are filed all the while."""
        said, filed = self.log().count("configuration refused"), self.filed()
        wait_until(lambda: self.log().count("configuration refused") > said, 15, "the log to say that it is refused")
        wait_until(lambda: self.filed() > filed, 15, "instances to be filed meanwhile")

    def log(self) -> str:
        """What the appliance has said."""
        return self.appliance.log.read_text(encoding="utf-8")

    def filed(self) -> int:
        """How many instances are in the index."""
        return self.appliance.count("select count(*) from instances")

    def ways(self) -> Iterator[Callable[[str], None]]:
        """All of them, over and over; the quick ones more often."""
        slow = (self.half_written, self.one_after_the_other, self.missing, self.include_missing)
        for way in itertools.cycle((*slow, self.renamed, self.table_made_later, self.nonsense)):
            yield from (*extent(1, 2) * [self.hung_up], way)


def test_no_instance_goes_by_half_of_two_configurations(tmp_path: Path) -> None:
    """Header, table, source, route and edit at delivery are those of one configuration; bad files change nothing."""
    with storescp(tmp_path / "a") as a, storescp(tmp_path / "b") as b:
        site = Site(tmp_path / "site", a, b)
        with site.appliance as appliance:
            wait_until(lambda: all(role in site.log() for role in ("role=receive", "role=work")), 60, "roles to start")
            with Streaming(appliance.port) as scanner:
                for number, (letter, way) in enumerate(zip(itertools.cycle("ba"), site.ways(), strict=False)):
                    if number == RELOADS:
                        break
                    way(letter)
                    wait_until(lambda n=number: _followed(site) > n, 20, f"both roles to follow, {way.__name__}")
            sent = scanner.acknowledged
            assert len(set(sent)) == len(sent)
            assert appliance.roles(), "a role ended"
            appliance.filed(len(sent))
            wait_until(lambda: _under_way(appliance) == 0, 60, "all to be delivered")
            mixed = _mixed(appliance, tmp_path, sent)
            counts = [len(list((tmp_path / name).iterdir())) for name in "ab"]
            figure(
                f"{RELOADS} reloads, n = {len(sent)} instances ({counts[0]} to a, {counts[1]} to b): "
                f"{len(mixed)} routed by a mixed set"
            )
            assert not mixed
            assert sum(counts) == len(sent)
            assert min(counts) > 0


def _followed(site: Site) -> int:
    """How many configurations both roles have taken up since they started."""
    return site.log().count("configuration taken up") // 2


def _under_way(appliance: RunningAppliance) -> int:
    return appliance.count("select count(*) from deliveries where state in ('waiting', 'due', 'leased')")


def _mixed(appliance: RunningAppliance, folder: Path, sent: list[str]) -> Counter[str]:
    """What is not as one configuration alone would have made it, by kind."""
    copies: dict[str, list[tuple[str, ...]]] = {}
    for name in "ab":
        for path in (folder / name).iterdir():
            copy = pydicom.dcmread(path)
            marks = (copy.PatientComments, copy.StudyDescription, copy.ImageComments)
            copies.setdefault(copy.SOPInstanceUID, []).append((name, *marks))
    found: Counter[str] = Counter()
    for uid in sent:
        those = copies.get(uid, [])
        found["not sent once"] += len(those) != 1
        found["of two configurations"] += any(len(set(marks)) > 1 for marks in those)
    for uid, file in appliance.sql("select sop_instance_uid, file from instances"):
        kept = pydicom.dcmread(appliance.data / "archive" / str(file))
        marks = (kept.get("PatientComments"), kept.get("StudyDescription"))
        found["kept with half"] += [marks] != [each[1:3] for each in copies.get(str(uid), [])]
    return +found
