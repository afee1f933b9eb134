"""`micropacs study`: what it shows, corrects and takes back, what it says to people and programs, its exit codes."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from router.cli.application import application
from tests.support.corrected import STUDY, Site


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a site with a study of two instances, which a destination has."""
    folder = tmp_path_factory.mktemp("filled")
    site = Site(folder)
    site.arrive(1, 2)
    site.deliver()
    site.close()
    return folder


@pytest.fixture
def site(filled: Path, tmp_path: Path) -> Iterator[Site]:
    """The site, for one test alone."""
    shutil.copytree(filled, tmp_path, dirs_exist_ok=True)
    site = Site(tmp_path)
    yield site
    site.close()


def run(site: Site, *arguments: str, said: str = "") -> tuple[int, str, str]:
    """Exit code, standard output and standard error of `micropacs study …`."""
    done = CliRunner().invoke(application, ["-c", str(site.file), "study", *arguments], input=said)
    return done.exit_code, done.stdout, done.stderr


def shown(site: Site) -> dict[str, Any]:
    """What `study show --json` tells."""
    code, output, _ = run(site, "show", STUDY, "--json")
    assert code == 0
    told: dict[str, Any] = json.loads(output)
    return told


def test_show_tells_everything(site: Site) -> None:
    """Patient, series, instances with digests and origin, changes with their rule and revision, deliveries, events."""
    told = shown(site)
    assert (told["attributes"]["PatientID"], told["series"][0]["attributes"]["Modality"]) == ("1", "CT")
    [first, second] = told["series"][0]["instances"]
    assert first["digest"] != first["received_digest"] != second["received_digest"]
    assert (first["origin"]["calling_ae"], first["origin"]["host"]) == ("GE_DSTE", "10.1.1.11")
    [change] = told["changes"]
    assert (change["rule"], change["new"], change["instances"]) == ("mark", "NCC", 2)
    assert change["revision"] == site.configuration.revision
    assert [(each["destination"], each["route"], each["revision"]) for each in told["deliveries"]] == [
        ("disk", "all", site.configuration.revision)
    ] * 2
    assert [receipt["destination"] for receipt in told["receipts"]] == ["disk"]
    assert [event["kind"] for event in told["events"]] == ["filed"]
    code, output, _ = run(site, "show", STUDY)
    assert code == 0
    for text in ("Doe^Jane", "GE_DSTE", "InstitutionName", "NCC", "2 delivered"):
        assert text in output


def test_edit_and_undo(site: Site) -> None:
    """Edited it says who has the old version and how to follow up; undone, unasked, every digest is the received."""
    code, output, _ = run(site, "edit", STUDY, "PatientID=0042", "PatientName=Roe^Richard")
    assert code == 0
    assert "2 instances corrected" in output
    assert "disk" in output
    assert "--resend" in output
    assert shown(site)["outdated"] == [{"destination": "disk", "instances": 2, "is_configured": True}]

    code, output, errors = run(site, "undo", STUDY, "--resend")
    assert (code, errors) == (0, "")
    assert "2 instances are sent to disk again" in output
    told = shown(site)
    assert (told["attributes"]["PatientID"], told["outdated"]) == ("1", [])
    assert all(each["digest"] == each["received_digest"] for each in told["series"][0]["instances"])
    assert all(change["undone_by"] for change in told["changes"])
    assert {each["state"] for each in told["deliveries"]} == {"due"}


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pseudo-terminals")
def test_only_a_person_at_a_terminal_is_asked(site: Site) -> None:
    """At a terminal `undo` tells what it would take back, and does it only after a yes; then it offers to follow up."""
    for said, code in ((b"n\n", 1), (b"y\nn\n", 0)):
        ours, theirs = os.openpty()
        os.write(ours, said)
        command = [sys.executable, "-m", "router.cli", "-c", str(site.file), "study", "undo", STUDY]
        done = subprocess.run(command, stdin=theirs, capture_output=True, text=True, check=False, timeout=60)
        os.close(ours)
        os.close(theirs)
        assert done.returncode == code, done.stderr
        assert "InstitutionName" in done.stdout
        assert f"Give every instance of {STUDY}" in done.stderr
        assert ("2 instances as received again" in done.stdout) is (code == 0)


def test_programs_are_told_in_json_and_asked_nothing(site: Site) -> None:
    """With `--yes --json` there is one document, and 1 where nothing was to be done."""
    code, output, _ = run(site, "edit", STUDY, "PatientID=0042", "--resend", "--yes", "--json")
    done = {"instances": 2, "is_for_later": True}
    assert (code, json.loads(output)) == (0, {**done, "moved": {}, "resent": {"disk": 2}, "outdated": []})
    code, output, _ = run(site, "undo", STUDY, "--yes", "--json")
    assert (code, json.loads(output)["instances"]) == (0, 2)
    code, output, _ = run(site, "undo", STUDY, "--yes", "--json")
    assert (code, json.loads(output)["instances"]) == (1, 0)


def test_json_alone_asks_nothing(site: Site) -> None:
    """A program that wants JSON gets one document and is not asked, whether it says `--yes` or not."""
    code, output, errors = run(site, "undo", STUDY, "--json")
    assert (code, json.loads(output)["instances"], errors) == (0, 2, "")


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("PatientID", "is not KEYWORD=VALUE"),
        ("PatientIDD=1", "did you mean PatientID?"),
        ("StudyInstanceUID=1.2", "says which instance of which study"),
        ("SOPInstanceUID=1.2", "says which instance of which study"),
        ("Rows=5", "only text, and what the patient or the study has"),
        ("PixelData=5", "only text"),
    ],
)
def test_what_cannot_be_corrected_is_refused(site: Site, value: str, told: str) -> None:
    """Exit code 2, in plain words, and nothing is changed."""
    code, _, errors = run(site, "edit", STUDY, "PatientID=0042", value)
    assert code == 2
    assert told in " ".join(errors.split())
    assert shown(site)["attributes"]["PatientID"] == "1"


def test_what_cannot_be_done_changes_nothing(site: Site) -> None:
    """Exit code 1 for a study that is not there, and for a value that the attribute cannot have."""
    for command in (["show", "1.9"], ["edit", "1.9", "PatientID=1"], ["undo", "1.9", "--yes"]):
        assert run(site, *command)[0] == 1
    code, _, errors = run(site, "edit", STUDY, "PatientBirthDate=soon")
    assert code == 1
    assert "nothing was changed" in errors
    assert "PatientBirthDate" in errors
