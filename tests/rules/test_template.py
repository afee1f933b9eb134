"""Top levels recognised by templates: exactly what the loop finds, whatever was scanned before."""

import random
import struct
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.errors import HeaderError, HeaderIncompleteError
from rules.header import Header
from rules.layout import EXPLICIT_BIG, EXPLICIT_LITTLE, IMPLICIT_LITTLE, Layout, layout_of
from rules.recognition import LONGEST, MOST_TEMPLATES, RECOGNITION, Recognition
from rules.scanning import Scan
from rules.template import Template
from tests.support.data import DATA, data_files, data_set, needs_data
from tests.support.elements import EXPLICIT, UNDEFINED, implicit

FOLDERS = ("series", "pet-ct-templates", "modalities", "transfer-syntaxes", "charsets", "malformed", "media")
MUCH = 256 * 1024  # bytes of a file, more than any template takes
LAYOUTS = [EXPLICIT_LITTLE, IMPLICIT_LITTLE, EXPLICIT_BIG]
PIXEL_TAG = 0x7FE00010
INSERTED = [0x00080000, 0x00100010, 0x00280015, 0x00290010, 0x7FE00009, 0xFFFEE00D, 0xFFFCFFFC]
Elements = list[tuple[int, str, bytes, bool]]  # tag, VR, value, and whether the length is undefined

Found = tuple[object, ...]


def found(scan: Callable[[], Scan]) -> Found:
    """All that a scan says, or its error with all that this says."""
    try:
        result = scan()
    except HeaderIncompleteError as error:
        return (HeaderIncompleteError, error.needed)
    except HeaderError as error:
        return (HeaderError, str(error))
    offsets = dict(result.offsets)
    assert list(result.offsets.items()) == list(offsets.items())
    assert all(result.offsets.get(tag) == result.offsets[tag] == offset for tag, offset in offsets.items())
    assert result.offsets.get(0xFFFFFFFF) is None
    assert len(result.offsets) == len(offsets)
    return (tuple(offsets.items()), result.end, result.stopped, frozenset(result.repeated))


def by_the_loop(data: bytes, layout: Layout) -> Found:
    """What the loop alone finds."""

    def run() -> Scan:
        scan = Scan()
        scan.run(data, 0, len(data), layout, to_pixels=True)
        return scan

    return found(run)


def same(recognition: Recognition, data: bytes, layout: Layout) -> None:
    """Assert that a recognition finds what the loop finds."""
    assert found(lambda: recognition.scan(data, layout)) == by_the_loop(data, layout)


