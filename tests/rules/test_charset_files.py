"""Character sets on real files: what a condition sees, what new text is written in, that no other text is harmed."""

import io
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filereader import read_dataset
from pydicom.filewriter import write_dataset

from rules import Attribute, Draft, Facts, Header
from rules.conditions import compile_condition
from tests.support.data import data_set, name_of, needs_data, sample
from tests.support.elements import EXPLICIT
from tests.support.rules import arrival

FILES = sample("charsets")
ASCII, FOREIGN = "Smith John", "Ünïcödé 漢字 Ελληνικά"
# Of each file a text in its own script, that its character set can hold.
NATIVE = {
    "chrArab": "قباني لنزار",
    "chrFren": "Hôpital ÿà",
    "chrFrenMulti": "Hôpital ÿà",
    "chrGerm": "Universitätsklinikum Köln",
    "chrGreek": "Νοσοκομείο",
    "chrH31": "国立病院 かな",
    "chrH32": "国立病院 ｶﾅ",
    "chrHbrw": "בית חולים",
    "chrI2": "국립암센터 癌",
    "chrJapMulti": "国立病院 かな",
    "chrJapMultiExplicitIR6": "国立病院 かな",
    "chrKoreanMulti": "국립암센터",
    "chrRuss": "Больница",
    "chrSQEncoding": "国立병원 Ω",
    "chrSQEncoding1": "ｶﾅ 国立",
    "chrX1": "國立醫院",
    "chrX2": "国立医院",
}
HOLDS_ALL = {"chrSQEncoding", "chrX1", "chrX2"}  # UTF-8 and GB18030
ITEMS = "RequestAttributesSequence[{}].RequestedProcedureDescription"
RUSSIAN = "Люкс"
TEXTS = [
    pytest.param(path, which, id=f"{path.stem}-{which}") for path in FILES for which in ("ascii", "own", "foreign")
]


def text_of(path: Path, which: str) -> str:
    """The text to write into a file."""
    return {"ascii": ASCII, "own": NATIVE[path.stem], "foreign": FOREIGN}[which]


def read(data: bytes) -> Dataset:
    """The data set as pydicom reads it."""
    return read_dataset(io.BytesIO(data), False, True)


def texts(found: Dataset, where: str = "") -> Iterator[tuple[str, str]]:
    """Every value at every depth as pydicom shows it, but the character sets themselves."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for element in found:
            name = f"{where}{element.tag}"
            if element.VR == "SQ":
                for number, item in enumerate(element.value):
                    yield from texts(item, f"{name}[{number}].")
            elif element.keyword != "SpecificCharacterSet":
                yield name, str(element.value)


def spliced(data: bytes, draft: Draft) -> bytes:
    """The data set with the draft's edits."""
    splice = draft.splice()
    return splice.prefix + data[splice.resume :]


def with_items(path: Path) -> bytes:
    """The file's data set with two items more: one in its own character set, one in that of Russian."""
    data, _ = data_set(path)
    made = read(data)
    inherits, own = Dataset(), Dataset()
    inherits.RequestedProcedureDescription = NATIVE[path.stem]
    own.SpecificCharacterSet = "ISO_IR 144"
    own.RequestedProcedureDescription = RUSSIAN
    made.RequestAttributesSequence = [inherits, own]
    stream = DicomBytesIO()
    stream.is_little_endian, stream.is_implicit_VR = True, False
    write_dataset(stream, made)
    return stream.getvalue()


def holds(condition: dict[str, object], header: Header) -> bool:
    """Whether a condition holds for a header."""
    return compile_condition(condition)(Facts(header, arrival()))


def test_every_file_has_a_text() -> None:
    """No file of the collection is without a text of its own script."""
    assert {path.stem for path in FILES} - NATIVE.keys() == set()


@needs_data
@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_a_condition_sees_the_name(path: Path) -> None:
    """A condition holds for the name that pydicom shows, in any case, for each of its groups, and for no other."""
    data, syntax = data_set(path)
    header = Header.scan(data, syntax)
    name = str(read(data).get("PatientName", ""))
    if not name:
        assert holds({"PatientName": {"present": "false"}}, header)
        return
    groups = [group for group in name.split("=") if group]
    for text in (name, *groups, *(group.upper() for group in groups), f"*{name[1:]}", f"{groups[-1][:-1]}?"):
        assert holds({"PatientName": text}, header), text
    assert holds({"PatientName": {"contains": groups[-1][1:]}}, header)
    assert holds({"PatientName": {"matches": f".*{groups[-1][-1]}"}}, header)
    assert not holds({"PatientName": [f"{group}{group[-1]}" for group in groups]}, header)


