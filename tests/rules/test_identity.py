"""What an instance is, told quickly from its first bytes: never a yes that reading the header would not give."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules import HeaderError, begins_as, identify
from tests.support.data import data_set, name_of, needs_data, sample
from tests.support.elements import explicit, implicit

CT, UID = "1.2.840.10008.5.1.4.1.1.2", "1.2.3.4.5"
EXPLICIT, IMPLICIT, BIG = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2", "1.2.840.10008.1.2.2"
PADDED = UID.encode() + b"\0"
BEGINNING = explicit(0x00080005, "CS", b"ISO_IR 100") + explicit(0x00080008, "CS", b"ORIGINAL\\PRIMARY ")
UIDS = explicit(0x00080016, "UI", CT.encode() + b"\0") + explicit(0x00080018, "UI", PADDED)
IMPLICIT_UIDS = implicit(0x00080016, CT.encode() + b"\0") + implicit(0x00080018, PADDED)


@needs_data
@pytest.mark.parametrize(
    "path", sample("series", "charsets", "modalities", "transfer-syntaxes", "malformed"), ids=name_of
)
def test_real_data_sets(path: Path) -> None:
    """A yes for a real data set's own UIDs is true, and there is none for others."""
    data, syntax = data_set(path)
    try:
        sop_class, sop_instance = identify(data, syntax)
    except HeaderError:
        return
    if begins_as(data[:512], syntax, sop_class, sop_instance):
        assert sop_class
        assert sop_instance
    assert not begins_as(data[:512], syntax, sop_class, sop_instance + "9")
    assert not begins_as(data[:512], syntax, sop_class + "9", sop_instance)


def test_usual_beginnings_are_told() -> None:
    """With elements before the UIDs, in explicit and in implicit little endian, whatever the declared syntax."""
    assert begins_as(UIDS, EXPLICIT, CT, UID)
    assert begins_as(BEGINNING + UIDS + b"more", EXPLICIT, CT, UID)
    assert begins_as(BEGINNING + UIDS, IMPLICIT, CT, UID), "declared one and written the other"
    assert begins_as(BEGINNING + UIDS, "1.2.840.10008.1.2.4.70", CT, UID)
    assert begins_as(implicit(0x00080008, b"A\\B ") + IMPLICIT_UIDS, IMPLICIT, CT, UID)
    assert not begins_as(BEGINNING + UIDS, BIG, CT, UID)


def test_uids_within_a_value_are_no_beginning() -> None:
    """Bytes that look like the two elements, inside of another element's value, are not taken for them."""
    hidden = explicit(0x00080008, "LO", b"xx" + UIDS)
    own = explicit(0x00080016, "UI", b"1.2") + explicit(0x00080018, "UI", b"1.3 ")
    assert not begins_as(hidden + own, EXPLICIT, CT, UID)
    assert not begins_as(explicit(0x00080006, "OB", b"") + UIDS, EXPLICIT, CT, UID), "left to the longer way"
    assert not begins_as(implicit(0x00080008, b"xx" + IMPLICIT_UIDS), IMPLICIT, CT, UID)
    for cut in range(len(BEGINNING + UIDS)):
        assert not begins_as((BEGINNING + UIDS)[:cut], EXPLICIT, CT, UID)


@given(
    st.lists(st.tuples(st.sampled_from(["CS", "LO", "UI", "OB", "SQ"]), st.binary(max_size=40)), max_size=5),
    st.integers(0, 400),
    st.integers(0, 255),
)
def test_a_yes_is_always_true(elements: list[tuple[str, bytes]], place: int, value: int) -> None:
    """Whatever stands before the UIDs and whichever byte is changed: where it says yes, the header says the same."""
    data = bytearray(b"".join(explicit(0x00080005 + n, vr, raw) for n, (vr, raw) in enumerate(elements)) + UIDS)
    if place < len(data):
        data[place] = value
    if begins_as(bytes(data), EXPLICIT, CT, UID):
        assert identify(bytes(data), EXPLICIT) == (CT, UID)
