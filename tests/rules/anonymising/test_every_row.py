"""Every row of Annex E: an attribute with a planted value, on the top level and deep in items, and what is left of it.

A row that is dropped from the table, an item that is skipped and an action taken for another each fail here.
"""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian

from rules import Header
from rules.profiles.table import _annex_e
from tests.support.rules import arrival, decoded, encoded, ruleset

NUMBERS = {"DS": "7.7", "FD": 7.5, "FL": 7.5, "IS": "77", "SL": 77, "SS": 77, "UL": 77, "US": 77}
TIMES = {"AS": "077Y", "DA": "19770707", "DT": "19770707070707", "TM": "070707"}
UNKNOWN_CLASS = "1.2.3.4.5"  # so that of several actions the last is taken
OPTIONS = {
    "uids": "keep: [uids]",
    "device": "keep: [device]",
    "institution": "keep: [institution]",
    "patient-characteristics": "keep: [patient-characteristics]",
    "full-dates": "dates: keep",
    "modified-dates": "dates: shift",
    "descriptors": "clean: [descriptors]",
    "structured-content": "clean: [structured-content]",
}
INWARDS = ("RadiopharmaceuticalInformationSequence", "EnergyWindowInformationSequence", "DetectorInformationSequence")
_ONE_TAG = re.compile(r"\(([0-9A-F]{4}),([0-9A-F]{4})\)")
_NOT_IN_A_DATA_SET = 0x0008
_PATIENT = {0x00100010, 0x00100020}


def _rows() -> Iterator[tuple[int, str, dict[str, str]]]:
    """Tag, VR and row of every standard attribute of the table that a data set can have before its pixel data."""
    for name, row in _annex_e()["attributes"].items():
        match = _ONE_TAG.fullmatch(name)
        if match is None:
            continue
        tag = int(match[1] + match[2], 16)
        if _NOT_IN_A_DATA_SET <= tag >> 16 < 0x7FE0:
            try:
                vr = dictionary_VR(tag).split(" ")[0]
            except KeyError:
                vr = "UN"
            yield tag, vr, row


ROWS = list(_rows())


def test_no_row_is_missing() -> None:
    """All rows of the standard's table are there and, but for ten that no header can have, planted below."""
    assert (len(_annex_e()["attributes"]), len(ROWS)) == (656, 646)


def _value(tag: int, vr: str) -> Any:
    """A value that no other attribute has, where the VR has room for one."""
    word = f"W{tag:08X}"
    if vr in NUMBERS or vr in TIMES:
        return (NUMBERS | TIMES)[vr]
    if vr in {"OB", "OW", "UN"}:
        return word.encode() + b"."
    return {"PN": f"{word}^PERSON", "UI": f"1.2.3.{tag}", "UR": f"http://{word}.example"}.get(vr, word)


def _planted(tag: int, vr: str) -> DataElement:
    if vr != "SQ":
        return DataElement(tag, vr, _value(tag, vr))
    item = Dataset()
    item.PersonName = "PLANTED^PERSON"
    item.TextValue = "PLANTED"
    item.CodeMeaning = "a term"
    return DataElement(tag, vr, Sequence([item]))


def _full() -> Dataset:
    """All attributes at once, and all of them again three items deep, in sequences that no row lists."""
    made = Dataset()
    for tag, vr, _ in ROWS:
        made.add(_planted(tag, vr))
    deep = Dataset()
    for tag, vr, _ in ROWS:
        deep.add(_planted(tag, vr))
    for keyword in INWARDS:
        outer = Dataset()
        setattr(outer, keyword, Sequence([deep]))
        deep = outer
    made.update(deep)
    made.SOPClassUID = UNKNOWN_CLASS
    return made


def _anonymised(options: str) -> tuple[Dataset, Dataset]:
    """Top and innermost item of the full data set after de-identification."""
    rules = ruleset(f"routes:\n  - name: out\n    edit:\n      - anonymise: {{{options}}}\n    to: [research]\n")
    data = encoded(_full())
    splice = rules.prepare("out", Header.scan(data, ExplicitVRLittleEndian), arrival()).splice
    assert splice is not None
    made = decoded(splice.prefix + data[splice.resume :])
    deep = made
    for keyword in reversed(INWARDS):
        deep = deep[keyword].value[0]
    return made, deep


def _left(data_set: Dataset, tag: int, vr: str) -> str:
    """What became of the planted attribute, in the table's letters."""
    if tag not in data_set:
        return "X"
    element = data_set[tag]
    if vr == "SQ":
        return "Z" if not element.value else "D" if "PLANTED" not in str(element.value[0]) else "K"
    if element.is_empty:
        return "Z"
    value = element.value
    if vr == "UI":
        return "U" if str(value).startswith("2.25.") else "K" if value == _value(tag, vr) else "?"
    same = value == _value(tag, vr) or str(value) == str(_value(tag, vr))
    return "K" if same else "D"


def _expected(row: dict[str, str], vr: str, tag: int) -> set[str]:
    """What may be left under the basic profile where the type of the attribute is not known."""
    action = row["basic"].replace("U*", "U").split("/")[-1]
    if tag in _PATIENT:
        return {"D"}
    if action == "U" and vr == "SQ":
        return {"D"}  # gone into
    if action == "D" and vr == "UI":
        return {"U"}
    return {action}


@pytest.mark.parametrize("place", ["top", "deep"])
def test_basic_profile(place: str) -> None:
    """Basic profile."""
    top, deep = _anonymised("burned_in: trust")
    where = top if place == "top" else deep
    wrong = [
        f"({tag >> 16:04X},{tag & 0xFFFF:04X}) {vr}: {_left(where, tag, vr)} for {row['basic']}"
        for tag, vr, row in ROWS
        if _left(where, tag, vr) not in _expected(row, vr, tag) and tag not in {0x00120062, 0x00120063, 0x00120064}
    ]
    assert not wrong
    assert len(ROWS) > 630


@pytest.mark.parametrize("option", OPTIONS)
@pytest.mark.parametrize("place", ["top", "deep"])
def test_option(option: str, place: str) -> None:
    """Option."""
    top, deep = _anonymised(OPTIONS[option])
    where = top if place == "top" else deep
    kept = [(tag, vr, row[option]) for tag, vr, row in ROWS if option in row]
    wrong = []
    for tag, vr, action in kept:
        left = _left(where, tag, vr)
        if action == "K" and vr != "SQ":
            allowed = {"K"}
        elif vr in {"DA", "DT"}:
            allowed = {"D"}  # moved to another day
        elif vr == "TM":
            allowed = {"K"}
        elif vr == "SQ":
            allowed = {"D"}  # gone into
        else:
            allowed = {"K", "Z", "X", "D"}  # text: what is left of it is looked at elsewhere
        if left not in allowed:
            wrong.append(f"({tag >> 16:04X},{tag & 0xFFFF:04X}) {vr}: {left} for {action}")
    assert not wrong
    assert kept
