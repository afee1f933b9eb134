"""The examples are configurations like any other, hold what they promise, and are what editors take them for."""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from router.cli.application import application
from router.config import json_schema, load
from rules import run_tests

FOLDER = Path(__file__).parents[3] / "examples"
EXAMPLES = sorted(FOLDER.glob("*.yaml"))
SECRETS = {"RESEARCH_SECRET": "of this trial only"}


def test_the_examples_are_there() -> None:
    """The examples that the documentation names."""
    names = {path.stem for path in EXAMPLES}
    assert {"hospital", "pet-ct-department", "research-trial", "teleradiology"} <= names


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_has_nothing_wrong(path: Path) -> None:
    """It loads without a warning, and every test that it carries passes."""
    configuration = load(path, SECRETS)
    assert configuration.warnings == ()
    results = run_tests(configuration.ruleset)
    assert [result for result in results if not result.passed] == []
    assert len(results) >= 4


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
@pytest.mark.parametrize("command", ["check", "test"])
def test_the_commands_say_so(path: Path, command: str) -> None:
    """`micropacs check` and `micropacs test` end with 0."""
    done = CliRunner().invoke(application, ["-c", str(path), command, "--json"], env=SECRETS)
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["ok"] is True


@pytest.mark.skipif(shutil.which("make") is None, reason="the make command is not installed")
def test_their_schema_is_kept_in_step(tmp_path: Path) -> None:
    """`make setup` writes the schema beside the examples, and again when the code has changed."""
    schema, source = tmp_path / "examples" / "micropacs.schema.json", tmp_path / "rules" / "edits" / "form.py"
    command = tmp_path / ".venv" / "bin" / "micropacs"
    for folder in (schema.parent, source.parent, command.parent):
        folder.mkdir(parents=True)
    shutil.copy(FOLDER.parent / "Makefile", tmp_path)
    (tmp_path / "pyproject.toml").touch()
    source.touch()
    command.write_text("#!/bin/sh\necho $1 >> asked\necho {}\n", encoding="utf-8")
    command.chmod(0o755)
    (tmp_path / ".venv" / ".product").touch()
    for age, asked in ((None, 1), (None, 1), (time.time() + 60, 2)):
        if age:
            os.utime(source, (age, age))
        subprocess.run(["make", "setup"], cwd=tmp_path, check=True, capture_output=True, timeout=60)
        assert (tmp_path / "asked").read_text(encoding="utf-8").split() == ["schema"] * asked
        assert schema.read_text(encoding="utf-8") == "{}\n"


def test_an_editor_takes_them(tmp_path: Path) -> None:
    """The JSON Schema that their first line names finds nothing in them."""
    schema = tmp_path / "micropacs.schema.json"
    schema.write_text(json.dumps(json_schema()), encoding="utf-8")
    command = [sys.executable, "-m", "check_jsonschema", "--schemafile", str(schema), *map(str, EXAMPLES)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout
    assert all(path.read_text(encoding="utf-8").startswith("# yaml-language-server: $schema=") for path in EXAMPLES)
