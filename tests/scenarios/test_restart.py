"""Restarts and reloads from outside: the port that is free again, the files that are watched."""

import time
from pathlib import Path

from pynetdicom import AE

from tests.support.appliance import RunningAppliance, wait_until

YAML = """
appliance: {ae_title: MICROPACS, listen: "127.0.0.1:{port}", data: ./data, unknown_sources: accept}
"""


def test_a_killed_supervisor_is_followed_at_once_though_a_scanner_stays(tmp_path: Path) -> None:
    """With `serve` killed by kill -9 while an association is open, the next one takes new calls within ten seconds."""
    appliance = RunningAppliance(tmp_path, YAML)
    appliance.start()
    try:
        ae = AE("LINGERING")
        ae.add_requested_context("1.2.840.10008.1.1")
        lingering = ae.associate("127.0.0.1", appliance.port, ae_title="MICROPACS")
        assert lingering.is_established
        appliance.kill("serve")
        begun = time.monotonic()
        appliance.start()
        assert time.monotonic() - begun < 10
        another = ae.associate("127.0.0.1", appliance.port, ae_title="MICROPACS")
        assert another.is_established
        another.release()
        lingering.abort()
    finally:
        assert appliance.stop() == 0


def test_a_file_included_later_is_watched_too(tmp_path: Path) -> None:
    """A reload that brings another file with it: a change of that file alone is taken up."""
    with RunningAppliance(tmp_path, YAML) as appliance:
        wait_until(lambda: "working" in appliance.log.read_text(), 20, "the work role")
        more = tmp_path / "more.yaml"
        more.write_text("destinations: {first: {ae_title: FIRST, host: 127.0.0.1}}\n", encoding="utf-8")
        appliance.write(YAML + "include: [more.yaml]\n")
        destinations = "select name from destinations where configured order by name"
        wait_until(lambda: appliance.sql(destinations) == [("first",)], 10, "the reload")
        more.write_text("destinations: {second: {ae_title: SECOND, host: 127.0.0.1}}\n", encoding="utf-8")
        wait_until(lambda: appliance.sql(destinations) == [("second",)], 10, "the change of the included file")
