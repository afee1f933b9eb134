"""What is made in the place of identity: the same for the same, across instances and starts, and never another's."""

from datetime import date

import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from rules import Header, RulesError
from rules.anonymising import Pseudonyms, shifted
from rules.errors import EditError, EditHeldError
from tests.support.elements import explicit, item, sequence
from tests.support.rules import EXPLICIT_LITTLE_ENDIAN, arrival, data_set, decoded, encoded, header, ruleset

PET = "1.2.840.10008.5.1.4.1.1.128"
OPTIONS = "keep: [patient-characteristics], dates: shift, secret: of the trial"


def rules(options: str = OPTIONS, tables: dict[str, str] | None = None):
    """One route that anonymises."""
    text = f"routes:\n  - name: out\n    edit:\n      - anonymise: {{{options}}}\n    to: [research]\n"
    return ruleset(text, tables)


def copy(before: Dataset, options: str = OPTIONS, tables: dict[str, str] | None = None) -> Dataset:
    """What leaves."""
    data = encoded(before)
    prepared = rules(options, tables).prepare("out", Header.scan(data, EXPLICIT_LITTLE_ENDIAN), arrival())
    made = decoded(prepared.splice.prefix + data[prepared.splice.resume :])
    assert (prepared.sop_instance_uid or before.get("SOPInstanceUID")) == made.get("SOPInstanceUID")
    return made


def pet(number: int = 1, patient: str = "4711", **more: object) -> Dataset:
    """An instance of a PET series that refers to the one before it."""
    made = data_set(
        SOPClassUID=PET,
        SOPInstanceUID=f"1.2.3.4.{number}",
        StudyInstanceUID="1.2.3",
        SeriesInstanceUID="1.2.3.4",
        StudyDate="20240229",
        SeriesDate="20240229",
        AcquisitionDate="20240301",
        SeriesTime="235500",
        AcquisitionTime="000500",
        PatientID=patient,
        PatientName="Muster^Eva",
        PatientWeight="70",
        PatientBirthDate="19600101",
        **more,
    )
    dose = Dataset()
    dose.RadiopharmaceuticalStartDateTime = "20240229224500"
    dose.RadiopharmaceuticalStartTime = "224500"
    dose.RadionuclideTotalDose = "350000000"
    dose.RadionuclideHalfLife = "6586.2"
    made.RadiopharmaceuticalInformationSequence = Sequence([dose])
    reference = Dataset()
    reference.ReferencedSOPClassUID = PET
    reference.ReferencedSOPInstanceUID = f"1.2.3.4.{number - 1}"
    made.ReferencedImageSequence = Sequence([reference])
    return made


def test_same_input_same_output() -> None:
    """Two appliances with one secret make the same bytes of the same instance, and with another secret others."""
    assert copy(pet()) == copy(pet())
    other = copy(pet(), OPTIONS.replace("of the trial", "of another trial"))
    assert other.PatientID != copy(pet()).PatientID
    assert other.StudyInstanceUID != copy(pet()).StudyInstanceUID


def test_references_resolve() -> None:
    """A reference in one instance names the other by its new UID; study and series stay together."""
    first, second = copy(pet(1)), copy(pet(2))
    assert second.ReferencedImageSequence[0].ReferencedSOPInstanceUID == first.SOPInstanceUID
    assert second.ReferencedImageSequence[0].ReferencedSOPClassUID == PET
    assert (first.StudyInstanceUID, first.SeriesInstanceUID) == (second.StudyInstanceUID, second.SeriesInstanceUID)
    assert all(uid.startswith("2.25.") and len(uid) <= 64 for uid in (first.SOPInstanceUID, first.StudyInstanceUID))


def test_all_dates_move_by_the_same_days_and_times_stay() -> None:
    """What lies between injection and scan is what it was, over midnight and the end of February."""
    made = copy(pet())
    dose = made.RadiopharmaceuticalInformationSequence[0]

    def day(text: str) -> date:
        return date(int(text[:4]), int(text[4:6]), int(text[6:8]))

    moved = {
        (day(made.StudyDate) - date(2024, 2, 29)).days,
        (day(made.AcquisitionDate) - date(2024, 3, 1)).days,
        (day(dose.RadiopharmaceuticalStartDateTime) - date(2024, 2, 29)).days,
    }
    assert len(moved) == 1
    assert -3650 <= moved.pop() <= -30
    assert dose.RadiopharmaceuticalStartDateTime[8:] == "224500"
    assert (made.SeriesTime, made.AcquisitionTime, dose.RadiopharmaceuticalStartTime) == ("235500", "000500", "224500")
    assert (dose.RadionuclideTotalDose, dose.RadionuclideHalfLife, made.PatientWeight) == (350000000, 6586.2, 70)
    assert made.LongitudinalTemporalInformationModified == "MODIFIED"


