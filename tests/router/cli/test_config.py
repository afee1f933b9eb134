"""`micropacs config`: what was in force is listed, shown and compared, and goes back into the files, or not at all."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from router.appliance import Appliance
from router.cli.application import application
from router.config import Snapshot, load

MAIN = """
appliance: {data: ./data}
include: [more/*.yaml]
destinations: {cloud: {type: folder, path: "${CLOUD}"}}
"""
FIRST = "routes: [{name: first, to: [cloud]}]\n"
SECOND = "routes: [{name: second, to: [cloud]}]\n"


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A configuration of two files that was in force as FIRST, and is now as SECOND."""
    monkeypatch.setenv("CLOUD", "/srv/top-secret")
    path = tmp_path / "site.yaml"
    path.write_text(MAIN, encoding="utf-8")
    (tmp_path / "more").mkdir()
    for text in (FIRST, SECOND):
        rules(path).write_text(text, encoding="utf-8")
        configuration = load(path)
        appliance = Appliance.open(configuration)
        appliance.revisions.remember(configuration, "anna")
        Snapshot(configuration.data).write(configuration)
        appliance.close()
    return path


def rules(file: Path) -> Path:
    """The second file."""
    return file.parent / "more" / "rules.yaml"


def run(file: Path, *arguments: str) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of `micropacs config …`."""
    done = CliRunner().invoke(application, ["-c", str(file), "config", *arguments])
    return done.exit_code, done.stdout, done.stderr


def listed(file: Path) -> list[dict[str, Any]]:
    """What `config list --json` tells."""
    code, output, _ = run(file, "list", "--json")
    assert code == 0
    told: list[dict[str, Any]] = json.loads(output)
    return told


def test_list_show_and_diff(file: Path) -> None:
    """The newest comes first and the one in force is marked; texts have references, never what they stand for."""
    second, first = listed(file)
    assert [(each["current"], each["on_disk"]) for each in (second, first)] == [(True, True), (False, False)]
    assert second["revision"] == load(file).revision
    assert second["files"] == ["site.yaml", "more/rules.yaml"]
    assert "in force" in run(file, "list")[1]
    code, output, _ = run(file, "show", first["revision"][:6])
    assert code == 0
    assert "${CLOUD}" in output
    assert "top-secret" not in output
    assert FIRST.strip() in output
    for arguments in ([first["revision"], second["revision"]], [first["revision"]]):
        code, output, _ = run(file, "diff", *arguments)
        assert code == 0
        assert "\n-" + FIRST in output
        assert "\n+" + SECOND in output
    assert "the same" in run(file, "diff", second["revision"])[1]
    assert run(file, "show", "nothing")[0] == 1
    assert run(file, "show", "")[0] == 1


def test_rollback_puts_the_files_back(file: Path) -> None:
    """Back to the first and to the second again; what was in the files before is kept as a revision, right or wrong."""
    second, first = (each["revision"] for each in listed(file))
    rules(file).chmod(0o600)
    code, output, _ = run(file, "rollback", first, "--json")
    assert (code, json.loads(output)) == (0, {"revision": first, "saved": second, "written": ["more/rules.yaml"]})
    assert rules(file).read_text(encoding="utf-8") == FIRST
    assert rules(file).stat().st_mode & 0o777 == 0o600
    assert load(file).revision == first
    assert sorted(path.name for path in file.parent.rglob("*.part")) == []

    rules(file).write_text("routes: [{nam: broken}]\n", encoding="utf-8")
    code, output, _ = run(file, "rollback", second, "--json")
    assert code == 0
    saved = json.loads(output)["saved"]
    assert "nam: broken" in run(file, "show", saved)[1]
    assert rules(file).read_text(encoding="utf-8") == SECOND
    code, _, errors = run(file, "rollback", saved)
    assert code == 1
    assert "cannot be loaded" in errors
    assert rules(file).read_text(encoding="utf-8") == SECOND
    appliance = Appliance.open(load(file))
    with appliance.database.read() as connection:
        told = connection.exec_driver_sql("select revision from journal where kind = 'rolled back' order by id").all()
    appliance.close()
    assert [row[0] for row in told] == [first, second]


def test_what_would_not_be_the_same_is_not_put_back(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Refused, and no file touched, where a test fails today, a secret is gone, or a new file would be read as well."""
    second, first = (each["revision"] for each in listed(file))
    extra = file.parent / "more" / "extra.yaml"
    extra.write_text("tables: {}\n", encoding="utf-8")
    code, _, errors = run(file, "rollback", first)
    assert (code, rules(file).read_text(encoding="utf-8")) == (1, SECOND)
    assert "more/extra.yaml" in errors
    extra.unlink()
    monkeypatch.delenv("CLOUD")
    assert run(file, "rollback", first)[0] != 0
    assert rules(file).read_text(encoding="utf-8") == SECOND
    monkeypatch.setenv("CLOUD", "/srv/top-secret")

    failing = FIRST + "tests: [{name: never, given: {Modality: CT}, expect: {to: []}}]\n"
    rules(file).write_text(failing, encoding="utf-8")
    configuration = load(file)
    appliance = Appliance.open(configuration)
    appliance.revisions.remember(configuration)
    appliance.close()
    rules(file).write_text(SECOND, encoding="utf-8")
    code, _, errors = run(file, "rollback", configuration.revision)
    assert (code, rules(file).read_text(encoding="utf-8")) == (1, SECOND)
    assert "never" in errors
    assert listed(file)[-1]["revision"] == first != second


def test_what_a_broken_file_does_not_name_is_kept_as_well(file: Path) -> None:
    """Where the main file cannot be understood, what it includes is not known: it is kept before it is written over."""
    _, first = (each["revision"] for each in listed(file))
    file.write_text("appliance: {data: ./data\n", encoding="utf-8")
    rules(file).write_text("# two hours of work\n" + SECOND, encoding="utf-8")
    code, output, errors = run(file, "rollback", first, "--json")
    assert code == 0, errors
    told = json.loads(output)
    assert told["written"] == ["more/rules.yaml", "site.yaml"]
    kept = run(file, "show", told["saved"])[1]
    assert "two hours of work" in kept
    assert "appliance: {data: ./data\n" in kept
    assert load(file).revision == first


def test_what_cannot_be_kept_is_not_written_over(file: Path) -> None:
    """A file in another encoding than UTF-8 is none that could be shown again: it has to be moved away first."""
    _, first = (each["revision"] for each in listed(file))
    for broken in (rules(file), file):
        before = broken.read_bytes()
        broken.write_bytes(before + b"# M\xfcller\n")
        code, _, errors = run(file, "rollback", first)
        assert code == 1
        assert f"{broken.name} would be written over" in errors.replace("more/", "")
        assert "move it away" in errors
        assert broken.read_bytes() == before + b"# M\xfcller\n"
        broken.write_bytes(before)


@pytest.mark.skipif(sys.platform == "win32", reason="links need a right there")
def test_a_link_to_a_file_stays_one(file: Path) -> None:
    """A configuration that lies in another folder, with a link to it, is put back where it lies."""
    _, first = (each["revision"] for each in listed(file))
    kept = file.parent / "elsewhere.txt"
    rules(file).rename(kept)
    rules(file).symlink_to(kept)
    assert run(file, "rollback", first)[0] == 0
    assert rules(file).is_symlink()
    assert kept.read_text(encoding="utf-8") == FIRST


def test_who_brought_it_is_told(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who ran what loaded it first, who put it back last, and who kept what was in the files then."""
    monkeypatch.setattr("getpass.getuser", lambda: "kim")
    second, first = listed(file)
    assert [(each["by"], each["put_back_by"]) for each in (second, first)] == [("anna", None)] * 2
    rules(file).write_text("routes: [{nam: broken}]\n", encoding="utf-8")
    assert run(file, "rollback", first["revision"])[0] == 0
    assert run(file, "rollback", second["revision"], "--by", "Lee, physics")[0] == 0
    configuration = load(file)
    appliance = Appliance.open(configuration)
    appliance.revisions.remember(configuration, "micropacs")
    appliance.close()
    told = [(each["by"], each["put_back_by"], bool(each["put_back_at"])) for each in listed(file)]
    assert told == [("kim", None, False), ("anna", "Lee, physics", True), ("anna", "kim", True)]
    shown = run(file, "list")[1]
    assert all(name in shown for name in ("anna", "kim", "Lee"))
    assert run(file, "rollback", first["revision"], "--by", "Max")[0] == 0
    assert listed(file)[-1]["put_back_by"] == "Max"


@pytest.mark.parametrize("is_loaded_first", [False, True])
def test_who_wrote_the_line_of_a_table_brought_it(file: Path, *, is_loaded_first: bool) -> None:
    """A person who writes what an appliance loads is named, and not the user it runs as, however fast that is."""
    rules(file).write_text("tables: {}\n", encoding="utf-8")
    configuration = load(file)
    appliance = Appliance.open(configuration)
    steps = [
        lambda: appliance.revisions.brought(configuration.revision, "kim"),
        lambda: appliance.revisions.remember(configuration, "micropacs"),
    ]
    for step in reversed(steps) if is_loaded_first else steps:
        step()
    appliance.close()
    assert listed(file)[0]["by"] == "kim"
