"""Verification of a serving appliance: what scanners sent and rules edited is whole, and damage is found by itself."""

from pathlib import Path

import pytest

from router.demo.phantom import write_phantom
from tests.support.appliance import RunningAppliance, wait_until
from tests.support.arrivals import overwrite
from tests.support.dcmtk import dcmsend, needs_dcmtk

pytestmark = [needs_dcmtk, pytest.mark.peer, pytest.mark.slow]

YAML = """
appliance: {ae_title: MICROPACS, listen: "127.0.0.1:{port}", data: ./data}
sources: {petct: {ae_title: PETCT, host: 127.0.0.1}}
normalise:
  - {name: mark, when: {Modality: PT}, edit: [set: {InstitutionName: NCC}]}
  - {name: wait, when: {Modality: XX}, edit: [set: {InstitutionName: "{AccessionNumber}"}]}
archive: {verify: every 1s}
"""


def test_damage_is_found_while_the_appliance_serves(tmp_path: Path) -> None:
    """The command finds nothing wrong with what was just filed, edited or not; a flipped byte is found unasked."""
    (tmp_path / "site").mkdir()
    with RunningAppliance(tmp_path / "site", YAML) as appliance:
        files = list(write_phantom(tmp_path / "study", slices=4, seed="a").files)
        assert dcmsend(appliance.port, files, "-aet", "PETCT").returncode == 0
        appliance.filed(len(files))
        done = appliance.run("verify", "--all")
        assert done.returncode == 0, done.stdout
        assert f"{len(files)} instances and 0 in hold read" in done.stdout
        assert appliance.sql("select * from damaged") == []

        [(file,)] = appliance.sql("select file from instances where digest <> received_digest limit 1")
        path = appliance.data / "archive" / str(file)
        content = path.read_bytes()
        overwrite(path, len(content) // 2, bytes([content[len(content) // 2] ^ 1]))
        wait_until(lambda: appliance.count("select count(*) from damaged") == 1, 40, "the damage to be found")
        assert "kept file is damaged" in appliance.log.read_text()
        [(kind,)] = appliance.sql("select kind from journal where kind in ('damaged', 'whole again')")
        assert kind == "damaged"
        assert appliance.run("verify").returncode == 1
        assert "1 kept files are damaged" in appliance.run("status").stdout

        path.write_bytes(content)
        wait_until(lambda: appliance.count("select count(*) from damaged") == 0, 40, "the quarantine to be lifted")
        assert appliance.run("verify").returncode == 0
