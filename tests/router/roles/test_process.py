"""What roles share: a configuration the supervisor accepted is taken up, if need be later."""

import threading
from pathlib import Path

import pytest

from router.config import Configuration, Snapshot, load
from router.roles import process
from router.roles.process import ActiveConfiguration
from tests.support.appliance import wait_until


def _configuration(folder: Path, ae_title: str) -> Configuration:
    file = folder / "micropacs.yaml"
    file.write_text(f"appliance: {{ae_title: {ae_title}}}\n", encoding="utf-8")
    return load(file)


def test_a_configuration_that_cannot_be_taken_up_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the database away at the moment of a reload, the role follows as soon as it is back."""
    monkeypatch.setattr(process, "AGAIN_SECONDS", 0.05)
    snapshot = Snapshot(tmp_path / "data")
    snapshot.write(_configuration(tmp_path, "ONE"))
    active = ActiveConfiguration(tmp_path / "data")
    stop, tried = threading.Event(), []

    def accept(configuration: Configuration) -> None:
        tried.append(configuration.revision)
        if len(tried) < 3:
            raise RuntimeError("the database is away")

    thread = threading.Thread(target=active.follow, args=(stop, accept))
    thread.start()
    snapshot.write(_configuration(tmp_path, "TWO"))
    wait_until(lambda: active().settings.appliance.ae_title == "TWO", 10, "the new configuration")
    stop.set()
    thread.join()
    assert len(tried) == 3
