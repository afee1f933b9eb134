"""`micropacs test --from`: what it prints, pasted into the file, passes; and it names no patient."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from archive import Identity, Origin
from router.appliance import Appliance
from router.config import load
from router.ingest import Filer
from rules import Header
from rules.anonymising import Egress
from rules.profiles import profile
from tests.router.cli.test_commands import run
from tests.support.part10 import part10_head
from tests.support.rules import EXPLICIT_LITTLE_ENDIAN, data_set, encoded

CT = "1.2.840.10008.5.1.4.1.1.2"
YAML = """
appliance: {data: ./data}
sources: {ct: {ae_title: CT1, host: 10.1.1.1}, pet: {ae_title: PET1, host: 10.1.1.2}}
destinations: {disk: {type: folder, path: ./out}}
normalise:
  - {name: pad, when: {source: ct, PatientID: {matches: '\\d{1,7}'}}, edit: [pad: {keyword: PatientID, width: 8}]}
routes:
  - {name: all, when: {PatientName: {present: yes}}, to: [disk]}
"""
NAMES = ("HONG", "GILDONG", "4711008")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A site whose archive has one study of two series, each of two instances, from one source each."""
    path = tmp_path / "site.yaml"
    path.write_text(YAML, encoding="utf-8")
    loaded = load(path)
    appliance = Appliance.open(loaded)
    for number, (title, host) in enumerate([("CT1", "10.1.1.1"), ("CT1", "10.1.1.1"), ("PET1", "10.1.1.2")]):
        origin = Origin(title[:-1].lower(), title, "MICROPACS", host, datetime(2026, 11, 22, 10, 30, tzinfo=UTC))
        with appliance.spool.open(Identity(CT, f"1.2.9.{number}", EXPLICIT_LITTLE_ENDIAN), origin) as incoming:
            incoming.write(instance(f"1.2.9.{number}", f"1.2.8.{len(title)}"))
            incoming.seal()
    parts = appliance.database, appliance.spool, appliance.archive, appliance.queue, appliance.journal
    assert Filer(*parts, lambda: loaded).file_arrivals() == 3
    appliance.close()
    return path


def instance(uid: str, series_uid: str) -> bytes:
    """A data set of a patient with a name."""
    names = {"PatientID": "4711008", "PatientName": "HONG^GILDONG", "Modality": "CT"}
    uids = {"SOPClassUID": CT, "SOPInstanceUID": uid, "StudyInstanceUID": "1.2.7", "SeriesInstanceUID": series_uid}
    return encoded(data_set(**uids, **names))


def test_a_study_of_the_archive(file: Path) -> None:
    """One test a series, of the instance as it came; together they pass, and fail when the rule is gone."""
    code, output, errors = run("-c", file, "test", "--from", "1.2.7")
    assert (code, errors) == (0, "")
    assert not any(name in output for name in NAMES)
    assert output.startswith("tests:\n  - name: CT as it came from ct (1)\n")
    assert "PatientID: '01234005'" in output
    file.write_text(YAML + output, encoding="utf-8")
    assert json.loads(run("-c", file, "check", "--json")[1])["ok"] is True
    code, output, _ = run("-c", file, "test", "--json")
    assert (code, [each["passed"] for each in json.loads(output)["tests"]]) == (0, [True, True])
    file.write_text(file.read_text(encoding="utf-8").replace("width: 8", "width: 9"), encoding="utf-8")
    assert run("-c", file, "test")[0] == 1


def test_the_key_of_a_table_names_nobody(file: Path) -> None:
    """A patient's ID that a table has is in nothing that is printed; what is to be filled in is said, and it passes."""
    table = "tables: {ids: ids.csv}\nnormalise:\n  - {name: old, edit: [lookup: {keyword: PatientID, table: ids}]}\n"
    file.write_text(YAML.replace("normalise:\n", table), encoding="utf-8")
    (file.parent / "ids.csv").write_text("old,new\n4711008,99887766\n", encoding="utf-8")
    code, output, errors = run("-c", file, "test", "--from", "1.2.7")
    assert (code, errors) == (0, "")
    known = Header.scan(instance("1.2.9.0", "1.2.8.3"), EXPLICIT_LITTLE_ENDIAN)
    found = Egress(known, profile(frozenset()), known.top.charset)
    printed = data_set(ImageComments=" ".join(output.split()))
    assert found.findings(Header.scan(encoded(printed), EXPLICIT_LITTLE_ENDIAN)) == []
    assert not any(name in output for name in (*NAMES, "99887766"))
    assert "  # CT as it came from ct (1): PatientID made up" in output
    assert "held: 'yes'" in output
    notes = json.loads(run("-c", file, "test", "--from", "1.2.7", "--json")[1])["notes"]
    assert len(notes) == 2
    file.write_text(file.read_text(encoding="utf-8") + output, encoding="utf-8")
    assert "2 of 2 tests pass" in run("-c", file, "test")[1]


def test_more_tests_beside_others(file: Path) -> None:
    """Where the file has tests, what is printed goes behind them; as JSON it is the same."""
    given = "tests:\n  - {name: one, given: {Modality: CT}, expect: {to: []}}\n"
    file.write_text(YAML + given, encoding="utf-8")
    output = run("-c", file, "test", "--from", "1.2.7")[1]
    assert output.startswith("  - name:")
    assert len(json.loads(run("-c", file, "test", "--from", "1.2.7", "--json")[1])["tests"]) == 2
    file.write_text(YAML + given + output, encoding="utf-8")
    assert "3 of 3 tests pass" in run("-c", file, "test")[1]


def test_a_file(file: Path, tmp_path: Path) -> None:
    """Of a DICOM file, as if a source had sent it; a source that is not there, and what is no study, are told."""
    picture = tmp_path / "HONG.dcm"
    head = part10_head(CT, "1.2.9.9", EXPLICIT_LITTLE_ENDIAN)
    picture.write_bytes(head + instance("1.2.9.9", "1.2.8"))
    code, output, _ = run("-c", file, "test", "--from", picture, "--source", "ct", "--json")
    (made,) = json.loads(output)["tests"]
    assert code == 0
    assert made["given"] == {"source": "ct", "PatientID": "1234005", "PatientName": "MADE^UP"}
    assert made["expect"] == {"to": ["disk"], "PatientID": "01234005"}
    assert run("-c", file, "test", "--from", picture, "--source", "cd")[0] == 2
    assert run("-c", file, "test", "--from", "1.2.77")[0] == 1
    assert run("-c", file, "test", "--from", "*")[0] == 1
