"""What rules warn of is told by the commands that people look at, and by `replay` before the rule counts."""

import json
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from router.cli.application import application
from tests.support.corrected import STUDY, Site

GATE = ", {name: gate, when: {Modality: CT}, warn: look at it}"


def run(site: Site, *arguments: str) -> str:
    """What a command prints, without the breaks of a narrow terminal."""
    done = CliRunner().invoke(application, ["-c", str(site.file), *arguments])
    return done.stdout if "--json" in arguments else " ".join(done.stdout.split())


def test_status_and_study_show_tell_it(tmp_path: Path) -> None:
    """The rule, its text and the study, and nothing of the patient; where nothing warned there is no such line."""
    site = Site(tmp_path, rules=GATE)
    assert "warnings" not in run(site, "status")
    site.arrive(1, 2)
    site.arrive(3, StudyInstanceUID="1.2.9", Modality="PT")
    shown = run(site, "status")
    assert "rules warn of 1 studies" in shown
    assert f"gate: look at it; study {STUDY}" in shown
    assert "Doe" not in shown
    told: list[dict[str, Any]] = json.loads(run(site, "status", "--json"))["warnings"]
    assert [(each["study"], each["rule"], each["reason"], each["source"]) for each in told] == [
        (STUDY, "gate", "look at it", "scanner")
    ]
    shown = run(site, "study", "show", STUDY)
    assert "What rules warn of" in shown
    assert "look at it" in shown
    assert "What rules warn of" not in run(site, "study", "show", "1.2.9")
    site.close()


def test_replay_tells_how_often_it_would(tmp_path: Path) -> None:
    """A new rule that warns is told with its instances and studies; no study counts as held by it."""
    site = Site(tmp_path)
    site.arrive(1, 2)
    site.arrive(3, StudyInstanceUID="1.2.9")
    new = tmp_path / "new.yaml"
    new.write_text(site.file.read_text(encoding="utf-8").replace("NCC}]}]", "NCC}]}" + GATE + "]"), encoding="utf-8")
    told = json.loads(run(site, "replay", str(new), "--json"))
    assert [(each["what"], each["rule"], each["instances"], each["studies"]) for each in told["gained"]] == [
        ("warned", "gate", 3, 2)
    ]
    assert {(each["differing"], each["gained"]) for each in told["by_study"]} == {(2, 0), (1, 0)}
    assert (told["routing"], told["headers"]) == ([], [])
    site.close()