def test_patients_move_by_different_days() -> None:
    """A shift is a patient's own."""
    days = {Pseudonyms(b"secret").days(str(number)) for number in range(200)}
    assert len(days) > 180
    assert {Pseudonyms(b"secret").days("7")} == {Pseudonyms(b"secret").days("7")}


@pytest.mark.parametrize(
    ("value", "vr", "days", "moved"),
    [
        ("20240301", "DA", -1, "20240229"),
        ("2024.03.01", "DA", -1, "20240229"),
        ("20240301101112.123456+0100", "DT", 1, "20240302101112.123456+0100"),
        ("20240301", "DT", 1, "20240302"),
        ("202403", "DT", 1, None),
        ("00010101", "DA", -1, None),
        ("20240230", "DA", 1, None),
        ("yesterday", "DA", 1, None),
    ],
)
def test_shifted(value: str, vr: str, days: int, moved: str | None) -> None:
    """A day of the calendar moves, what is none does not."""
    assert shifted(value, vr, days) == moved


def test_a_date_that_is_none_says_nothing() -> None:
    """What cannot be moved does not stay."""
    assert copy(pet(ContentDate="2024????")).ContentDate == "19000101"


def test_pseudonyms_from_a_table() -> None:
    """A table gives the patient's pseudonym; whom it does not have is held."""
    tables = {"trial": "id,subject\n4711,SUBJ-003\n"}
    options = f"{OPTIONS}, pseudonym: {{table: trial}}"
    made = copy(pet(), options, tables)
    assert (made.PatientID, str(made.PatientName)) == ("SUBJ-003", "SUBJ-003")
    with pytest.raises(EditHeldError, match="no pseudonym"):
        copy(pet(patient="4712"), options, tables)


def test_marks() -> None:
    """The copy says that it was de-identified and by which options."""
    made = copy(pet(), "keep: [uids, device], clean: [descriptors]")
    codes = [item.CodeValue for item in made.DeidentificationMethodCodeSequence]
    assert made.PatientIdentityRemoved == "YES"
    assert codes == ["113100", "113105", "113109", "113110"]
    assert "2024b" in str(made.DeidentificationMethod)
    assert made.LongitudinalTemporalInformationModified == "REMOVED"
    assert made.SOPInstanceUID == "1.2.3.4.1"


@pytest.mark.parametrize(
    ("attributes", "reason"),
    [
        ({"BurnedInAnnotation": "YES"}, "BurnedInAnnotation is YES"),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7"}, "may have names"),
        ({"Modality": "US"}, "may have names"),
        ({"ImageType": ["DERIVED", "SECONDARY", "SCREEN SAVE"]}, "may have names"),
    ],
)
def test_pictures_that_may_show_names_are_held(attributes: dict[str, object], reason: str) -> None:
    """Unless the rule says that the device is trusted."""
    before = data_set(PatientID="1", SOPInstanceUID="1.2", **attributes)
    before.PixelData = bytes(8)
    before["PixelData"].VR = "OW"
    whole = Header.scan(encoded(before), EXPLICIT_LITTLE_ENDIAN)
    with pytest.raises(EditHeldError, match=reason):
        rules("profile: basic").prepare("out", whole, arrival())
    assert rules("burned_in: trust").prepare("out", whole, arrival()).splice


def test_no_picture_shows_no_name() -> None:
    """A report of a secondary device, or a picture said to be clean, needs nobody's look."""
    assert rules("profile: basic").prepare("out", header(Modality="US", SOPInstanceUID="1.2"), arrival()).splice


def test_it_belongs_into_a_route() -> None:
    """The archive keeps what came."""
    for edit in ("anonymise: basic", "new_uids: true"):
        with pytest.raises(RulesError, match="belongs into a route"):
            ruleset(f"normalise: [{{name: n, edit: [{{{edit}}}]}}]")


def test_what_identifies_and_is_left_holds() -> None:
    """A number that stands in a coded string, where nothing may be changed, is found and named by its place alone."""
    before = data_set(PatientID="GHX 881277", SOPInstanceUID="1.2", AnatomicalOrientationType="GHX 881277")
    with pytest.raises(EditHeldError, match=r"AnatomicalOrientationType") as caught:
        copy(before, "profile: basic")
    assert "881277" not in str(caught.value)


