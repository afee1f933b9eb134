"""`micropacs check` beside an archive: what a rule asks of a source is held against what that source has sent."""

from datetime import UTC, datetime
from pathlib import Path

from archive import Identity, Origin
from router.appliance import Appliance
from router.config import load
from router.config.unsent import FEWEST
from router.ingest import Filer
from tests.router.cli.test_commands import run
from tests.support.rules import EXPLICIT_LITTLE_ENDIAN, data_set, encoded

CT = "1.2.840.10008.5.1.4.1.1.2"
YAML = """\
appliance: {data: ./data}
sources: {ct: {ae_title: CT1, host: 10.1.1.1}, pet: {ae_title: PET1, host: 10.1.1.2}}
destinations: {disk: {type: folder, path: ./out}}
normalise:
  - {name: n, when: {source: ct}, edit: [{remove: AccessionNumber}]}
routes:
  - {name: a, when: {source: ct, StudyDescription: "*FDG*"}, to: [disk]}
  - {name: b, when: {source: ct, Modality: CT, PatientID: {present: yes}, AccessionNumber: X}, to: [disk]}
  - {name: c, when: {source: [pet, ct], not: {StudyDescription: "*FDG*"}}, to: [disk]}
  - {name: d, when: {source: pet, StudyDescription: "*FDG*"}, to: [disk]}
  - {name: e, when: {StudyDescription: "*FDG*"}, to: [disk]}
"""


def site(folder: Path, instances: int) -> Path:
    """A configuration, and an archive with so many instances of one source."""
    path = folder / "site.yaml"
    path.write_text(YAML, encoding="utf-8")
    loaded = load(path)
    appliance = Appliance.open(loaded)
    origin = Origin("ct", "CT1", "MICROPACS", "10.1.1.1", datetime(2026, 11, 22, 10, 30, tzinfo=UTC))
    for number in range(instances):
        uid = f"1.2.9.{number}"
        uids = {"SOPClassUID": CT, "SOPInstanceUID": uid, "StudyInstanceUID": "1.2.7", "SeriesInstanceUID": "1.2.8"}
        with appliance.spool.open(Identity(CT, uid, EXPLICIT_LITTLE_ENDIAN), origin) as incoming:
            incoming.write(encoded(data_set(**uids, PatientID="1", Modality="CT", AccessionNumber="X")))
            incoming.seal()
    parts = appliance.database, appliance.spool, appliance.archive, appliance.queue, appliance.journal
    assert Filer(*parts, lambda: loaded).file_arrivals() == instances
    appliance.close()
    return path


def test_what_a_source_has_never_sent(tmp_path: Path) -> None:
    """Only a rule that names the source and needs the attribute is told, and only where enough has come."""
    _, _, errors = run("-c", site(tmp_path, FEWEST), "check")
    said = f"which none of the last {FEWEST} instances of source 'ct' has"
    assert [line for line in errors.splitlines() if "none of the last" in line] == [
        f"{tmp_path / 'site.yaml'}:7:21: the rule 'a' asks for StudyDescription, {said}"
    ]


def test_too_little_to_tell(tmp_path: Path) -> None:
    """Of a few instances nothing is concluded, and without an archive nothing is made."""
    assert "none of the last" not in run("-c", site(tmp_path, FEWEST - 1), "check")[2]
    (tmp_path / "new").mkdir()
    file = tmp_path / "new" / "site.yaml"
    file.write_text(YAML, encoding="utf-8")
    assert run("-c", file, "check")[0] == 0
    assert list(file.parent.glob("data/*.db")) == []


def test_a_database_that_cannot_be_read(tmp_path: Path) -> None:
    """The check goes on without it."""
    path = site(tmp_path, FEWEST)
    (tmp_path / "data" / "micropacs.db").write_bytes(b"no database" * 1000)
    assert run("-c", path, "check")[0] == 0