@contextmanager
def counted(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """How many times the loop runs meanwhile, as a list with the sizes of what it ran over."""
    sizes: list[int] = []
    run = Scan.run

    def counting(self: Scan, data: bytes, start: int, limit: int, layout: Layout, *, to_pixels: bool) -> None:
        sizes.append(limit - start)
        run(self, data, start, limit, layout, to_pixels=to_pixels)

    with monkeypatch.context() as patch:
        patch.setattr(Scan, "run", counting)
        yield sizes


def encoded(elements: Sequence[tuple[int, str, bytes, bool]], layout: Layout) -> bytes:
    """A data set of these elements, in their order."""
    order = "<" if layout.little else ">"
    pieces: list[bytes] = []
    for tag, vr, value, undefined in elements:
        length = UNDEFINED if undefined else len(value)
        head = struct.pack(order + "HH", tag >> 16, tag & 0xFFFF)
        if layout.implicit:
            head += struct.pack(order + "L", length)
        elif vr in {"OB", "OW", "SQ", "UN", "UT"}:
            head += vr.encode() + struct.pack(order + "HL", 0, length)
        else:
            head += vr.encode() + struct.pack(order + "H", length & 0xFFFF)
        pieces.append(head + value)
    return b"".join(pieces)


def delimited(layout: Layout, value: bytes) -> bytes:
    """The content of a sequence of undefined length: one item of undefined length with one element of this value."""
    order = "<" if layout.little else ">"
    inner = encoded([(0x00081155, "UI", value, False)], layout)
    marks = [
        struct.pack(order + "HHL", 0xFFFE, low, size) for low, size in ((0xE000, UNDEFINED), (0xE00D, 0), (0xE0DD, 0))
    ]
    return marks[0] + inner + marks[1] + marks[2]


def instance(number: int, layout: Layout = EXPLICIT_LITTLE) -> Elements:
    """One of a series: values that stay, that vary, that vary in length, a sequence of each kind, and pixel data."""
    elements: Elements = [(0x00080005, "CS", b"ISO_IR 100", False)]
    elements.append((0x00080018, "UI", b"1.2.840.%06d\0" % number, False))
    elements.append((0x00081140, "SQ", delimited(layout, b"1.2"), True))
    elements.append((0x00082112, "SQ", delimited(layout, b"1." * (1 + number % 3)), True))
    elements.append((0x00200013, "IS", (b"%d" % number).ljust(2 + 2 * (number > 99)), False))
    elements.append((0x00200032, "DS", b"1.25\\" + b"9" * (number % 7), False))
    elements += [(0x00280000 + low, "LO", b"same", False) for low in range(0x10, 0x40)]
    elements.append((0x00291010, "OB", bytes([number % 256]) * 600, False))
    return [*elements, (PIXEL_TAG, "OW", bytes(16), False)]


@needs_data
def test_every_file_after_every_other() -> None:
    """Every file of the test data is found as the loop finds it, in any order, after any others and itself."""
    files = []
    for path in data_files(*FOLDERS):
        try:
            data, syntax = data_set(path)
        except Exception:  # noqa: BLE001 - no DICOM file, or none whose beginning pydicom understands
            continue
        files.append((data[:MUCH], layout_of(data, syntax)))
    assert len(files) > 100
    recognition = Recognition()
    chance = random.Random(1)
    for _ in range(3):
        for data, layout in files:
            same(recognition, data, layout)
        chance.shuffle(files)


@needs_data
def test_a_real_series_is_recognised(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a real series of 267 instances the loop goes through a tenth, and through none the second time."""
    assert DATA is not None
    series = [data_set(path) for path in data_files("series/pet-ge-discovery-st") if path.suffix not in {".tsv", ".md"}]
    RECOGNITION.forget()
    with counted(monkeypatch) as sizes:
        for data, syntax in series:
            Header.scan(data, syntax)
        first = len(sizes)
        for data, syntax in series:
            Header.scan(data, syntax)
    assert len(series) > 200
    assert first <= len(series) // 10
    assert len(sizes) == first


@pytest.mark.parametrize("layout", LAYOUTS, ids=["explicit", "implicit", "big endian"])
def test_a_series_is_recognised(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two hundred instances the loop goes through a few, whatever varies in values, lengths and sequences."""
    series = [encoded(instance(number, layout), layout) for number in range(200)]
    recognition = Recognition()
    with counted(monkeypatch) as sizes:
        for data in series:
            recognition.scan(data, layout)
        assert 1 < len(sizes) <= 10
    for data in series:
        same(recognition, data, layout)


@pytest.mark.parametrize("layout", LAYOUTS, ids=["explicit", "implicit", "big endian"])
@pytest.mark.parametrize("pixels", [True, False])
def test_cut_anywhere(layout: Layout, pixels: bool) -> None:
    """A data set cut at any byte is found, or refused with as many bytes needed, as if no other had been seen."""
    recognition = Recognition()
    for number in range(20):
        elements = instance(number, layout)
        recognition.scan(encoded(elements if pixels else elements[:-1], layout), layout)
    assert recognition.templates
    data = encoded(elements if pixels else elements[:-1], layout)
    for cut in range(len(data) + 1):
        same(recognition, data[:cut], layout)
        same(recognition, data[:cut] + bytes(cut % 9), layout)


def test_prefix_of_a_known_series() -> None:
    """The beginning of a file is a header as soon as the pixel data's own header is there, and incomplete before."""
    RECOGNITION.forget()
    for number in range(20):
        data = encoded(instance(number), EXPLICIT_LITTLE)
        end = Header.scan(data, EXPLICIT).end
    assert Header.scan(data[: end + 12], EXPLICIT, complete=False).end == end
    for cut in range(end + 12):
        with pytest.raises(HeaderIncompleteError) as caught:
            Header.scan(data[:cut], EXPLICIT, complete=False)
        assert caught.value.needed > cut


@st.composite
def variants(draw: st.DrawFn, layout: Layout) -> list[bytes]:
    """Data sets that are made from one, each changed in a few ways from the one before or from the first."""
    first = instance(draw(st.integers(0, 300)), layout)[: draw(st.sampled_from([None, -1]))]
    elements, made = first, []
    for _ in range(draw(st.integers(3, 9))):
        elements = list(draw(st.sampled_from([first, elements])))
        for _ in range(draw(st.integers(0, 3))):
            changed(draw, elements, layout)
        data = encoded(elements, layout)
        if draw(st.integers(0, 5)) == 0:
            data = data[: draw(st.integers(0, len(data)))]
        if draw(st.integers(0, 3)) == 0:
            at = draw(st.integers(0, max(len(data) - 1, 0)))
            data = data[:at] + bytes([draw(st.integers(0, 255))]) + data[at + 1 :]
        made += [data] * draw(st.integers(1, 2))
    return made


def changed(draw: st.DrawFn, elements: Elements, layout: Layout) -> None:
    """Change, insert, repeat, move or take away one element."""
    at = draw(st.integers(0, len(elements) - 1)) if elements else 0
    how = draw(st.sampled_from(["value", "length", "vr", "insert", "repeat", "move", "remove", "undefined"]))
    if how == "insert" or not elements:
        tag = draw(
            st.sampled_from([0x00080000, 0x00100010, 0x00280015, 0x00290010, 0x7FE00009, 0xFFFEE00D, 0xFFFCFFFC])
        )
        elements.insert(at, (tag, draw(st.sampled_from(["LO", "OB", "SQ", "US"])), b"1.2", False))
        return
    tag, vr, value, undefined = elements.pop(at)
    if how == "value":
        elements.insert(at, (tag, vr, value[::-1], undefined))
    elif how == "length":
        longer = draw(st.sampled_from([b"", b"x", b"1.25", bytes(700)]))
        elements.insert(at, (tag, vr, delimited(layout, longer[:8]) if undefined else longer, undefined))
    elif how == "vr":
        elements.insert(at, (tag, draw(st.sampled_from(["LO", "SH", "UN", "OW", "ZZ"])), value, undefined))
    elif how == "repeat":
        elements.insert(at, (tag, vr, value, undefined))
        elements.insert(draw(st.integers(0, len(elements))), (tag, vr, value, undefined))
    elif how == "move":
        elements.insert(draw(st.integers(0, len(elements))), (tag, vr, value, undefined))
    elif how == "undefined":
        elements.insert(at, (tag, "SQ", delimited(layout, b"1.2"), not undefined))


@settings(max_examples=150, deadline=None)
@given(data=st.data(), layout=st.sampled_from(LAYOUTS))
def test_any_headers_in_any_order(data: st.DataObject, layout: Layout) -> None:
    """Whatever came before, scanning a header finds or raises exactly what the loop does."""
    recognition = Recognition()
    made = data.draw(variants(layout))
    for each in (*made, *reversed(made)):
        same(recognition, each, layout)
    for each in data.draw(st.permutations(made)):
        same(recognition, each, layout)


@settings(max_examples=100, deadline=None)
@given(position=st.integers(0, 10_000), byte=st.integers(0, 255), number=st.integers(0, 250))
def test_any_byte_of_a_known_series(position: int, byte: int, number: int) -> None:
    """One byte that differs anywhere in an instance of a known series changes nothing but what it says."""
    recognition = Recognition()
    for known in range(30):
        recognition.scan(encoded(instance(known), EXPLICIT_LITTLE), EXPLICIT_LITTLE)
    data = bytearray(encoded(instance(number), EXPLICIT_LITTLE))
    data[position % len(data)] = byte
    same(recognition, bytes(data), EXPLICIT_LITTLE)


def test_a_pixel_element_of_another_vr() -> None:
    """The pixel data ends the header in every VR it may have; in one that it may not have it is an element."""
    recognition = Recognition()
    elements = instance(1)[:-1]
    for vr in ("OW", "OW", "OB", "US", "OW", "OB", "US", "US"):
        data = encoded([*elements, (PIXEL_TAG, vr, bytes(16), False)], EXPLICIT_LITTLE)
        for _ in range(3):
            same(recognition, data, EXPLICIT_LITTLE)


def test_a_tag_that_comes_again_out_of_order() -> None:
    """A header whose tags are not in order is never taken for a template."""
    recognition = Recognition()
    elements = instance(1)
    for _ in range(4):
        same(recognition, encoded([elements[1], *elements], EXPLICIT_LITTLE), EXPLICIT_LITTLE)
        same(recognition, encoded([elements[3], elements[2], *elements[3:]], EXPLICIT_LITTLE), EXPLICIT_LITTLE)
    assert recognition.templates == ()


def test_what_is_kept_is_bounded() -> None:
    """Of a thousand kinds of header a few are kept, without pixels, and none that is very long."""
    recognition = Recognition()
    for number in range(1000):
        extra = [(0x00410000 + each, "LO", b"x ", False) for each in range(0x10, 0x1A) if number >> each - 0x10 & 1]
        head = [*instance(number)[:-1], *extra]
        data = encoded([*head, (PIXEL_TAG, "OW", bytes(5000), False)], EXPLICIT_LITTLE)
        recognition.scan(data, EXPLICIT_LITTLE)
        assert len(recognition.templates) <= MOST_TEMPLATES
    assert len(recognition.templates) == MOST_TEMPLATES
    assert max(len(template.sample.data) for template in recognition.templates) < 5000
    long = encoded([*instance(1)[:-1], (0x00420011, "OB", bytes(LONGEST), False)], EXPLICIT_LITTLE)
    recognition = Recognition()
    recognition.scan(long, EXPLICIT_LITTLE)
    assert recognition.templates == ()


def test_lessons_without_use_become_rare(monkeypatch: pytest.MonkeyPatch) -> None:
    """Headers that are never alike are looked at more and more rarely; a series that follows is still learned."""
    lessons = [0]
    make = Template.__init__

    def counting(self: Template, *arguments: object) -> None:
        lessons[0] += 1
        make(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(Template, "__init__", counting)
    recognition = Recognition()
    for number in range(1, 1000):
        extra = [(0x00410000 + each, "LO", b"x ", False) for each in range(0x10, 0x1A) if number >> each - 0x10 & 1]
        recognition.scan(encoded([*instance(number)[:-1], *extra], EXPLICIT_LITTLE), EXPLICIT_LITTLE)
    assert lessons[0] < 100
    with counted(monkeypatch) as sizes:
        for number in range(100):
            recognition.scan(encoded(instance(number), EXPLICIT_LITTLE), EXPLICIT_LITTLE)
    assert len(sizes) < 45


def test_threads_share_what_they_learn() -> None:
    """Several threads with several series each find what the loop finds."""
    recognition = Recognition()
    kinds = [[(0x00100010 + kind, "LO", b"kind", False)] for kind in range(MOST_TEMPLATES + 4)]
    work = [
        encoded([*instance(number)[:5], *kinds[number % len(kinds)], *instance(number)[6:]], EXPLICIT_LITTLE)
        for number in range(400)
    ]
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda data: same(recognition, data, EXPLICIT_LITTLE), work))


def test_implicit_delimiters_outside_a_sequence() -> None:
    """A delimiter where an element is expected is refused, also in a series that is known."""
    recognition = Recognition()
    data = encoded(instance(1, IMPLICIT_LITTLE), IMPLICIT_LITTLE)
    for _ in range(3):
        same(recognition, data, IMPLICIT_LITTLE)
    same(recognition, implicit(0xFFFEE00D, b"") + data, IMPLICIT_LITTLE)
    same(recognition, data[:-24] + implicit(0xFFFEE0DD, b""), IMPLICIT_LITTLE)


def test_the_same_bytes_in_another_order() -> None:
    """A data set that begins as one of the other byte order, to the byte, is read in its own."""
    recognition = Recognition()
    elements = [(0x0808_1010 + 0x0101 * number, "LO", b"", False) for number in range(20)]
    for last in (b"x", b"xxx", b"xx", b"x"):
        data = encoded([*elements, (0x0909_1010, "LO", last, False)], EXPLICIT_LITTLE)
        for layout in (EXPLICIT_LITTLE, EXPLICIT_BIG):
            same(recognition, data, layout)


def test_what_varies_too_much_is_begun_anew() -> None:
    """Where most lengths have varied once, a template is begun anew, and saves again when they vary no more."""
    recognition = Recognition()
    chance = random.Random(1)
    tags = range(0x00280010, 0x00280040)
    for number in range(200):
        texts = [b"x" * (2 * chance.randrange(9) if number < 100 else 4) for _ in tags]
        elements = [(tag, "LO", text, False) for tag, text in zip(tags, texts, strict=True)]
        data = encoded(elements, EXPLICIT_LITTLE)
        same(recognition, data, EXPLICIT_LITTLE)
    [template] = recognition.templates
    assert template.scan(data) is not None
    assert len(template._runs) < len(tags) // 3
