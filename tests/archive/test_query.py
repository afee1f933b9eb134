"""Queries: DICOM matching, the same on every database, and nothing else for a hostile key."""

from collections.abc import Callable, Mapping

import pytest
from sqlalchemy import update

from archive import INDEXED, Archive, QueryError, Spool
from archive.tables import instances
from tests.support.arrivals import filed, sealed

Fill = Callable[..., None]


@pytest.fixture
def fill(archive: Archive, spool: Spool) -> Fill:
    """Files one instance for each mapping, each in a study of its own (`s0`, `s1`, …) unless it says otherwise."""

    def fill(*attributes: Mapping[str, str]) -> None:
        entries = [sealed(spool, b"1", f"1.2.{number}") for number in range(len(attributes))]
        every = [{"StudyInstanceUID": f"s{number}", **values} for number, values in enumerate(attributes)]
        filed(archive, entries, every)

    return fill


def _studies(archive: Archive, **keys: str) -> list[str]:
    return [study["StudyInstanceUID"] for study in archive.find("study", keys)]


def _numbers(archive: Archive, **keys: str) -> list[int]:
    return [int(uid[1:]) for uid in _studies(archive, **keys)]


def test_everything_that_is_indexed_comes_back(archive: Archive, spool: Spool) -> None:
    """At instance level every indexed attribute and every count is given, empty where it is absent."""
    values = dict.fromkeys(INDEXED, "1") | {"StudyDate": "20261122", "PatientName": "Doe^Jane"}
    filed(archive, [sealed(spool, b"1", "1")], [values])
    filed(archive, [sealed(spool, b"1", "2")], [{"StudyInstanceUID": "2"}])
    full, empty = archive.find("instance", {})
    class_uid = {"SOPClassUID": full["SOPClassUID"]}
    counts = {
        "ModalitiesInStudy": "1",
        "NumberOfStudyRelatedSeries": "1",
        "NumberOfStudyRelatedInstances": "1",
        "NumberOfSeriesRelatedInstances": "1",
    }
    assert full == {**values, **counts, **class_uid}
    assert {keyword for keyword, value in empty.items() if value} == {
        "StudyInstanceUID",
        "SeriesInstanceUID",
        "SOPInstanceUID",
        *class_uid,
        *counts,
    } - {"ModalitiesInStudy"}


TEXTS = (
    ("ABC", [0]),
    ("abc", [1]),
    ("AB*", [0, 2, 3]),
    ("*C", [0]),
    ("A?C", [0]),
    ("AB?D*", [2]),
    ("??????", [3]),
    ("*", [0, 1, 2, 3, 4, 5, 6]),
    ("***", [0, 1, 2, 3, 4, 5, 6]),
    ("", [0, 1, 2, 3, 4, 5, 6]),
    (" ABC ", [0]),
    ("ABC\\abc", [0, 1]),
    ("ABC\\ABX*", [0]),
    ("50%", [4]),
    ("5_%", []),
    ("A_C", []),
    ("%", []),
    ("_", []),
    ("_*", []),
    ("!", []),
    ("a!b*", [6]),
    ("\\", []),
    ("\\\\", []),
    ("' OR 1=1--", []),
    ("'; DROP TABLE studies;--", []),
    ("[a]", [5]),
    ("[a]*", [5]),
    ("[A-Z]BC", []),
    ("ABC\0", [0]),
    ("\ud800", []),
    ("A" * 64, []),
)


def test_text_matching(archive: Archive, fill: Fill) -> None:
    """Exact, `*`, `?`, lists and universal matching; every other character is only itself."""
    fill(*({"PatientID": each} for each in ["ABC", "abc", "ABCD", "AB%_CD", "50%", "[a]", "a!b%"]))
    assert [(value, _numbers(archive, PatientID=value)) for value, _ in TEXTS] == list(TEXTS)


