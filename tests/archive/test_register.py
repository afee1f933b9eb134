"""The register of a segment: what is entered comes back with how far it has come, and nothing else is taken for it."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive import register
from archive.files import create, write_at
from archive.rawfile import RawFile
from archive.register import Registered, State

GENERATION = b"g" * 16


@pytest.fixture
def file(tmp_path: Path) -> RawFile:
    """A register that was begun."""
    file = create(tmp_path / "x.register")
    register.begin(file, GENERATION)
    return file


def _entry(number: int, state: State = State.SEALED) -> Registered:
    return Registered(number, f"{number:024x}", 1_700_000_000_000_000 + number, number * 8192, 5000 + number, state)


def _numbers(file: RawFile, start: int = 0) -> list[int]:
    return [entry.number for entry in register.records(file, register.generation_of(file), start)]


def test_records_come_back(file: RawFile) -> None:
    """Each with its state as marked last, from any number on, more than are read at once."""
    entered = [_entry(number) for number in range(300)]
    for entry in entered:
        register.add(file, GENERATION, entry)
    for number, state in ((3, State.FILED), (299, State.SET_ASIDE)):
        register.mark(file, number, state)
        entered[number] = entered[number]._replace(state=state)
    assert list(register.records(file, GENERATION, 0)) == entered
    assert list(register.records(file, GENERATION, 250)) == entered[250:]


def test_new_generation_voids_all(file: RawFile) -> None:
    """After a new beginning nothing entered before is there, nor what is entered for the old generation."""
    for number in range(20):
        register.add(file, GENERATION, _entry(number))
    register.begin(file, b"h" * 16)
    assert (register.generation_of(file), _numbers(file)) == (b"h" * 16, [])
    register.add(file, b"h" * 16, _entry(0))
    register.add(file, GENERATION, _entry(1))
    assert _numbers(file) == [0]


@given(place=st.integers(0, 47), flip=st.integers(1, 255))
def test_changed_record_is_passed_over(tmp_path_factory: pytest.TempPathFactory, place: int, flip: int) -> None:
    """A byte that rots takes its record and no other; a state that rots counts as waiting."""
    with create(tmp_path_factory.mktemp("register") / "x.register") as file:
        register.begin(file, GENERATION)
        for number in range(3):
            register.add(file, GENERATION, _entry(number))
        at = 24 + 48 + place
        write_at(file, bytes((Path(file.name).read_bytes()[at] ^ flip,)), at)
        found = list(register.records(file, GENERATION, 0))
    assert [entry.number for entry in found if entry.number != 1] == [0, 2]
    if place < 44:
        assert len(found) == 2
    elif place > 44:
        assert found == [_entry(0), _entry(1), _entry(2)]
    else:
        assert found[1].state in State


def test_what_is_no_register_is_none(tmp_path: Path) -> None:
    """A file that is empty, or of something else, has no generation."""
    for number, content in enumerate((b"", b"MPACREG1" + b"g" * 15, b"MPACREG2" + b"g" * 16, bytes(100))):
        path = tmp_path / f"{number}"
        path.write_bytes(content)
        with RawFile(path) as file:
            assert register.generation_of(file) == b""