def test_single_steps() -> None:
    """New UIDs alone, a shift alone, private attributes alone: nothing else is touched."""
    text = """
routes:
  - name: out
    edit:
      - new_uids: {secret: of the trial}
      - shift_dates: {days: "-10"}
      - private: keep-safe
    to: [research]
"""
    before = pet()
    before.private_block(0x0009, "GEMS_PETD_01", create=True).add_new(0x3B, "DT", "20240229224500.00")
    before.private_block(0x0009, "GEMS_PETD_01").add_new(0x02, "LO", "4711")
    before.private_block(0x0011, "OTHER", create=True).add_new(0x01, "LO", "x")
    data = encoded(before)
    prepared = ruleset(text).prepare("out", Header.scan(data, EXPLICIT_LITTLE_ENDIAN), arrival())
    made = decoded(prepared.splice.prefix + data[prepared.splice.resume :])
    assert prepared.sop_instance_uid == made.SOPInstanceUID == Pseudonyms(b"of the trial").uid("1.2.3.4.1")
    assert not prepared.ends_with_pixels
    assert (made.StudyDate, made.AcquisitionDate, made.PatientBirthDate) == ("20240219", "20240220", "19591222")
    block = made.private_block(0x0009, "GEMS_PETD_01")
    assert block[0x3B].value == "20240219224500.00"
    assert 0x02 not in block
    assert not any(element.tag.group == 0x0011 for element in made)
    assert (made.PatientName, made.PatientID, made.SOPClassUID) == ("Muster^Eva", "4711", PET)


def test_an_element_twice_in_an_item_holds() -> None:
    """The first of two would leave unseen, for readers of headers see the last one only."""
    twice = explicit(0x00281054, "LO", b"HONG GILDONG") + explicit(0x00281054, "LO", b"US")
    before = encoded(data_set(SOPInstanceUID="1.2", PatientID="4711", PatientName="Hong^Gildong"))
    whole = Header.scan(before + sequence(0x00283000, item(twice)), EXPLICIT_LITTLE_ENDIAN)
    with pytest.raises(EditError, match="twice"):
        rules().prepare("out", whole, arrival())


@pytest.mark.parametrize("text", ["seen 1951-02-17", "seen 17.2.1951", "seen 2/17/1951"])
def test_a_date_in_another_order_holds(text: str) -> None:
    """Kept text in which a date of the patient stands as people write it does not leave; one of nobody does."""
    with pytest.raises(EditHeldError, match="FilterType"):
        copy(data_set(PatientBirthDate="19510217", SOPInstanceUID="1.2", FilterType=text), "profile: basic")
    assert copy(data_set(SOPInstanceUID="1.2", FilterType=text), "profile: basic").FilterType == text


@pytest.mark.parametrize(
    ("text", "person"),
    [
        ("of 412877", {"AccessionNumber": "00412877"}),
        ("of Yu Na", {"PatientName": "YU^NA"}),
        ("of YU^NA", {"ReferringPhysicianName": "Yu^Na"}),
    ],
)
def test_numbers_without_zeros_and_names_of_short_parts_go(text: str, person: dict[str, str]) -> None:
    """Kept text loses a number as people write it, and a name of which no part alone would tell."""
    assert copy(data_set(SOPInstanceUID="1.2", FilterType=text, **person), "profile: basic").FilterType == "of"
    assert copy(data_set(SOPInstanceUID="1.2", FilterType=text), "profile: basic").FilterType == text


def test_what_no_dictionary_knows_goes() -> None:
    """With whatever VR it is sent: a text of a newer standard, or of a device that keeps to none, may be a name."""
    before = data_set(PatientID="4711", SOPInstanceUID="1.2", FilterType="STRIP")
    before.add_new(0x00087777, "LO", "call Dr Kim")
    before.add_new(0x00087778, "SQ", Sequence([data_set(FilterType="call Dr Kim")]))
    made = copy(before, "profile: basic")
    assert (made.FilterType, 0x00087777 in made, 0x00087778 in made) == ("STRIP", False, False)


def test_two_parts_of_a_name_in_a_coded_string_hold() -> None:
    """One may be a defined term that somebody is called as; a family name and a given name are no such term."""
    person = {"PatientName": "PRONE^GILDONG", "SOPInstanceUID": "1.2"}
    assert copy(data_set(PatientPosition="PRONE", **person), "profile: basic").PatientPosition == "PRONE"
    with pytest.raises(EditHeldError, match="PatientPosition"):
        copy(data_set(PatientPosition="GILDONG PRONE", **person), "profile: basic")