@needs_data
@pytest.mark.parametrize(("path", "which"), TEXTS)
def test_new_text(path: Path, which: str) -> None:
    """New text is written in the file's own character set; only what that cannot hold makes it UTF-8.

    Then every other text, nested or not, reads as before, and undoing gives back every byte.
    """
    text, data = text_of(path, which), with_items(path)
    header = Header.scan(data, EXPLICIT)
    draft = Draft(header)
    for name in ("InstitutionName", "PatientName", "RequestAttributesSequence[0].ScheduledProcedureStepDescription"):
        draft.set(Attribute.parse(name), (text,))
    new = spliced(data, draft)
    before, after = read(data), read(new)
    converts = which == "foreign" and path.stem not in HOLDS_ALL
    assert after.SpecificCharacterSet == ("ISO_IR 192" if converts else before.SpecificCharacterSet)
    assert after.InstitutionName == str(after.PatientName) == text
    assert after.RequestAttributesSequence[0].ScheduledProcedureStepDescription == text
    assert after.RequestAttributesSequence[1].SpecificCharacterSet == "ISO_IR 144"
    edited = ("(0008,0080)", "(0010,0010)", "(0040,0275)[0].(0040,0007)")
    left = {name: value for name, value in texts(before) if name not in edited}
    assert {name: value for name, value in texts(after) if name not in edited} == left
    again = Header.scan(new, EXPLICIT)
    assert holds({"InstitutionName": text.upper(), "PatientName": text}, again)
    assert holds({ITEMS.format(0): NATIVE[path.stem], ITEMS.format(1): RUSSIAN}, again)
    assert RUSSIAN.encode("iso8859_5") in new
    if not converts:  # not a byte but that of the three elements
        others = [tag for tag in header.top.offsets if tag not in {0x00080080, 0x00100010, 0x00400275}]
        assert [raw(header, tag) for tag in others] == [raw(again, tag) for tag in others]


def raw(header: Header, tag: int) -> bytes:
    """An element as it is encoded."""
    element = header.top.element(tag)
    assert element is not None
    return header.top.data[element.start : element.end]


@needs_data
@pytest.mark.parametrize(("path", "which"), TEXTS)
def test_new_text_in_an_item_with_its_own_character_set(path: Path, which: str) -> None:
    """An item that declares its own character set is converted alone; the data set around it stays as it came."""
    text, data = text_of(path, which), with_items(path)
    draft = Draft(Header.scan(data, EXPLICIT))
    draft.set(Attribute.parse("RequestAttributesSequence[1].ScheduledProcedureStepDescription"), (text,))
    new = spliced(data, draft)
    before, after = read(data), read(new)
    assert after.SpecificCharacterSet == before.SpecificCharacterSet
    item = after.RequestAttributesSequence[1]
    assert item.ScheduledProcedureStepDescription == text
    fits = which == "ascii" or (which, path.stem) == ("own", "chrRuss")
    assert item.SpecificCharacterSet == ("ISO_IR 144" if fits else "ISO_IR 192")
    left = dict(texts(before))
    assert {name: value for name, value in texts(after) if name in left} == left


@needs_data
@pytest.mark.parametrize("path", [path for path in FILES if "SQ" in path.stem], ids=name_of)
def test_nested_text_of_the_collection(path: Path) -> None:
    """A condition sees the name inside an item, whether the item declares a character set or takes that around it."""
    data, syntax = data_set(path)
    header = Header.scan(data, syntax)
    (item,) = read(data).RequestedProcedureCodeSequence
    nested = [name for name, _ in texts(item)]
    for element in item:
        if element.VR in {"PN", "LO", "SH"} and str(element.value):
            assert holds({f"RequestedProcedureCodeSequence[0].{element.keyword}": str(element.value)}, header)
    draft = Draft(header)
    draft.set(Attribute.parse("RequestedProcedureCodeSequence[0].CodeMeaning"), (FOREIGN,))
    draft.set(Attribute.parse("InstitutionName"), (FOREIGN,))
    after = read(spliced(data, draft))
    assert after.InstitutionName == after.RequestedProcedureCodeSequence[0].CodeMeaning == FOREIGN
    left = {name: value for name, value in texts(item) if name != "(0008,0104)"}
    assert nested
    assert {name: value for name, value in texts(after.RequestedProcedureCodeSequence[0]) if name in left} == left
