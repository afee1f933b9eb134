"""Manifests: everything the index knows, beside the files, never older than it claims."""

import json
import threading
from base64 import b64decode
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import pytest

from archive import Amendment, Archive, NotKeptError, Spool
from tests.support.arrivals import RECEIVED_AT, filed, sealed

LATER = datetime.now(UTC) + timedelta(hours=1)


def test_manifest_names_every_instance(archive: Archive, spool: Spool) -> None:
    """Read back, it names each file with its digest, origin, identity, attributes and what undoes its changes."""
    amendment = Amendment(
        "rev1", RECEIVED_AT, [{"rule": "r", "attribute": "PatientID", "old": None, "new": "山田"}], b"\0\xff"
    )
    entries = [sealed(spool, bytes([number]) * 10, f"1.{number}") for number in range(4)]
    values = [{"SeriesInstanceUID": f"2.{number % 2}", "PatientName": "山田", "Modality": "CT"} for number in range(4)]
    filed(archive, entries[:3], values[:3])
    (last,) = filed(archive, entries[3:], values[3:], prefix=b"new", resume=1, amendment=amendment)
    path = archive.write_manifest(last.study_id, {"deliveries": [{"destination": "pacs"}], "format": "mine"})
    manifest = json.loads(path.read_text("ascii"))
    assert manifest["format"] == 1
    assert manifest["deliveries"] == [{"destination": "pacs"}]
    assert manifest["study"]["attributes"] == {"StudyInstanceUID": "1.2.1", "PatientName": "山田"}
    assert path.parent == archive.folder / manifest["study"]["folder"]
    named = {each["arrival"]: each for series in manifest["series"] for each in series["instances"]}
    assert [series["attributes"]["SeriesInstanceUID"] for series in manifest["series"]] == ["2.0", "2.1"]
    assert set(named) == {entry.arrival for entry in entries}
    for entry in entries:
        instance = named[entry.arrival]
        content = (archive.folder / instance["file"]).read_bytes()[instance["data_set_offset"] :]
        assert (sha256(content).hexdigest(), len(content)) == (instance["digest"], instance["bytes"])
        assert instance["received_digest"] == entry.digest
        assert instance["attributes"]["SOPInstanceUID"] == entry.identity.sop_instance_uid
        assert instance["transfer_syntax_uid"] == entry.identity.transfer_syntax_uid
        assert datetime.fromisoformat(instance["origin"]["received_at"]) == RECEIVED_AT
    (change,) = named[entries[3].arrival]["changes"]
    assert (change["changes"], change["prefix_length"]) == (list(amendment.changes), 3)
    assert b64decode(change["restore"]) == b"\0\xff"


def test_stale_until_written(archive: Archive, spool: Spool) -> None:
    """A study is stale from its first instance until its manifest is written, and again after every change."""
    first, second = filed(
        archive, [sealed(spool, b"1", "1"), sealed(spool, b"1", "2")], [{}, {"StudyInstanceUID": "9"}]
    )
    assert set(archive.stale_manifests(LATER, 10)) == {first.study_id, second.study_id}
    assert len(archive.stale_manifests(LATER, 1)) == 1
    assert archive.stale_manifests(datetime.now(UTC) - timedelta(seconds=40), 10) == []
    archive.write_manifest(first.study_id, {})
    assert archive.stale_manifests(LATER, 10) == [second.study_id]
    filed(archive, [sealed(spool, b"1", "3")], [{}])
    archive.write_manifest(second.study_id, {})
    assert archive.stale_manifests(LATER, 10) == [first.study_id]
    archive.write_manifest(first.study_id, {})
    with archive.database.begin() as connection:
        archive.touch(connection, [second.study_id])
    assert archive.stale_manifests(LATER, 10) == [second.study_id]


def test_change_while_it_is_written_is_not_lost(archive: Archive, spool: Spool) -> None:
    """With writers of instances and of manifests at work together, the last manifest written names everything."""
    (first,) = filed(archive, [sealed(spool, b"1", "0")], [{}])
    done = threading.Event()

    def write() -> None:
        while not done.is_set():
            archive.write_manifest(first.study_id, {})

    writers = [threading.Thread(target=write) for _ in range(2)]
    for writer in writers:
        writer.start()
    for number in range(1, 15):
        filed(archive, [sealed(spool, b"1", str(number))], [{}])
    done.set()
    for writer in writers:
        writer.join()
    path = archive.folder / archive.write_manifest(first.study_id, {})
    assert archive.stale_manifests(LATER, 10) == []
    assert len(json.loads(path.read_text())["series"][0]["instances"]) == 15
    assert [each.name for each in path.parent.iterdir() if each.suffix not in {".dcm", ".json"}] == []


def test_unknown_study(archive: Archive, tmp_path: Path) -> None:
    """There is no manifest of a study that is not kept."""
    with pytest.raises(NotKeptError):
        archive.write_manifest(1, {})
    assert not list((tmp_path / "archive").rglob("manifest.json"))
