"""One patient ID of two issuers is two people: two pseudonyms, two shifts. Without an issuer all is as it ever was."""

from datetime import date

import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from rules import Header
from rules.anonymising import Pseudonyms
from rules.anonymising.people import person
from rules.collisions import collisions
from tests.support.rules import EXPLICIT_LITTLE_ENDIAN, arrival, data_set, decoded, encoded, ruleset, settings

ANONYMISE = "anonymise: {dates: shift, secret: of the trial}"
FROM_TABLE = "anonymise: {dates: shift, secret: of the trial, pseudonym: {table: trial}}"
STUDIED = date(2024, 2, 29)


def copy(before: Dataset, edit: str = ANONYMISE, tables: dict[str, str] | None = None) -> Dataset:
    """What leaves by a route with one edit."""
    data = encoded(before)
    rules = ruleset(f"routes: [{{name: out, edit: [{{{edit}}}], to: [research]}}]", tables)
    splice = rules.prepare("out", Header.scan(data, EXPLICIT_LITTLE_ENDIAN), arrival()).splice
    assert splice is not None
    return decoded(splice.prefix + data[splice.resume :])


def instance(patient_id: str = "4711", issuer: str | None = None, **more: object) -> Dataset:
    """Of a patient, with the issuer of the ID where there is one."""
    of = {"PatientID": patient_id} | ({} if issuer is None else {"IssuerOfPatientID": issuer})
    return data_set(SOPInstanceUID="1.2.3.4.1", StudyInstanceUID="1.2.3.4", StudyDate="20240229", **of, **more)


def days(made: Dataset) -> int:
    """By how many days the study's date was moved."""
    text = made.StudyDate
    return (date(int(text[:4]), int(text[4:6]), int(text[6:])) - STUDIED).days


@pytest.mark.parametrize("issuer", [None, "", "  "])
def test_without_an_issuer_nothing_changes(issuer: str | None) -> None:
    """The pseudonym and the shift are those of the ID alone, which trials under way already have."""
    made = copy(instance(issuer=issuer))
    assert (made.PatientID, str(made.PatientName), days(made)) == ("4RPHHBI2YRS5", "4RPHHBI2YRS5", -268)


def test_two_issuers_are_two_people() -> None:
    """Each has a pseudonym and a shift of its own, and the one without an issuer another; the issuer is gone."""
    made = [copy(instance(issuer=issuer)) for issuer in (None, "KLINIK A", "KLINIK B")]
    assert len({each.PatientID for each in made}) == len({str(each.PatientName) for each in made}) == 3
    assert len({days(each) for each in made}) == 3
    assert not any("IssuerOfPatientID" in each for each in made)
    assert copy(instance(issuer=" KLINIK A ")).PatientID == made[1].PatientID


def test_an_id_is_not_taken_for_an_issuer() -> None:
    """However the two are cut, they are another person; and an issuer of no ID is nobody's."""
    assert len({person("47", "11"), person("4711", ""), person("4", "711"), person("471", "1")}) == 4
    assert person("", "KLINIK A") == ""
    nameless = [copy(instance("", issuer)) for issuer in (None, "KLINIK A")]
    assert len({each.PatientID for each in nameless}) == 1
    assert nameless[0].PatientID == Pseudonyms(b"of the trial").patient("1.2.3.4")


def test_shift_dates_moves_as_anonymise_does() -> None:
    """With one secret both move a person's dates by the same days."""
    for issuer in (None, "KLINIK A", "KLINIK B"):
        alone = copy(instance(issuer=issuer), "shift_dates: {secret: of the trial}")
        assert days(alone) == days(copy(instance(issuer=issuer)))


def test_a_table_is_asked_for_the_id_alone() -> None:
    """Its pseudonym is the same whoever issued the ID; the shift is still a person's own."""
    tables = {"trial": "id,subject\n4711,SUBJ-003\n"}
    made = [copy(instance(issuer=issuer), FROM_TABLE, tables) for issuer in (None, "KLINIK A", "KLINIK B")]
    assert {each.PatientID for each in made} == {"SUBJ-003"}
    assert len({days(each) for each in made}) == 3


@pytest.mark.parametrize(
    ("outer", "inner", "is_same"),
    [
        ("KLINIK A", ("4711", "KLINIK A"), True),
        ("KLINIK A", ("4711", ""), True),
        ("", ("4711", "KLINIK A"), True),
        ("KLINIK A", ("4711", "KLINIK B"), False),
        ("KLINIK A", ("4712", "KLINIK A"), False),
        ("", ("4712", ""), False),
    ],
)
def test_ids_in_items(outer: str, inner: tuple[str, str], is_same: bool) -> None:
    """The patient's own has the patient's pseudonym; another's, or another issuer's, what its own instances have."""
    item = Dataset()
    item.PatientID, item.IssuerOfPatientID = inner
    before = instance(issuer=outer, EnergyWindowInformationSequence=Sequence([item]))
    made = copy(before)
    found = made.EnergyWindowInformationSequence[0]
    assert found.PatientID == (made.PatientID if is_same else copy(instance(*inner)).PatientID)
    assert (found.PatientID == made.PatientID) is is_same
    assert "IssuerOfPatientID" not in found


def test_an_issuer_may_be_taken_away_first() -> None:
    """As the guide says: the pseudonym is that of the ID alone then, and `check` has nothing against it."""
    edits = f"{{remove: IssuerOfPatientID}}, {{{ANONYMISE}}}"
    made = copy(instance(issuer="KLINIK A"), edits[1:-1])
    assert made.PatientID == copy(instance()).PatientID
    assert days(made) == days(copy(instance()))
    route = "routes: [{name: out, edit: [{set: {IssuerOfPatientID: KLINIK A}}, {anonymise: basic}], to: [research]}]"
    assert list(collisions(settings(route), None)) == []
    vain = route.replace("IssuerOfPatientID", "InstitutionName")
    assert len(list(collisions(settings(vain), None))) == 1
