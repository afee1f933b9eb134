"""The relay of the headline run does what it is asked, to a real `storescp`: the scanner's end hears of it."""

import random
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.faults.calling import Call, NoAnswerError
from tests.faults.relayed import LATEST_BYTE, Relayed
from tests.faults.studies import make_study
from tests.support.appliance import wait_until
from tests.support.dcmtk import needs_dcmtk
from tests.support.part10 import read_part10
from tests.support.ports import free_port

pytestmark = [needs_dcmtk, pytest.mark.peer]


class Line:
    """A relay, the port it listens on, what it told, and where the copies are."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.folder = folder
        self.told: list[str] = []
        self.relayed = Relayed(folder, self.port, self.told.append)

    def send(self, number: int) -> None:
        """One study; NoAnswerError if that breaks off."""
        study = make_study(0, number)
        call = Call(self.port, study.source, study.instances[0].sop_class_uid)
        for instance in study.instances:
            assert call.store(instance) == 0
        call.release()

    def copies(self) -> list[str]:
        """The UIDs of whole copies, one a copy."""
        expected = {instance.uid: instance.data for number in range(4) for instance in make_study(0, number).instances}
        parts = []
        for path in self.folder.iterdir():
            with suppress(FileNotFoundError):  # what broke off is removed
                parts += [part] if (part := read_part10(path)) else []
        return sorted(part.sop_instance_uid for part in parts if part.data_set == expected[part.sop_instance_uid])


@pytest.fixture
def line(tmp_path: Path) -> Iterator[Line]:
    """Up until the end of the test."""
    line = Line(tmp_path / "copies")
    try:
        yield line
    finally:
        line.relayed.close()


@pytest.mark.parametrize("seed", [1, 2])
def test_a_delivery_is_cut_at_a_byte(line: Line, seed: int) -> None:
    """By RST as by FIN the sender gets no answer, and the next one gets through; each copy has a file of its own."""
    line.relayed.trouble("delivery cut at a byte", random.Random(seed))
    with pytest.raises(NoAnswerError):
        line.send(0)
    assert line.told == ["delivery cut at a byte"]
    assert LATEST_BYTE > 1
    line.send(0)
    line.send(1)
    uids = [instance.uid for number in (0, 1) for instance in make_study(0, number).instances]
    wait_until(lambda: set(line.copies()) == set(uids), 10, "the copies")


def test_an_answer_is_swallowed(line: Line) -> None:
    """The destination has the first instance, and the sender does not know; sent again it is there twice."""
    line.relayed.trouble("answer of the destination swallowed", random.Random(1))
    with pytest.raises(NoAnswerError):
        line.send(0)
    assert line.told == ["answer of the destination swallowed"]
    first, *others = (instance.uid for instance in make_study(0, 0).instances)
    wait_until(lambda: line.copies() == [first], 10, "the copy that nobody knows of")
    line.send(0)
    wait_until(lambda: line.copies() == sorted([first, first, *others]), 10, "the copies")


def test_nobody_listens_for_a_while(line: Line) -> None:
    """Who is connected is cut off; afterwards it is as before."""
    study = make_study(0, 0)
    call = Call(line.port, study.source, study.instances[0].sop_class_uid)
    line.relayed.down(0.1)
    with pytest.raises(NoAnswerError):
        call.store(study.instances[0])
    line.send(1)
    assert line.told == ["receiver is down"]
