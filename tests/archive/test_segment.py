"""The format of a segment: what is written comes back, and nothing else is taken for it."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from archive import Identity, Origin
from archive.files import create, write_at
from archive.segment import BLOCK_BYTES, HEAD_BYTES, LARGEST_BYTES, SegmentEntry, about, decode, encode, heads
from tests.support.arrivals import CT, IMPLICIT, RECEIVED_AT, origin

TEXT = st.text(st.characters(exclude_categories=()), max_size=60)
ARRIVAL = "0" * 24


def _entry(identity: Identity, came_from: Origin, size: int = 0, check: int = 0) -> SegmentEntry:
    return SegmentEntry(0, b"g" * 16, ARRIVAL, identity, came_from, size, check)


def _encoded(entry: SegmentEntry) -> bytes:
    return encode(entry.generation, entry.arrival, about(entry.identity, entry.origin), entry.size, entry.check)


@given(st.tuples(TEXT, TEXT, TEXT), st.tuples(st.none() | TEXT, TEXT, TEXT, TEXT), st.integers(0, LARGEST_BYTES))
def test_head_comes_back(
    identity: tuple[str, str, str], came_from: tuple[str | None, str, str, str], size: int
) -> None:
    """Whatever is received, lone surrogates and NULs too, comes back from a head, or it is refused as too long."""
    entry = _entry(Identity(*identity), Origin(*came_from, RECEIVED_AT), size, size)
    try:
        head = _encoded(entry)
    except ValueError:
        assert sum(len(text or "") for text in (*identity, *came_from)) > 150
        return
    assert len(head) == HEAD_BYTES
    assert decode(head, 0) == entry


@given(st.integers(0, HEAD_BYTES - 1), st.integers(1, 255))
def test_changed_head_is_no_other_head(position: int, flip: int) -> None:
    """A byte that is changed in a head is noticed, unless it is in the padding, where nothing is said."""
    entry = _entry(Identity(CT, "1.2", IMPLICIT), origin())
    head = bytearray(_encoded(entry))
    head[position] ^= flip
    found = decode(bytes(head), 0)
    assert found is None or found == entry


@given(st.binary(max_size=3000))
def test_what_is_no_head_is_none(data: bytes) -> None:
    """Any bytes, and any beginning of a head, are not taken for one."""
    assert decode(data, 0) is None
    head = _encoded(_entry(Identity(CT, "1.2", IMPLICIT), origin()))
    assert decode(head[: len(data) % HEAD_BYTES], 0) is None


def test_longest_texts_of_the_wire_fit() -> None:
    """AE titles, UIDs, a configured name and an IPv6 address at their longest leave the head room."""
    aet, uid = "ÿ" * 16, "1" * 64
    entry = _entry(Identity(uid, uid, uid), Origin("x" * 64, aet, aet, "f" * 45 + "%" + "é" * 16, RECEIVED_AT))
    assert decode(_encoded(entry), 0) == entry


def test_heads_are_found_behind_what_is_damaged(tmp_path: Path) -> None:
    """Every head of a generation is found, wherever blocks begin, whatever stands between; no other generation's."""
    with create(tmp_path / "x.segment") as file:
        offsets = [0, BLOCK_BYTES, 5 * BLOCK_BYTES, 300 * BLOCK_BYTES, 301 * BLOCK_BYTES]
        for offset in offsets:
            entry = SegmentEntry(offset, b"g" * 16, ARRIVAL, Identity("", "", ""), origin(), 10, 0)
            write_at(file, _encoded(entry), offset)
        write_at(file, b"\xff" * 9, BLOCK_BYTES + 60)
        other = SegmentEntry(7 * BLOCK_BYTES, b"h" * 16, ARRIVAL, Identity("", "", ""), origin(), 10, 0)
        write_at(file, _encoded(other), other.offset)
        write_at(file, _encoded(other), 9 * BLOCK_BYTES + 512)  # not where an entry can begin
        found = [head.offset for head in heads(file, 0, b"g" * 16, [])]
        assert found == [offset for offset in offsets if offset != BLOCK_BYTES]
        assert [head.offset for head in heads(file, 6 * BLOCK_BYTES, None, [])] == [other.offset, *offsets[3:]]