NAMES = (
    ("DOE^JOHN", [0]),
    ("doe^john", [0]),
    ("Doe^John^^", [0]),
    ("doe*", [0, 1]),
    ("*john*", [0]),
    ("yamada^tarou", [2]),
    ("Yamada^T*", [2]),
    ("山田^太郎", [2]),
    ("山田*", [2]),
    ("やまだ^たろう", [2]),
    ("Yamada^Tarou=山田^太郎=やまだ^たろう", [2]),
    ("*=山田*", [2]),
    ("müller*", [3]),
    ("MÜLLER^KARL", [3]),
    ("M?ller*", [3]),
    ("doe", []),
    ("太郎", []),
    ("[test]*", [4]),
    ("a%", []),
)


def test_name_matching(archive: Archive, fill: Fill) -> None:
    """Names match without regard to case and to empty components at the end, as a whole or by component group."""
    names = ["DOE^JOHN", "Doe^Jane^^^", "Yamada^Tarou=山田^太郎=やまだ^たろう", "Müller^Karl", "[TEST]^A*"]
    fill(*({"PatientName": name} for name in names))
    assert [(value, _numbers(archive, PatientName=value)) for value, _ in NAMES] == list(NAMES)


RANGES = (
    ({"StudyDate": "20260102"}, [1]),
    ({"StudyDate": "20260101-20260102"}, [0, 1]),
    ({"StudyDate": "20260102-"}, [1, 2]),
    ({"StudyDate": "-20260101"}, [0]),
    ({"StudyDate": "2026.01.01-2026.01.02"}, [0, 1]),
    ({"StudyDate": "20260102-20260101"}, []),
    ({"StudyDate": "*"}, [0, 1, 2, 3]),
    ({"StudyDate": "20260101\\20260103"}, [0, 2]),
    ({"StudyTime": "10"}, [0, 1]),
    ({"StudyTime": "1030"}, [1]),
    ({"StudyTime": "10:30:00"}, [1]),
    ({"StudyTime": "103000.5"}, [1]),
    ({"StudyTime": "10-10"}, [0, 1]),
    ({"StudyTime": "1001-1030"}, [1]),
    ({"StudyTime": "-100000"}, [0]),
    ({"StudyTime": "103001-"}, [2]),
    ({"StudyDate": "20260101-20260103", "StudyTime": "20-"}, [2]),
)


def test_ranges(archive: Archive, fill: Fill) -> None:
    """Dates and times match in ranges, open or closed, ends included; what is absent is in no range."""
    fill(
        {"StudyDate": "20260101", "StudyTime": "100000"},
        {"StudyDate": "2026.01.02", "StudyTime": "10:30:00.500000"},
        {"StudyDate": "20260103", "StudyTime": "2359"},
        {},
    )
    assert [(keys, _numbers(archive, **keys)) for keys, _ in RANGES] == list(RANGES)


NO_QUESTIONS = (
    ("StudyDate", "-"),
    ("StudyDate", "2026-01-01"),
    ("StudyDate", "' OR 1=1-"),
    ("StudyTime", "-"),
    ("StudyTime", "1-2-3"),
    ("PatientID", "x" * 65_536),
    ("StudyInstanceUID", "\\".join(["1"] * 20_000)),
    ("PatientComments", "x"),
    ("patient_id", "x"),
    ("", ""),
)


def test_what_is_no_question_is_an_error(archive: Archive) -> None:
    """Ranges without ends, keys that are not indexed and monstrous values are errors, which never show the value."""
    for keyword, value in NO_QUESTIONS:
        with pytest.raises(QueryError) as raised:
            archive.find("study", {keyword: value})
        assert len(str(raised.value)) < 200
    with pytest.raises(QueryError):
        archive.find("patient", {})  # type: ignore[arg-type]


def test_ten_thousand_uids(archive: Archive, fill: Fill) -> None:
    """A list of 10,000 UIDs finds those that are there, at every level, also for SOP instance UIDs alone."""
    fill(*({"SeriesInstanceUID": f"r{number}"} for number in range(4)))
    many = [f"9.{number}" for number in range(10_000)]
    assert _studies(archive, StudyInstanceUID="\\".join([*many, "s1", "s3"])) == ["s1", "s3"]
    assert len(archive.find("series", {"SeriesInstanceUID": "\\".join([*many, "r2"])})) == 1
    assert len(archive.select({"SOPInstanceUID": "\\".join(["1.2.0", *many, "1.2.2"])})) == 2


