"""How disks are judged: limits, the margin between them, what was there and is not."""

import shutil
from pathlib import Path

import pytest

from router.config import Configuration, load
from router.disks import Disk, DiskGoneError, Health, look, refuse_what_is_missing, reserve


@pytest.fixture
def configuration(tmp_path: Path) -> Configuration:
    """One that keeps 100 bytes free, whose appliance has run."""
    (tmp_path / "micropacs.yaml").write_text("appliance: {data: .}\narchive: {free_space: 100B}\n")
    (tmp_path / "spool" / "incoming").mkdir(parents=True)
    (tmp_path / "archive" / "incoming").mkdir(parents=True)
    (tmp_path / "micropacs.db").touch()
    (tmp_path / "node").touch()
    return load(tmp_path / "micropacs.yaml")


@pytest.mark.parametrize(
    ("free", "health"),
    [(1000, Health.GOOD), (200, Health.GOOD), (199, Health.SHORT), (100, Health.SHORT), (99, Health.FULL)],
)
def test_a_warning_comes_before_scanners_are_refused(
    configuration: Configuration, monkeypatch: pytest.MonkeyPatch, free: int, health: Health
) -> None:
    """Below twice the reserve a disk is getting full, below the reserve it is full; one disk is told of once."""
    usage = type(shutil.disk_usage("/"))(1000, 1000 - free, free)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    (disk,) = look(configuration)
    assert (disk.uses, disk.health, disk.free) == (("spool", "archive", "database"), health, free)
    assert ("make room" in str(disk)) is (health is not Health.GOOD)


@pytest.mark.parametrize(
    ("free", "before", "after"),
    [
        (99, Health.GOOD, Health.FULL),
        (101, Health.FULL, Health.FULL),
        (111, Health.FULL, Health.SHORT),
        (201, Health.SHORT, Health.SHORT),
        (221, Health.SHORT, Health.GOOD),
        (221, Health.FULL, Health.GOOD),
        (201, Health.FULL, Health.SHORT),
        (201, Health.GOOD, Health.GOOD),
        (1000, Health.GONE, Health.GOOD),
    ],
)
def test_what_is_hardly_better_is_no_news(tmp_path: Path, free: int, before: Health, after: Health) -> None:
    """A tenth of the limit must be free beyond it; worse is told at once."""
    health = Health.FULL if free < 100 else Health.SHORT if free < 200 else Health.GOOD
    assert Disk(("spool",), tmp_path, health, free, 1000, 100).health_after(before) is after


@pytest.mark.parametrize("use", ["spool", "archive", "database"])
def test_what_was_there_and_is_not(configuration: Configuration, use: str) -> None:
    """It is told as gone, and nothing is begun anew in its place, unless the appliance has not run there before."""
    refuse_what_is_missing(configuration, ["spool", "archive", "database"])
    place = configuration.data / ("micropacs.db" if use == "database" else use)
    place.rename(configuration.data / "elsewhere")
    if use != "database":
        (place / "lost+found").mkdir(parents=True)
    assert [disk.uses for disk in look(configuration) if disk.health is Health.GONE] == [(use,)]
    with pytest.raises(DiskGoneError, match=f"the {use} was in use before"):
        refuse_what_is_missing(configuration, ["spool", "archive", "database"])
    refuse_what_is_missing(configuration, {"spool", "archive", "database"} - {use})
    (configuration.data / "node").unlink()
    refuse_what_is_missing(configuration, ["spool", "archive", "database"])
    assert Health.GONE not in {disk.health for disk in look(configuration)}


@pytest.mark.parametrize(
    ("yaml", "others"), [("", 50), ("archive: {free_space: 20B}", 20), ("archive: {free_space: 2kB}", 50)]
)
def test_what_should_stay_free_on_other_disks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, yaml: str, others: int
) -> None:
    """As much as on the spool's, but no more than a twentieth: a small disk for the database is not full for ever."""
    (tmp_path / "micropacs.yaml").write_text(f"appliance: {{data: .}}\n{yaml}\n")
    usage = type(shutil.disk_usage(tmp_path))(1000, 0, 1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    assert reserve(load(tmp_path / "micropacs.yaml"), "database") == others


def test_a_database_elsewhere_is_looked_at_if_it_is_a_file(tmp_path: Path) -> None:
    """SQLite has a disk that we can see, a server has not."""
    for database, uses in (("sqlite:////tmp/x.db", "database"), ("postgresql+psycopg://user@host/name", "spool")):
        (tmp_path / "micropacs.yaml").write_text(f"appliance: {{data: ., database: '{database}'}}\n")
        found = {use for disk in look(load(tmp_path / "micropacs.yaml")) for use in disk.uses}
        assert found == {"spool", "archive", uses}
