"""A study of an unknown patient at a running appliance: one command writes the line, waits for it, and lets it go."""

import json
from pathlib import Path
from typing import Any

from router.demo.phantom import write_phantom
from tests.support.appliance import RunningAppliance, wait_until

YAML = """
appliance: {ae_title: MICROPACS, listen: "127.0.0.1:{port}", data: ./data, unknown_sources: accept}
destinations: {disk: {type: folder, path: ./out}}
tables: {ids: ids.csv}
normalise:
  - {name: old, edit: [lookup: {keyword: PatientID, table: ids}]}
  - {name: gate, when: {suv_computable: no}, hold: no SUV}
routes: [{name: all, to: [disk]}]
"""


def test_a_line_for_a_running_appliance(tmp_path: Path) -> None:
    """All six wait; once the line is written and taken up, four are filed, and two wait for what the next rule says."""
    (tmp_path / "ids.csv").write_text("old,new\n")
    files = write_phantom(tmp_path / "phantom", slices=2, seed="held").files
    with RunningAppliance(tmp_path, YAML) as appliance:
        sent = appliance.run("send", *map(str, files), "--to", f"MICROPACS@127.0.0.1:{appliance.port}")
        assert sent.returncode == 0, sent.stderr
        wait_until(lambda: appliance.count("select count(*) from held") == len(files) == 6, 30, "all to be held")
        listed: Any = appliance.json("held", "list")
        assert {each["reason"] for each in listed} == {"PatientID: the table 'ids' has no such value"}
        study = listed[0]["study"]

        done = appliance.run("held", "fix", study, "--table", "ids", "--to", "00412877", "--by", "kim", "--json")

        told = json.loads(done.stdout)
        assert (len(told["filed"]), len(told["held"]), done.returncode) == (4, 2, 1), done.stderr
        assert appliance.sql("select distinct patient_id, instances from studies") == [("00412877", 4)]
        reasons = appliance.sql("select distinct rule, reason from held where state = 'held'")
        assert reasons == [("gate", "no SUV; CorrectedImage has no ATTN")]
        assert appliance.sql("select distinct decided_by from held") == [("kim",)]
        assert "1234567,00412877" in (tmp_path / "ids.csv").read_text()
