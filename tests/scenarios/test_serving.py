"""`micropacs serve` as an operator meets it: reload, refusal of a bad file, drain, a second start."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.appliance import RunningAppliance, wait_until
from tests.support.dcmtk import dcmsend, echoscu, needs_dcmtk, storescp

pytestmark = [needs_dcmtk, pytest.mark.peer, pytest.mark.xdist_group("serving")]

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


@contextmanager
def _serving(folder: Path) -> Iterator[RunningAppliance]:
    """A running appliance with a storescp that writes into `folder / "pacs"`."""
    (folder / "site").mkdir()
    with (
        storescp(folder / "pacs") as port,
        RunningAppliance(folder / "site", YAML.replace("PACS_PORT", str(port))) as running,
    ):
        yield running


@pytest.fixture
def appliance(tmp_path: Path) -> Iterator[RunningAppliance]:
    """One of its own, whose configuration is to change."""
    with _serving(tmp_path) as running:
        yield running


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningAppliance]:
    """One for all tests that do not change what is in force."""
    with _serving(tmp_path_factory.mktemp("serving")) as running:
        yield running


@pytest.fixture
def unchanged(shared: RunningAppliance) -> Iterator[RunningAppliance]:
    """The same, whose file is put back afterwards."""
    yaml = shared.file.read_text()
    yield shared
    shared.file.write_text(yaml)


def _phantom(folder: Path, seed: str) -> list[Path]:
    from router.demo.phantom import write_phantom

    return list(write_phantom(folder, slices=2, seed=seed).files)


def _institutions(appliance: RunningAppliance) -> set[str]:
    return {str(name) for (name,) in appliance.sql("select institution_name from series")}


def _sent(appliance: RunningAppliance, folder: Path) -> None:
    """A study of six instances, which is filed."""
    filed = appliance.count("select count(*) from instances")
    assert dcmsend(appliance.port, _phantom(folder, str(folder)), "-aet", "PETCT").returncode == 0
    appliance.filed(filed + 6)


def _delivered(appliance: RunningAppliance, folder: Path) -> None:
    """The same, and it arrives."""
    delivered = appliance.count("select count(*) from deliveries where state = 'delivered'")
    _sent(appliance, folder)
    appliance.delivered("pacs", delivered + 6)


def _saying(appliance: RunningAppliance) -> Callable[[str], None]:
    """Waits until the log has said a text since now."""
    length = len(appliance.log.read_text())
    return lambda text: wait_until(lambda: text in appliance.log.read_text()[length:], 15, f"the log to say {text!r}")


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
def test_a_bad_file_changes_nothing(unchanged: RunningAppliance, tmp_path: Path, old: str, new: str, said: str) -> None:
    """A file that does not load, or whose test fails, is told in the log, and the last good one stays in force."""
    says = _saying(unchanged)
    unchanged.file.write_text(unchanged.file.read_text().replace(old, new))
    says(said)
    _delivered(unchanged, tmp_path)
    assert _institutions(unchanged) == {"FIRST"}
    assert unchanged.count("select count(*) from revisions") == 1


def test_hangup_reloads(appliance: RunningAppliance) -> None:
    """SIGHUP takes up the file as it is now, and a new source may send at once."""
    assert not echoscu(appliance.port, "-aet", "NEWONE")
    yaml = appliance.file.read_text()
    appliance.file.write_text(yaml.replace("sources: {", "sources: {other: {ae_title: NEWONE, host: 127.0.0.1}, "))
    assert appliance.process is not None
    os.kill(appliance.process.pid, signal.SIGHUP)
    wait_until(lambda: echoscu(appliance.port, "-aet", "NEWONE"), 15, "the new source to be known")


def test_a_restart_with_a_broken_role_configuration_uses_the_last_good_one(
    unchanged: RunningAppliance, tmp_path: Path
) -> None:
    """A role that dies while the file on disk is broken starts again with what was accepted."""
    says = _saying(unchanged)
    unchanged.file.write_text("nonsense: [")
    says("configuration refused")
    killed = unchanged.roles()["work"]
    unchanged.kill("work")
    wait_until(lambda: unchanged.roles().get("work", killed) != killed, 15, "the role to come back")
    _delivered(unchanged, tmp_path)


def test_a_broken_file_does_not_blind_the_operator(unchanged: RunningAppliance) -> None:
    """While the file is broken, status, queue, held and find answer for the configuration in force and say so."""
    unchanged.file.write_text(unchanged.file.read_text().replace("routes:", "rotes:"))
    for command in ("status", "queue", "held"):
        done = unchanged.run(command)
        assert done.returncode == 0, done.stderr
        assert "the last good one is in force" in done.stderr
    assert unchanged.run("status", "--quiet").returncode == 0
    assert unchanged.run("find", "PatientID=nobody").returncode == 1
    assert unchanged.run("check").returncode == 2
    unchanged.file.write_text("appliance: {data: ./data")
    assert unchanged.run("queue").returncode == 0


def test_stop_drains_and_the_next_start_continues(unchanged: RunningAppliance, tmp_path: Path) -> None:
    """SIGTERM ends with 0 and leaves no role behind; what waits is delivered after the next start, once."""
    tried = "select count(*) from attempts where delivery_id is not null"
    pacs = unchanged.folder.parent / "pacs"
    attempts, copies = unchanged.count(tried), len(list(pacs.iterdir()))
    assert unchanged.run("queue", "pause", "--destination", "pacs").returncode == 0
    _sent(unchanged, tmp_path)
    roles = unchanged.roles()
    assert unchanged.stop() == 0
    assert all(not Path(f"/proc/{pid}").exists() for pid in roles.values())
    assert unchanged.run("status").returncode == 3
    unchanged.start()
    assert unchanged.count("select count(*) from deliveries where state = 'due'") == 6
    assert unchanged.run("queue", "resume", "--destination", "pacs").returncode == 0
    unchanged.delivered("pacs", copies + 6)
    assert len(list(pacs.iterdir())) == copies + 6
    assert unchanged.count(tried) == attempts + 6


def test_nothing_kept_is_readable_for_everybody(unchanged: RunningAppliance, tmp_path: Path) -> None:
    """Every file below the data folder is 0640 and every folder 0750: database, archive, spool and the rest."""
    _delivered(unchanged, tmp_path)
    wait_until(lambda: list(unchanged.data.rglob("manifest.json")), 20, "the manifest")
    paths = [unchanged.data, *unchanged.data.rglob("*")]
    modes = {(path.is_dir(), path.stat().st_mode & 0o777) for path in paths if path.exists()}
    assert modes == {(True, 0o750), (False, 0o640)}


def test_two_appliances_never_share_a_data_folder(unchanged: RunningAppliance) -> None:
    """A second `serve` on the same data is refused with code 2 and says why."""
    second = unchanged.run("serve")
    assert second.returncode == 2
    assert "already serves" in second.stderr
