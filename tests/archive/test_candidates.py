"""Who may be meant by an unknown patient ID: ranked, with reasons, from indexes only."""

from collections.abc import Mapping
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from archive import Archive, Candidate, Spool
from archive.candidates import edit_distance, patients_like
from archive.tables import studies
from tests.support.arrivals import filed, sealed

KEPT = {
    "00000999": ("HONG^GILDONG=洪^吉洞", "19600101", "20261120"),
    "00412877": ("KIM^MIN", "19700202", "20261121"),
    "00412878": ("LEE^SU", "19800303", "20261122"),
    "00412789": ("KIM^MIN", "19700202", "20200101"),
    "55555555": ("KIM^MIN", "19990909", "20261121"),
    "77777777": ("PARK^JI", "19550505", "20261121"),
}


def keep(archive: Archive, spool: Spool, patients: Mapping[str, tuple[str, str, str]]) -> None:
    """A study of each patient."""
    attributes = [
        {
            "PatientID": patient_id,
            "PatientName": name,
            "PatientBirthDate": born,
            "StudyDate": studied,
            "StudyInstanceUID": f"1.2.{number}",
        }
        for number, (patient_id, (name, born, studied)) in enumerate(patients.items())
    ]
    filed(archive, [sealed(spool, b"1", f"1.3.{number}") for number in range(len(attributes))], attributes)


def likely(archive: Archive, **attributes: str) -> list[tuple[str, int, tuple[str, ...]]]:
    """Whom a header may mean."""
    return [(each.patient_id, each.score, each.reasons) for each in archive.patients_like(attributes)]


def test_ranked(archive: Archive, spool: Spool) -> None:
    """Leading zeros, mistakes of typing, name, birth date and day: what speaks most for comes first."""
    keep(archive, spool, KEPT)
    assert likely(archive, PatientID="999") == [("00000999", 60, ("the same number",))]
    assert likely(archive, PatientID="DLS-999", PatientName="Hong^Gildong", PatientBirthDate="19600101") == [
        ("00000999", 99, ("the same number", "the same name", "the same birth date"))
    ]
    found = likely(
        archive, PatientID="00412887", PatientName="kim^min^^", PatientBirthDate="19700202", StudyDate="20261121"
    )
    assert found == [
        (
            "00412877",
            99,
            ("one mistake of typing in the ID", "the same name", "the same birth date", "a study of the same day"),
        ),
        ("00412789", 80, ("two mistakes of typing in the ID", "the same name", "the same birth date")),
    ]
    assert likely(archive, PatientID="004128787", PatientName="X") == [
        ("00412877", 45, ("one mistake of typing in the ID",)),
        ("00412878", 45, ("one mistake of typing in the ID",)),
    ]
    assert likely(archive, PatientID="00142877") == [("00412877", 45, ("one mistake of typing in the ID",))]
    assert likely(archive, PatientID="00412899", PatientBirthDate="19800303") == [
        ("00412878", 45, ("two mistakes of typing in the ID", "the same birth date")),
    ]


def test_nothing_is_guessed_from_nothing(archive: Archive, spool: Spool) -> None:
    """Without ID and name nobody is meant, nor is the one whose very ID is not known; a name alone is a weak hint."""
    keep(archive, spool, KEPT)
    assert likely(archive) == []
    assert likely(archive, PatientBirthDate="19700202") == []
    assert likely(archive, PatientID="77777777") == []
    assert [each[:2] for each in likely(archive, PatientName="LEE^SU")] == [("00412878", 35)]
    assert likely(archive, PatientName="LEE^SU", PatientBirthDate="20000101") == []


@pytest.mark.parametrize(
    ("one", "other", "distance"),
    [("12345", "12345", 0), ("12345", "12354", 1), ("12345", "1234", 1), ("12345", "21354", 2), ("1234", "987654", 3)],
)
def test_distance(one: str, other: str, distance: int) -> None:
    """Left out, put in, exchanged or swapped counts one; more than two are not told apart."""
    assert edit_distance(one, other) == edit_distance(other, one) == distance


def test_a_large_index_is_not_gone_through(archive: Archive, spool: Spool) -> None:
    """Every question searches an index, however many studies there are."""
    if archive.database.engine.dialect.name != "sqlite":
        pytest.skip("the plan is looked at in SQLite")
    keep(archive, spool, KEPT)
    now = datetime.now(UTC)
    rows = [
        {
            "patient_id": f"9{number:07d}",
            "patient_name": "KIM^MIN" if number % 2 else "NOBODY",
            "patient_name_folded": "kim^min" if number % 2 else "nobody",
            "study_instance_uid": f"1.9.{number}",
            "folder": "x",
            "first_received_at": now,
            "last_received_at": now,
            "changed_at": now,
        }
        for number in range(20_000)
    ]
    asked: list[tuple[str, object]] = []
    with archive.database.begin() as connection:
        connection.execute(sa.insert(studies), rows)
    found = archive.patients_like({"PatientID": "00412887", "PatientName": "KIM^MIN", "PatientBirthDate": "19700202"})
    assert isinstance(found[0], Candidate)
    assert found[0].patient_id == "00412877"
    with archive.database.read() as connection:
        sa.event.listen(connection, "before_cursor_execute", lambda *args: asked.append((args[2], args[3])))
        patients_like(connection, {"PatientID": "00412887", "PatientName": "KIM^MIN"})
        for statement, parameters in list(asked):
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).all()
            assert not [row for row in plan if str(row[3]).startswith("SCAN")], plan
    assert len(asked) >= 3
