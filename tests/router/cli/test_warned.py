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


def test_a_study_of_two_people_is_told(tmp_path: Path) -> None:
    """Who differs in ID or birth date is warned of once, in one batch or in two, and shown; nothing is altered."""
    site = Site(tmp_path)
    site.arrive(1, PatientBirthDate="19500101")
    site.arrive(2, PatientName="DOE^JANE")  # is nobody else: names are written in many ways
    assert "more than one patient" not in run(site, "status") + run(site, "study", "show", STUDY)
    site.arrive(3, 4, PatientID="2", PatientName="Huber^Berta")
    site.arrive(5, PatientBirthDate="19771224")
    for number, patient in ((6, ""), (7, "8"), (8, "9")):  # the first of them names nobody
        site.arrive(number, StudyInstanceUID="1.2.9", SeriesInstanceUID="1.2.9.1", PatientID=patient)
    shown = run(site, "status")
    assert "2 studies of more than one patient" in shown
    assert f"they differ in PatientID; study {STUDY}" in shown
    assert "rules warn" not in shown
    assert "Huber" not in shown
    told = json.loads(run(site, "status", "--json"))["warnings"]
    assert [(each["study"], each["rule"], each["source"]) for each in told] == [
        ("1.2.9", None, "scanner"),
        (STUDY, None, "scanner"),
    ]
    shown = json.loads(run(site, "study", "show", STUDY, "--json"))
    assert shown["attributes"]["PatientID"] == "1"
    people = {
        (each["PatientID"], each["PatientName"], each["PatientBirthDate"]): each["instances"]
        for each in shown["patients"]
    }
    assert people == {
        ("1", "Doe^Jane", "19500101"): 1,
        ("1", "DOE^JANE", ""): 1,
        ("2", "Huber^Berta", ""): 2,
        ("1", "Doe^Jane", "19771224"): 1,
    }
    assert "Instances of more than one patient" in run(site, "study", "show", STUDY)
    site.corrector.edit(
        site.study_id(), {"PatientID": "1", "PatientName": "Doe^Jane", "PatientBirthDate": ""}, resend=False
    )
    assert "Instances of more than one patient" not in run(site, "study", "show", STUDY)
    site.assert_whole()
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
