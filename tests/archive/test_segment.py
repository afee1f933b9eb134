"""The format of a segment: what is written comes back, and nothing else is taken for it."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from archive import Identity, Origin
from archive.files import create, write_at
from archive.segment import (
    HEAD_BYTES,
    LARGEST_BYTES,
    Damage,
    SegmentEntry,
    State,
    beginning,
    decode,
    encode,
    entries,
    state_mark,
)
from tests.support.arrivals import CT, IMPLICIT, RECEIVED_AT, origin

TEXT = st.text(st.characters(exclude_categories=()), max_size=60)
ARRIVAL = "0" * 24


def _entry(identity: Identity, came_from: Origin, size: int = 0, check: int = 0) -> SegmentEntry:
    return SegmentEntry(0, b"g" * 16, State.WRITTEN, ARRIVAL, identity, came_from, size, check)


@given(st.tuples(TEXT, TEXT, TEXT), st.tuples(st.none() | TEXT, TEXT, TEXT, TEXT), st.integers(0, LARGEST_BYTES))
def test_head_comes_back(
    identity: tuple[str, str, str], came_from: tuple[str | None, str, str, str], size: int
) -> None:
    """Whatever is received, lone surrogates and NULs too, comes back from a head, or it is refused as too long."""
    entry = _entry(Identity(*identity), Origin(*came_from, RECEIVED_AT), size, size)
    try:
        head = encode(entry)
    except ValueError:
        assert sum(len(text or "") for text in (*identity, *came_from)) > 150
        return
    assert len(head) == HEAD_BYTES
    assert decode(head, 0) == entry


@given(st.integers(0, HEAD_BYTES - 1), st.integers(1, 255))
def test_changed_head_is_no_other_head(position: int, flip: int) -> None:
    """A byte that is changed in a head is noticed, unless it is the state or in the padding, where nothing is said."""
    entry = _entry(Identity(CT, "1.2", IMPLICIT), origin())
    head = bytearray(encode(entry))
    head[position] ^= flip
    found = decode(bytes(head), 0)
    offset, _ = state_mark(0, State.SEALED)
    assert found is None or found == entry or (position == offset and found.state in State)


@given(st.binary(max_size=3000))
def test_what_is_no_head_is_none(data: bytes) -> None:
    """Any bytes, and any beginning of a head, are not taken for one."""
    assert decode(data, 0) is None
    head = encode(_entry(Identity(CT, "1.2", IMPLICIT), origin()))
    assert decode(head[: len(data) % HEAD_BYTES], 0) is None


def test_longest_texts_of_the_wire_fit() -> None:
    """AE titles, UIDs, a configured name and an IPv6 address at their longest leave the head room."""
    aet, uid = "ÿ" * 16, "1" * 64
    entry = _entry(Identity(uid, uid, uid), Origin("x" * 64, aet, aet, "f" * 45 + "%" + "é" * 16, RECEIVED_AT))
    assert decode(encode(entry), 0) == entry


def test_damage_is_found_between_entries(tmp_path: Path) -> None:
    """The walk through a segment goes on behind a head that cannot be read, and ends at one that is torn at its end."""
    with create(tmp_path / "x.segment") as file:
        offset, heads = 0, []
        for size in (10, 9000, 10, 10):
            entry = SegmentEntry(offset, b"g" * 16, State.SEALED, ARRIVAL, Identity("", "", ""), origin(), size, 0)
            write_at(file, encode(entry), offset)
            heads.append(offset)
            offset = entry.end
        for number in (1, 3):
            write_at(file, b"\xff" * 9, heads[number] + 100)
        write_at(file, *reversed(state_mark(heads[3], State.WRITTEN)))
        assert beginning(file) == (b"g" * 16, 0, False)
        found = list(entries(file, 0, b"g" * 16))
    assert [each.offset for each in found] == heads[:3]
    assert found[1] == Damage(heads[1], heads[2])
