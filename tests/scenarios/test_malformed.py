"""Bad instances from a real sender: each is refused truthfully or held for a person; the appliance stays up."""

import json
from pathlib import Path

import pytest

from tests.support.appliance import RunningAppliance, wait_until
from tests.support.data import data_files, needs_data
from tests.support.dcmtk import dcmsend, echoscu, needs_dcmtk, storescp
from tests.support.part10 import read_part10
from tests.support.scanning import Scanner

pytestmark = [needs_data, needs_dcmtk, pytest.mark.peer]

REFUSALS = {0x0117, 0xA900, 0xC000}
YAML = """
appliance: {{ae_title: MICROPACS, listen: "127.0.0.1:{{port}}", data: ./data}}
sources: {{any: {{ae_title: SCANNER, host: 127.0.0.1}}}}
destinations: {{pacs: {{ae_title: PACS, host: 127.0.0.1, port: {pacs}, retry: {{first: 1s, longest: 1s}}}}}}
normalise:
  - {{name: touch every header, edit: [set: {{InstitutionName: X}}]}}
routes: [{{name: all, to: [pacs]}}]
"""
GOOD = "series/mr-siemens-avanto"


def test_every_malformed_file_is_refused_or_held_or_kept(tmp_path: Path) -> None:
    """Every answer is Success or a known refusal; every Success is archived or held; a good study passes."""
    files = [path for path in data_files("malformed") if read_part10(path)]
    assert len(files) > 25
    (tmp_path / "scanner").mkdir()
    for number, path in enumerate(files):
        (tmp_path / "scanner" / f"{number:03d}-{path.name}.dcm").write_bytes(path.read_bytes())
    (tmp_path / "site").mkdir()
    with (
        storescp(tmp_path / "pacs", "+xa") as pacs,
        RunningAppliance(tmp_path / "site", YAML.format(pacs=pacs)) as appliance,
    ):
        before = appliance.roles()
        statuses = [answer["status"] for answer in Scanner(appliance.port, tmp_path / "scanner").finish()]
        assert len(statuses) == len(files)
        assert set(statuses) <= REFUSALS | {0}
        accepted = statuses.count(0)
        wait_until(lambda: not list((appliance.data / "spool" / "sealed").iterdir()), 30, "the spool to be filed")
        kept = appliance.count("select count(*) from instances")
        held = appliance.count("select count(*) from held")
        duplicates = appliance.sql("select detail from journal where kind = 'duplicate'")
        twice = sum(json.loads(str(detail))["instances"] for (detail,) in duplicates)
        assert kept + held + twice == accepted
        reasons = " ".join(str(row[0]) for row in appliance.sql("select reason from held"))
        assert "StudyInstanceUID" in reasons
        assert "SeriesInstanceUID" in reasons
        assert "same" in reasons or "other content" in reasons
        assert not appliance.sql("select 1 from held where state <> 'held'")
        sent = appliance.count("select count(*) from deliveries")
        assert sent == kept, "what is held is never sent"
        good = data_files(GOOD)[:20]
        assert dcmsend(appliance.port, good, "-dn", "-aet", "SCANNER").returncode == 0
        appliance.filed(kept + len(good))
        assert echoscu(appliance.port, "-aet", "SCANNER")
        assert appliance.roles() == before, "no role had to be started again"
        log = appliance.log.read_text()
        for name in ("CompressedSamples", "Doe", "../"):
            assert name not in log