def test_uids_have_no_wildcards(archive: Archive, fill: Fill) -> None:
    """A UID matches whole or not at all, so that half a UID never moves a study."""
    fill({}, {})
    assert _studies(archive, StudyInstanceUID="s*") == []
    assert _studies(archive, StudyInstanceUID="s?") == []
    assert _studies(archive, StudyInstanceUID="s0\0") == ["s0"]


def test_levels(archive: Archive, fill: Fill) -> None:
    """Keys above, at and below the level all narrow it; those below hold together for one series or instance."""
    fill(
        {"StudyInstanceUID": "a", "SeriesInstanceUID": "a1", "Modality": "CT", "InstanceNumber": "1"},
        {"StudyInstanceUID": "a", "SeriesInstanceUID": "a2", "Modality": "PT", "InstanceNumber": "2"},
        {"StudyInstanceUID": "b", "SeriesInstanceUID": "b1", "Modality": "PT", "InstanceNumber": "1"},
    )
    assert _studies(archive, Modality="CT") == ["a"]
    assert _studies(archive, ModalitiesInStudy="CT\\MR") == ["a"]
    assert _studies(archive, ModalitiesInStudy="P*") == ["a", "b"]
    assert _studies(archive, Modality="PT", InstanceNumber="1") == ["b"]
    assert _studies(archive, SOPInstanceUID="1.2.1") == ["a"]
    assert _studies(archive, NumberOfStudyRelatedSeries="2") == ["a"]
    assert _studies(archive, NumberOfStudyRelatedInstances="x") == []
    assert _studies(archive, NumberOfSeriesRelatedInstances="1") == ["a", "b"]
    series = archive.find("series", {"StudyInstanceUID": "a", "InstanceNumber": "2"})
    assert [each["SeriesInstanceUID"] for each in series] == ["a2"]
    assert [each["SOPInstanceUID"] for each in archive.find("instance", {"Modality": "PT"})] == ["1.2.1", "1.2.2"]
    assert len(archive.find("instance", {}, limit=2)) == 2


def test_select_needs_a_question(archive: Archive, fill: Fill) -> None:
    """Without a key that asks for anything no instance is selected, so the whole archive is never moved by mistake."""
    fill({}, {})
    for keys in ({}, {"PatientID": ""}, {"PatientName": "*"}, {"StudyInstanceUID": ""}):
        with pytest.raises(QueryError):
            archive.select(keys)
    assert archive.select({"PatientID": "\\"}) == []
    assert len(archive.select({"StudyInstanceUID": "s0\\s1"})) == 2
    assert len(archive.select({"StudyInstanceUID": "s0\\s1"}, limit=1)) == 1


def test_numbers_match_by_value(archive: Archive, fill: Fill) -> None:
    """A number finds itself however many zeros, signs or spaces it was written with."""
    fill({"SeriesNumber": "007"}, {"SeriesNumber": " +7 "}, {"SeriesNumber": "70"}, {"SeriesNumber": "x"})
    assert _studies(archive, SeriesNumber="7") == ["s0", "s1"]
    assert _studies(archive, SeriesNumber="07") == ["s0", "s1"]
    assert _studies(archive, SeriesNumber="x") == ["s3"]


def test_uid_alone_is_found_in_every_shard(archive: Archive, spool: Spool) -> None:
    """An instance is found by its UID alone however many were filed after it, and in its own study only."""
    entries = [sealed(spool, bytes([number]), f"1.2.{number}") for number in range(6)]
    recorded = filed(archive, entries, [{"StudyInstanceUID": f"1.{number}"} for number in range(6)])
    with archive.database.begin() as connection:
        connection.execute(update(instances).values(sop_instance_shard=instances.c.id))
    for number, each in enumerate(recorded):
        assert archive.select({"SOPInstanceUID": f"1.2.{number}"}) == [each.instance_id]
    assert archive.select({"SOPInstanceUID": "1.2.0\\1.2.5"}) == [recorded[0].instance_id, recorded[5].instance_id]
    assert archive.select({"SOPInstanceUID": "1.2.0", "StudyInstanceUID": "1.1"}) == []
