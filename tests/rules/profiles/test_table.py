"""The product's table of Annex E is the standard's, and of several actions the attribute's type chooses one."""

import csv

import pytest

from rules.profiles import OPTIONS, editions, profile, safe_private
from rules.profiles.table import _annex_e, _types
from tests.support.data import DATA
from tests.support.profile_data import OPTIONS as COLUMNS
from tests.support.profile_data import PROFILES, annex_e

CT, ENHANCED_CT, SR = (
    "1.2.840.10008.5.1.4.1.1.2",
    "1.2.840.10008.5.1.4.1.1.2.1",
    "1.2.840.10008.5.1.4.1.1.88.33",
)
_SOURCE = DATA.parent / "reference" / "ps3.15-annex-e.tsv" if DATA else None


def test_rows_and_edition() -> None:
    """Rows and edition."""
    assert editions() == ("2024b", "2026c")
    table = _annex_e()
    assert table["rows"] == len(table["attributes"]) == 656
    by_option = {option: sum(option in row for row in table["attributes"].values()) for option in OPTIONS}
    assert by_option == {
        "safe-private": 1,
        "uids": 59,
        "device": 57,
        "institution": 10,
        "patient-characteristics": 13,
        "full-dates": 165,
        "modified-dates": 165,
        "descriptors": 125,
        "structured-content": 3,
        "graphics": 4,
    }


@pytest.mark.skipif(_SOURCE is None, reason="the standard's table is not here: it lies beside the test data")
def test_every_cell_is_the_standards() -> None:
    """Every cell is the standards."""
    assert _SOURCE is not None
    text = _SOURCE.read_text(encoding="utf-8")
    assert (PROFILES / "annex-e.json").read_text(encoding="utf-8") == annex_e(text)
    ours = _annex_e()["attributes"]
    lines = [line for line in csv.DictReader(text.splitlines(), delimiter="\t") if (line["basic"] or "") in "XZDU" * 2]
    compared = 0
    for line in lines:
        row = ours.get(line["tag"])
        if row is None or not line["basic"]:
            continue
        assert row["basic"] == line["basic"]
        for column, option in COLUMNS.items():
            assert row.get(option, "") == line[column]
            compared += 1
    assert compared > 5000


def test_of_several_actions_the_strictest_that_leaves_the_object_valid() -> None:
    """Of several actions the strictest that leaves the object valid."""
    basic = profile(frozenset())
    serial, created, patient_id, institution = 0x00181000, 0x00080012, 0x00100020, 0x00080080
    assert basic.action(serial, CT) == "X"  # type 3 there
    assert basic.action(serial, ENHANCED_CT) == "D"  # type 1
    assert basic.action(serial, None) == "D"  # in an item nobody knows
    assert basic.action(serial, "1.2.3") == "D"  # a class nobody knows
    assert basic.action(created, CT) == "X"
    assert basic.action(patient_id, CT) == "Z"  # type 2
    assert basic.action(institution, CT) == "X"
    assert basic.action(0x00700082, "1.2.840.10008.5.1.4.1.1.11.1") == "D"  # X in the table, type 1 in the IOD


def test_options_keep_and_clean() -> None:
    """Options keep and clean."""
    weight, uid, date, series_description = 0x00101030, 0x00080018, 0x00080020, 0x0008103E
    assert profile(frozenset({"patient-characteristics"})).action(weight, CT) == "K"
    assert profile(frozenset({"uids"})).action(uid, CT) == "K"
    assert profile(frozenset({"full-dates"})).action(date, CT) == "K"
    assert profile(frozenset({"modified-dates"})).action(date, CT) == "C"
    assert profile(frozenset({"descriptors"})).action(series_description, CT) == "C"
    assert profile(frozenset()).action(0x00180050, CT) is None  # slice thickness is nobody's identity


def test_repeating_groups_have_one_row() -> None:
    """Repeating groups have one row."""
    basic = profile(frozenset())
    assert basic.action(0x60043000, CT) == basic.action(0x60003000, CT) == "X"
    assert basic.action(0x50120110, CT) == "X"


def test_types_are_of_known_iods() -> None:
    """Types are of known iods."""
    required, classes = _types()
    assert len(classes) >= 180
    assert len(required) > 70
    assert {kind for kinds in required.values() for kind in kinds.values()} == {1, 2}


def test_what_pet_quantification_needs_is_safe() -> None:
    """What pet quantification needs is safe."""
    assert {
        ("Philips PET Private Group", 0x7053, 0x00),
        ("Philips PET Private Group", 0x7053, 0x09),
        ("GEMS_PETD_01", 0x0009, 0x0D),
        ("GEMS_PETD_01", 0x0009, 0x3B),
        ("SIEMENS MED PT", 0x0071, 0x22),
    } <= safe_private()
    assert ("GEMS_PETD_01", 0x0009, 0x02) not in safe_private()  # the patient's number
