"""What roles share: a configuration the supervisor accepted is taken up, if need be later."""

import errno
import os
import sqlite3
import threading
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError

from router.config import Configuration, Snapshot, load
from router.roles import process
from router.roles.process import ActiveConfiguration, Trouble
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


def test_trouble_is_told_when_it_begins_changes_and_ends(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A disk that is full for a day fills no log; what a database says is told, and never the row it says it of."""
    trouble = Trouble(work="filing")
    original = sqlite3.OperationalError("database or disk is full")
    original.sqlite_errorcode = sqlite3.SQLITE_FULL
    full = OperationalError("INSERT", {"name": "Planted^Name"}, original)
    for _ in range(5):
        trouble.tell("interrupted", full)
    told = capsys.readouterr().out
    assert (told.count("its disk is full"), "Planted" in told) == (1, False)
    trouble.tell("interrupted", OSError(errno.EIO, os.strerror(errno.EIO)))
    assert "Input/output error" in capsys.readouterr().out
    monkeypatch.setattr(process, "TELL_AGAIN_SECONDS", 0.0)
    for _ in range(2):
        trouble.tell("interrupted", ValueError())
    assert capsys.readouterr().out.count("interrupted") == 2
    trouble.end()
    trouble.end()
    assert capsys.readouterr().out.count("trouble is over") == 1
