"""`micropacs serve` as an operator meets it: reload, refusal of a bad file, drain, a second start."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.appliance import RunningAppliance, wait_until
from tests.support.dcmtk import dcmsend, echoscu, needs_dcmtk, storescp

pytestmark = [needs_dcmtk, pytest.mark.peer]

YAML = """
appliance: {ae_title: MICROPACS, listen: "127.0.0.1:{port}", data: ./data}
sources: {petct: {ae_title: PETCT, host: 127.0.0.1}}
destinations: {pacs: {ae_title: PACS, host: 127.0.0.1, port: PACS_PORT, retry: {first: 1s, longest: 1s}}}
normalise:
  - {name: mark, edit: [set: {InstitutionName: FIRST}]}
routes: [{name: all, to: [pacs]}]
tests:
  - {name: it is marked, given: {Modality: CT}, expect: {InstitutionName: FIRST}}
"""


@pytest.fixture
def pacs(tmp_path: Path) -> Iterator[int]:
    """A storescp."""
    with storescp(tmp_path / "pacs") as port:
        yield port


@pytest.fixture
def appliance(tmp_path: Path, pacs: int) -> Iterator[RunningAppliance]:
    """A running appliance."""
    (tmp_path / "site").mkdir()
    with RunningAppliance(tmp_path / "site", YAML.replace("PACS_PORT", str(pacs))) as running:
        yield running


def _phantom(folder: Path, seed: str) -> list[Path]:
    from router.demo.phantom import write_phantom

    return list(write_phantom(folder, slices=2, seed=seed).files)


def _institutions(appliance: RunningAppliance) -> set[str]:
    return {str(name) for (name,) in appliance.sql("select institution_name from series")}


def _log_has(appliance: RunningAppliance, text: str) -> None:
    wait_until(lambda: text in appliance.log.read_text(), 15, f"the log to say {text!r}")


def test_a_changed_file_is_taken_up_without_a_restart(appliance: RunningAppliance, tmp_path: Path) -> None:
    """After the file is saved, new arrivals follow the new rules; no process was started again."""
    before = appliance.roles()
    yaml = appliance.file.read_text()
    assert dcmsend(appliance.port, _phantom(tmp_path / "a", "a"), "-aet", "PETCT").returncode == 0
    appliance.filed(6)
    appliance.file.write_text(yaml.replace("FIRST", "SECOND"))
    wait_until(lambda: appliance.log.read_text().count("configuration taken up") == 2, 15, "both roles to follow")
    assert dcmsend(appliance.port, _phantom(tmp_path / "b", "b"), "-aet", "PETCT").returncode == 0
    appliance.filed(12)
    assert _institutions(appliance) == {"FIRST", "SECOND"}
    assert appliance.roles() == before
    assert appliance.count("select count(*) from revisions") == 2


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("routes:", "rotes:", "did you mean 'routes'"),
        ("set: {InstitutionName: FIRST}", "set: {InstitutionName: OTHER}", "its test fails"),
        ("ae_title: PACS", 'ae_title: "${NOWHERE_SET}"', "NOWHERE_SET"),
    ],
)
def test_a_bad_file_changes_nothing(appliance: RunningAppliance, tmp_path: Path, old: str, new: str, said: str) -> None:
    """A file that does not load, or whose test fails, is told in the log, and the last good one stays in force."""
    yaml = appliance.file.read_text()
    appliance.file.write_text(yaml.replace(old, new))
    _log_has(appliance, said)
    assert dcmsend(appliance.port, _phantom(tmp_path / "a", "a"), "-aet", "PETCT").returncode == 0
    appliance.delivered("pacs", 6)
    assert _institutions(appliance) == {"FIRST"}
    assert appliance.count("select count(*) from revisions") == 1


def test_hangup_reloads(appliance: RunningAppliance) -> None:
    """SIGHUP takes up the file as it is now, and a new source may send at once."""
    assert not echoscu(appliance.port, "-aet", "NEWONE")
    yaml = appliance.file.read_text()
    appliance.file.write_text(yaml.replace("sources: {", "sources: {other: {ae_title: NEWONE, host: 127.0.0.1}, "))
    assert appliance.process is not None
    os.kill(appliance.process.pid, signal.SIGHUP)
    wait_until(lambda: echoscu(appliance.port, "-aet", "NEWONE"), 15, "the new source to be known")


def test_a_restart_with_a_broken_role_configuration_uses_the_last_good_one(
    appliance: RunningAppliance, tmp_path: Path
) -> None:
    """A role that dies while the file on disk is broken starts again with what was accepted."""
    appliance.file.write_text("nonsense: [")
    _log_has(appliance, "configuration refused")
    appliance.kill("work")
    wait_until(lambda: len(appliance.roles()) == 2, 15, "the role to come back")
    assert dcmsend(appliance.port, _phantom(tmp_path / "a", "a"), "-aet", "PETCT").returncode == 0
    appliance.delivered("pacs", 6)


def test_a_broken_file_does_not_blind_the_operator(appliance: RunningAppliance) -> None:
    """While the file is broken, status, queue, held and find answer for the configuration in force and say so."""
    appliance.file.write_text(appliance.file.read_text().replace("routes:", "rotes:"))
    for command in ("status", "queue", "held"):
        done = appliance.run(command)
        assert done.returncode == 0, done.stderr
        assert "the last good one is in force" in done.stderr
    assert appliance.run("status", "--quiet").returncode == 0
    assert appliance.run("find").returncode == 1
    assert appliance.run("check").returncode == 2
    appliance.file.write_text("appliance: {data: ./data")
    assert appliance.run("queue").returncode == 0


def test_stop_drains_and_the_next_start_continues(appliance: RunningAppliance, tmp_path: Path, pacs: int) -> None:
    """SIGTERM ends with 0 and leaves no role behind; what waits is delivered after the next start, once."""
    assert appliance.run("queue", "pause", "--destination", "pacs").returncode == 0
    assert dcmsend(appliance.port, _phantom(tmp_path / "a", "a"), "-aet", "PETCT").returncode == 0
    appliance.filed(6)
    roles = appliance.roles()
    assert appliance.stop() == 0
    assert all(not Path(f"/proc/{pid}").exists() for pid in roles.values())
    assert appliance.run("status").returncode == 3
    appliance.start()
    assert appliance.count("select count(*) from deliveries where state = 'due'") == 6
    assert appliance.run("queue", "resume", "--destination", "pacs").returncode == 0
    appliance.delivered("pacs", 6)
    assert len(list((tmp_path / "pacs").iterdir())) == 6
    assert appliance.count("select count(*) from attempts where delivery_id is not null") == 6


def test_nothing_kept_is_readable_for_everybody(appliance: RunningAppliance, tmp_path: Path) -> None:
    """Every file below the data folder is 0640 and every folder 0750: database, archive, spool and the rest."""
    assert dcmsend(appliance.port, _phantom(tmp_path / "a", "a"), "-aet", "PETCT").returncode == 0
    appliance.delivered("pacs", 6)
    wait_until(lambda: list(appliance.data.rglob("manifest.json")), 20, "the manifest")
    paths = [appliance.data, *appliance.data.rglob("*")]
    modes = {(path.is_dir(), path.stat().st_mode & 0o777) for path in paths if path.exists()}
    assert modes == {(True, 0o750), (False, 0o640)}


def test_two_appliances_never_share_a_data_folder(appliance: RunningAppliance) -> None:
    """A second `serve` on the same data is refused with code 2 and says why."""
    second = appliance.run("serve")
    assert second.returncode == 2
    assert "already serves" in second.stderr
