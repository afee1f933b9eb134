"""A serving appliance whose studies are corrected and restored, and whose configuration goes back to an earlier one."""

import json
from pathlib import Path

import pytest

from router.demo.phantom import write_phantom
from router.inbox import person
from tests.support.appliance import RunningAppliance, wait_until
from tests.support.dcmtk import dcmsend, needs_dcmtk
from tests.support.part10 import data_set_of, read_part10

pytestmark = [needs_dcmtk, pytest.mark.peer, pytest.mark.slow]

YAML = """
appliance: {ae_title: MICROPACS, listen: "127.0.0.1:{port}", data: ./data}
sources: {petct: {ae_title: PETCT, host: 127.0.0.1}}
destinations: {disk: {type: folder, path: ./out}}
normalise: [{name: mark, edit: [set: {InstitutionName: NCC}]}]
routes: [{name: all, to: [disk]}]
"""


def test_a_study_is_corrected_restored_and_followed_up(tmp_path: Path) -> None:
    """What a destination has follows the archive, there and back to the byte; verification finds nothing wrong."""
    (tmp_path / "site").mkdir()
    with RunningAppliance(tmp_path / "site", YAML) as appliance:
        files = list(write_phantom(tmp_path / "study", slices=3, seed="a").files)
        assert dcmsend(appliance.port, files, "-aet", "PETCT").returncode == 0
        appliance.delivered("disk", len(files))
        [(uid,)] = appliance.sql("select study_instance_uid from studies")
        received = {part.sop_instance_uid: part.data_set for part in map(read_part10, files) if part}
        out = appliance.folder / "out"

        def sent() -> dict[str, bytes]:
            return {path.stem: data_set_of(path)[1] for path in out.rglob("*.dcm")}

        def settled() -> bool:
            return appliance.count("select count(*) from deliveries where state <> 'delivered' or outdated") == 0

        done = appliance.run("study", "edit", str(uid), "PatientID=0042", "--resend")
        assert done.returncode == 0, done.stdout + done.stderr
        wait_until(settled, 30, "the corrected version to be delivered")
        assert all(b"0042" in content and b"NCC" in content for content in sent().values())
        assert appliance.sql("select patient_id from studies") == [("0042",)]

        done = appliance.run("study", "undo", str(uid), "--yes", "--resend")
        assert done.returncode == 0, done.stdout + done.stderr
        wait_until(settled, 30, "the restored version to be delivered")
        assert sent() == received
        assert appliance.run("verify").returncode == 0

        archive = appliance.data / "archive"
        wait_until(lambda: list(archive.rglob("manifest.json")), 30, "the manifest to be written")
        [manifest] = archive.rglob("manifest.json")
        wait_until(lambda: "undone_at" in manifest.read_text(encoding="utf-8"), 30, "the undoing in the manifest")
        instances = [each for one in json.loads(manifest.read_text())["series"] for each in one["instances"]]
        assert all(each["digest"] == each["received_digest"] for each in instances)

        [(revision,)] = appliance.sql("select revision from revisions")
        [listed] = json.loads(appliance.run("config", "list", "--json").stdout)
        assert (listed["revision"], listed["by"]) == (revision, person(None))
        appliance.write(YAML.replace("mark", "stamp"))
        wait_until(lambda: appliance.count("select count(*) from revisions") == 2, 30, "the new one to be taken up")
        assert appliance.run("config", "rollback", str(revision)).returncode == 0
        log = appliance.log
        wait_until(lambda: f"revision={revision}" in log.read_text().rpartition("configuration accepted")[2], 30, "it")
